/* The summary of what was left out. */
#include "pictures/left_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/terminal.h"

/* The group of a reason; NULL where there are too many, or no memory for one more. */
static struct left_out_group *find_group(struct left_out *left_out, const char *reason)
{
    for (size_t i = 0; i < LEFT_OUT_REASONS; i++) {
        struct left_out_group *group = &left_out->groups[i];

        if (group->reason == NULL)
            group->reason = strdup(reason);
        if (group->reason == NULL || strcmp(group->reason, reason) == 0)
            return group->reason != NULL ? group : NULL;
    }
    return NULL;
}

static void tell(const struct left_out *left_out, const char *path, const char *reason)
{
    if (left_out->tell != NULL)
        left_out->tell(left_out->user, path, reason);
}

void left_out_add(struct left_out *left_out, const char *path, const char *reason)
{
    struct left_out_group *group = find_group(left_out, reason);

    tell(left_out, path, reason);
    if (group == NULL) {
        terminal_failure(path, reason);
        return;
    }
    if (group->n < LEFT_OUT_NAMES)
        group->names[group->n] = strdup(path);
    group->n++;
}

void left_out_lose(struct left_out *left_out, const char *path, const char *reason)
{
    char text[256];

    tell(left_out, path, reason);
    if (++left_out->lost > LEFT_OUT_LOST)
        return;
    snprintf(text, sizeof text, "left out: %s", reason);
    terminal_failure(path, text);
}

static void say_group(struct left_out_group *group)
{
    size_t named = 0;

    fprintf(stderr, "vgg: %zu left out (%s)", group->n, group->reason);
    for (size_t i = 0; i < LEFT_OUT_NAMES; i++) {
        if (group->names[i] == NULL)
            continue;
        fputs(named++ == 0 ? ": " : ", ", stderr);
        terminal_text(stderr, group->names[i], SIZE_MAX);
        free(group->names[i]);
    }
    fputs(named < group->n ? " ...\n" : "\n", stderr);
    free(group->reason);
}

void left_out_say(struct left_out *left_out)
{
    for (size_t i = 0; i < LEFT_OUT_REASONS && left_out->groups[i].reason != NULL; i++)
        say_group(&left_out->groups[i]);
    if (left_out->lost != 0)
        terminal_say("%zu left out (cannot be read): %snamed above", left_out->lost,
                     left_out->lost > LEFT_OUT_LOST ? "the first are " : "");
    *left_out = (struct left_out){.tell = left_out->tell, .user = left_out->user};
}
