/*
 * Threads that read bodies which take longer than a network thread may be kept: megabytes of JSON,
 * compressed ones. A request comes here before its cost is known, and goes on to the queue.
 */
#ifndef PARSERS_H
#define PARSERS_H

#include "vgg.h"

/* Embed it as the first member. */
struct parser_item {
    struct parser_item *next;
    /* On a parser: takes the item over and answers its request, sooner or later. */
    void (*parse)(struct parser_item *item);
};

struct parsers;

/* Errors: NO_MEMORY. */
enum vgg_status parsers_create(struct parsers **parsers, struct vgg_error *error);

/* Parse what is waiting and end the threads; nothing is taken any more. NULL is allowed. */
void parsers_stop(struct parsers *parsers);

/* Free them, stopped. NULL is allowed. */
void parsers_destroy(struct parsers *parsers);

/* Have it parsed: on a parser at once, by this one. False: too much is waiting, or they stopped. */
bool parsers_try_push(struct parsers *parsers, struct parser_item *item);

#endif
