/* Growing bodies. */
#include "body.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 64 << 10 }; /* of the block; it doubles from there */

void body_init(struct body *body, struct body_budget *budget, size_t parts_max)
{
    *body = (struct body){.budget = budget, .parts_max = parts_max};
    body->parts = calloc(parts_max, sizeof *body->parts);
    if (body->parts == NULL)
        body_drop(body, HTTP_BODY_NO_MEMORY, NULL);
}

void body_fini(struct body *body)
{
    if (body->budget != NULL)
        atomic_fetch_sub(&body->budget->used, body->capacity);
    free(body->bytes);
    free(body->parts);
    *body = (struct body){0};
}

bool body_kept(const struct body *body)
{
    return body->state == HTTP_BODY_PLAIN || body->state == HTTP_BODY_MULTIPART;
}

void body_drop(struct body *body, enum http_body reason, const char *error)
{
    body->state = reason;
    body->error = error;
    body->parts_n = 0;
    atomic_fetch_sub(&body->budget->used, body->capacity);
    free(body->bytes);
    body->bytes = NULL;
    body->size = body->capacity = 0;
}

void body_begin_part(struct body *body)
{
    if (!body_kept(body))
        return;
    if (body->parts_n == body->parts_max)
        body_drop(body, HTTP_BODY_MANY, NULL);
    else
        body->parts[body->parts_n++] = (struct http_part){0};
}

/* Room for `need` bytes within the budget. */
static bool reserve(struct body *body, size_t need)
{
    size_t capacity = body->capacity != 0 ? body->capacity : FIRST_BYTES, added;
    uint8_t *bytes = NULL;

    if (need <= body->capacity)
        return true;
    while (capacity < need)
        capacity *= 2;
    added = capacity - body->capacity;
    if (atomic_fetch_add(&body->budget->used, added) + added <= body->budget->max)
        bytes = realloc(body->bytes, capacity);
    if (bytes == NULL) {
        atomic_fetch_sub(&body->budget->used, added);
        return false;
    }
    body->bytes = bytes;
    body->capacity = capacity;
    return true;
}

void body_append(struct body *body, const void *bytes, size_t size)
{
    if (!body_kept(body) || size == 0)
        return;
    if (!reserve(body, body->size + size)) {
        body_drop(body, HTTP_BODY_NO_MEMORY, NULL);
        return;
    }
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
    body->parts[body->parts_n - 1].size += size;
}

void body_finish(struct body *body)
{
    size_t offset = 0;

    for (size_t i = 0; i < body->parts_n; i++) {
        body->parts[i].bytes = body->bytes + offset;
        offset += body->parts[i].size;
    }
}
