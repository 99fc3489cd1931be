/* Growing bodies. */
#include "http/body.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 64 << 10 }; /* of the block; it doubles from there */

void body_init(struct body *body, struct body_budget *budget)
{
    *body = (struct body){.budget = budget};
}

void body_fini(struct body *body)
{
    if (body->budget != NULL)
        atomic_fetch_sub(&body->budget->used, body->capacity);
    free(body->bytes);
    body->bytes = NULL;
    body->size = body->capacity = 0;
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
    if (body->starved || size == 0)
        return;
    if (!reserve(body, body->size + size)) {
        body_fini(body);
        body->starved = true;
        return;
    }
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
}
