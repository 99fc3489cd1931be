/*
 * The body of a request while it arrives: one block that grows with what has been received, within
 * a budget that all requests share.
 */
#ifndef BODY_H
#define BODY_H

#include <stdatomic.h>

#include "vgg.h"

/* Bytes held by all bodies. */
struct body_budget {
    atomic_size_t used;
    size_t max;
};

struct body {
    struct body_budget *budget;
    uint8_t *bytes;
    size_t size, capacity;
    bool starved; /* there was no memory for all of it; nothing is kept */
};

void body_init(struct body *body, struct body_budget *budget);

/* Free the bytes. A zeroed body is allowed. */
void body_fini(struct body *body);

/* Append, unless it is starved. */
void body_append(struct body *body, const void *bytes, size_t size);

#endif
