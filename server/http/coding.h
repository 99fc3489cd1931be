/*
 * Content-Encoding of a request (RFC 9110, 8.4): which coding its headers name, and undoing it,
 * within bounds of memory and time.
 */
#ifndef CODING_H
#define CODING_H

#include "http/body.h"

enum coding {
    CODING_IDENTITY,
    CODING_GZIP,
    CODING_DEFLATE, /* zlib's format, or the bare one that some clients send under that name */
    CODING_UNKNOWN  /* another one, or more than one */
};

#define CODINGS_READ "gzip, deflate"

/* Add what one header says to what those before it said; the first is added to CODING_IDENTITY. */
void coding_add(enum coding *coding, const char *list);

enum coding_result {
    CODING_DONE,
    CODING_CORRUPT, /* *error says why (static storage) */
    CODING_LONG,    /* there are more than bytes_max */
    CODING_NO_MEMORY,
    CODING_STOPPED
};

/*
 * Inflate all of `in` onto the end of `out`; gzip may have several members, and nothing may follow.
 * `stop` is asked again and again whether it is still wanted.
 */
enum coding_result coding_undo(enum coding coding, const struct body *in, struct body *out,
                               size_t bytes_max, bool (*stop)(void *user), void *user,
                               const char **error);

/* Bytes as gzip leaves them, malloc'ed, and how many these are; NULL when out of memory. */
void *coding_gzip(const void *bytes, size_t size, size_t *packed_size);

#endif
