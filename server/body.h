/*
 * The body of a request while it arrives: its files behind each other in one block that grows with
 * what has been received, within a budget that all requests share.
 */
#ifndef BODY_H
#define BODY_H

#include <stdatomic.h>

#include "http.h"

/* Bytes held by all bodies. */
struct body_budget {
    atomic_size_t used;
    size_t max;
};

struct body {
    struct body_budget *budget;
    enum http_body state;
    const char *error; /* of HTTP_BODY_BAD; static storage */
    uint8_t *bytes;
    size_t size, capacity;
    struct http_part *parts; /* [parts_max]; only sizes until body_finish */
    size_t parts_n, parts_max;
};

/* Start an empty body; without memory it is HTTP_BODY_NO_MEMORY at once. */
void body_init(struct body *body, struct body_budget *budget, size_t parts_max);
void body_fini(struct body *body);

/* Is what arrives still worth keeping? */
bool body_kept(const struct body *body);

/* Forget what was collected; what follows is dropped. */
void body_drop(struct body *body, enum http_body reason, const char *error);

/* Begin a part; one too many makes the body HTTP_BODY_MANY. */
void body_begin_part(struct body *body);

/* Append to the last part. */
void body_append(struct body *body, const void *bytes, size_t size);

/* The body is whole: point the parts at their bytes. */
void body_finish(struct body *body);

#endif
