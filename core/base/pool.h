/*
 * A persistent pool of threads that work together on one loop at a time ("parallel for").
 *
 * The pool hands out items in ascending order to whichever thread is free. Kernels make every item
 * an independent piece of output, so the number of threads never changes a result.
 */
#ifndef VGG_CORE_BASE_POOL_H
#define VGG_CORE_BASE_POOL_H

#include <stddef.h>

#include "vgg.h"

enum { VGG_POOL_THREADS_MAX = 0xffff };

struct vgg_pool;

/* One item of a loop. `thread` < vgg_pool_threads() is for indexing per-thread scratch. */
typedef void vgg_pool_fn(void *context, size_t item, unsigned thread);

/*
 * Start threads - 1 threads (the caller of vgg_pool_run is the last); threads >= 1. Errors:
 * BAD_ARGUMENT (more than VGG_POOL_THREADS_MAX), NO_MEMORY.
 */
enum vgg_status vgg_pool_create(unsigned threads, struct vgg_pool **pool, struct vgg_error *error);

/* End and join the threads. NULL is allowed. */
void vgg_pool_destroy(struct vgg_pool *pool);

unsigned vgg_pool_threads(const struct vgg_pool *pool);

/*
 * Call fn(context, i, thread) for every i < items, on all threads, and return when all are done.
 * One caller at a time; `fn` must not call it again.
 */
void vgg_pool_run(struct vgg_pool *pool, vgg_pool_fn *fn, void *context, size_t items);

#endif
