/* The tables of problems. */
#include "answer/problem.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *type, *title;
    unsigned status;
} problems[PROBLEM_KINDS] = {
#define PROBLEM_ROW(name, slug, code, text)                                                        \
    [PROBLEM_##name] = {"urn:vgg:problem:" slug, text, code},
    PROBLEM_MAP(PROBLEM_ROW)
#undef PROBLEM_ROW
};

const char *problem_type(enum problem_kind kind)
{
    return problems[kind].type;
}

const char *problem_title(enum problem_kind kind)
{
    return problems[kind].title;
}

unsigned problem_status(enum problem_kind kind)
{
    return problems[kind].status;
}

enum problem_kind problem_of_http(unsigned status)
{
    for (int kind = 0; kind < PROBLEM_KINDS; kind++)
        if (problems[kind].status == status)
            return (enum problem_kind)kind;
    return PROBLEM_INTERNAL;
}

enum problem_kind problem_of_status(enum vgg_status status)
{
    switch (status) {
    case VGG_NO_MEMORY:
        return PROBLEM_NO_MEMORY;
    case VGG_BAD_ARGUMENT:
        return PROBLEM_BAD_PARAMETER;
    case VGG_UNSUPPORTED_FORMAT:
        return PROBLEM_UNSUPPORTED_FORMAT;
    case VGG_BAD_IMAGE:
        return PROBLEM_BAD_IMAGE;
    case VGG_TOO_LARGE:
        return PROBLEM_IMAGE_TOO_LARGE;
    case VGG_CANCELLED:
        return PROBLEM_DRAINING;
    case VGG_DEADLINE:
        return PROBLEM_DEADLINE;
    case VGG_OK:
    case VGG_BAD_MODEL:
    case VGG_IO:
        break;
    }
    return PROBLEM_INTERNAL;
}

void problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
{
    va_list args;

    problem->kind = kind;
    va_start(args, format);
    vsnprintf(problem->detail, sizeof problem->detail, format, args);
    va_end(args);
}

void problem_set_error(struct problem *problem, const struct vgg_error *error)
{
    problem_set(problem, problem_of_status(error->status), "%s", error->text);
}
