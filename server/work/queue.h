/*
 * Admission, and where a request waits while it is not in the engine: to be decoded, then to be
 * answered. It is bounded by predicted work: a request is admitted when the work ahead of it, at
 * the measured speeds, takes no longer than the limit. An empty queue admits anything.
 *
 *     network thread -> queue_try_push -> [SMALL or LARGE] -> queue_pop: decode, submit
 *         -> engine: queue_progress -> queue_computed -> [ANSWER] -> queue_pop: encode, send
 *         -> queue_finish
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "vgg.h"

enum queue_lane {
    QUEUE_SMALL,  /* decoded in little time */
    QUEUE_LARGE,  /* all others: those must not wait for them */
    QUEUE_ANSWER, /* computed, or given up */
    QUEUE_LANES
};

/* A request; embed it as the first member. */
struct queue_item {
    /* Set before queue_try_push. */
    enum queue_lane lane; /* SMALL or LARGE */
    uint64_t model;       /* identifies the model, each has a speed of its own */
    uint64_t macs;        /* predicted work of the engine */
    uint64_t decode;      /* predicted work before, as in vgg_image_info */
    uint64_t bytes;       /* held from decoding to the end */

    /* The queue's own. */
    uint64_t left_macs;
    size_t speed;
    bool begun;
    struct queue_item *next;
};

struct queue;

struct queue_options {
    uint64_t ahead_ns_max; /* predicted work ahead of an admitted item */
    uint64_t bytes_max;    /* held at a time by the items of a decoding lane, or by one of them */
    unsigned workers[2];   /* that decode items of the lanes SMALL and LARGE */
    /* Is an item not worth its work any more? Such items are popped first. Thread-safe. */
    bool (*dead)(const struct queue_item *item);
};

/* NULL when out of memory. */
struct queue *queue_create(const struct queue_options *options);

/* It must be empty. NULL is allowed. */
void queue_destroy(struct queue *queue);

/* Admit. False where it is full (then *retry_after_s says when to try again) or closed. */
bool queue_try_push(struct queue *queue, struct queue_item *item, unsigned *retry_after_s);

/*
 * Take from a lane; waits for one. From SMALL and LARGE that of least work, but the oldest as soon
 * as as much was taken past it; from ANSWER the oldest. NULL when the queue is closed and none can
 * come any more.
 */
struct queue_item *queue_pop(struct queue *queue, enum queue_lane lane);

/* A popped item was decoded in `duration_ns`; 0: not, or not all of it. */
void queue_decoded(struct queue *queue, struct queue_item *item, uint64_t duration_ns);

/* The engine has done `macs` of an item. */
void queue_progress(struct queue *queue, struct queue_item *item, uint64_t macs);

/* Hand an item on to ANSWER. */
void queue_computed(struct queue *queue, struct queue_item *item);

/* An item popped from ANSWER is done with. */
void queue_finish(struct queue *queue, struct queue_item *item);

/* Nothing is admitted any more; pops return NULL once nothing is left for them. */
void queue_close(struct queue *queue);

/* The engine did `macs` of a model in `duration_ns`: what predictions are made from. */
void queue_measured(struct queue *queue, uint64_t model, uint64_t macs, uint64_t duration_ns);

struct queue_state {
    size_t depth;  /* items of which nothing is computed yet */
    double cost_s; /* predicted work of all items that is not done yet */
};

struct queue_state queue_get_state(struct queue *queue);

#endif
