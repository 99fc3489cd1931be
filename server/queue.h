/*
 * Admission and the queue between the network threads and the workers. It is bounded by predicted
 * work: a request is admitted when the work ahead of it, at the measured speed of the engine, takes
 * no longer than the limit. An empty queue admits anything.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "vgg.h"

/* A unit of work; embed it as the first member. */
struct queue_item {
    uint64_t macs; /* predicted cost */
    struct queue_item *next;
};

struct queue;

/* `ahead_ns_max`: predicted work ahead of an admitted item. NULL when out of memory. */
struct queue *queue_create(uint64_t ahead_ns_max);

/* It must be empty. NULL is allowed. */
void queue_destroy(struct queue *queue);

/* Append. False where it is full (then *retry_after_s says when to try again) or closed. */
bool queue_try_push(struct queue *queue, struct queue_item *item, unsigned *retry_after_s);

/* Take the oldest; waits for one. NULL when the queue is closed and empty. */
struct queue_item *queue_pop(struct queue *queue);

/* The work of a popped item is done (or given up). */
void queue_finish(struct queue *queue, uint64_t macs);

/* Wake all waiting pops; nothing is admitted any more. */
void queue_close(struct queue *queue);

/* The engine did `macs` in `duration_ns`: what predictions are made from. */
void queue_measured(struct queue *queue, uint64_t macs, uint64_t duration_ns);

struct queue_state {
    size_t depth;  /* items waiting */
    double cost_s; /* predicted work of items waiting or being worked on */
};

struct queue_state queue_get_state(struct queue *queue);

#endif
