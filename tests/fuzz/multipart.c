/*
 * Any bytes as a multipart body, after a line for its Content-Type: parts lie in it, in order, and
 * fields end in it.
 */
#include <stdlib.h>
#include <string.h>

#include "http/multipart.h"

enum { PARTS_MAX = 4, TYPE_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A copy of exactly its size, so that a sanitizer sees what reads on. */
static void parse(const char *boundary, const uint8_t *bytes, size_t size)
{
    struct http_part parts[PARTS_MAX];
    struct multipart form = {.parts = parts, .parts_max = PARTS_MAX};
    uint8_t *copy = malloc(size + (size == 0));
    const uint8_t *end = copy;
    enum multipart_result state;
    size_t n;

    must(copy != NULL);
    if (size != 0)
        memcpy(copy, bytes, size);
    state = multipart_parse(&form, copy, size, boundary);
    n = form.parts_n;
    must(state == MULTIPART_DONE || state == MULTIPART_MANY || state == MULTIPART_BAD);
    must(state != MULTIPART_BAD || (form.error != NULL && form.error[0] != '\0'));
    must(state != MULTIPART_DONE || (n >= 1 && n <= PARTS_MAX));
    must(form.fields_n <= HTTP_FIELDS_MAX);
    for (size_t i = 0; i < form.fields_n; i++)
        must(strlen(form.fields[i].name) <= size && strlen(form.fields[i].value) <= size);
    for (size_t i = 0; state == MULTIPART_DONE && i < n; i++) {
        must(parts[i].bytes >= end && parts[i].size <= (size_t)(copy + size - parts[i].bytes));
        end = parts[i].bytes + parts[i].size;
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *line = memchr(bytes, '\n', size < TYPE_MAX ? size : TYPE_MAX - 1);
    char type[TYPE_MAX] = "", boundary[MULTIPART_BOUNDARY_MAX + 1];

    if (size == 0 || line == NULL)
        return 0;
    memcpy(type, bytes, (size_t)(line - bytes));
    if (multipart_boundary(type, boundary)) {
        must(strlen(boundary) >= 1 && strlen(boundary) <= MULTIPART_BOUNDARY_MAX);
        parse(boundary, line + 1, size - (size_t)(line + 1 - bytes));
    }
    return 0;
}
