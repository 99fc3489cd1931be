/*
 * The worker threads. Some decode and hand over to the engine, some encode and answer; none waits
 * for the engine, so that whatever is computed leaves them free.
 */
#ifndef WORKERS_H
#define WORKERS_H

#include "work/work.h"

struct workers;

/* How many decode items of the lanes SMALL and LARGE, on a machine of `threads`. */
void workers_plan(unsigned threads, unsigned counts[2]);

/* Errors: NO_MEMORY. */
enum vgg_status workers_create(struct work *work, const unsigned counts[2],
                               struct workers **workers, struct vgg_error *error);

/* Wait for the workers to end; the queue must have been closed. NULL is allowed. */
void workers_destroy(struct workers *workers);

#endif
