/*
 * A persistent team of threads that work together on one loop at a time ("parallel for").
 *
 * The team hands out items in ascending order to whichever thread is free. Kernels make every item
 * an independent piece of output, so the number of threads never changes a result.
 */
#ifndef VGG_CORE_BASE_TEAM_H
#define VGG_CORE_BASE_TEAM_H

#include <stddef.h>

#include "vgg.h"

enum { VGG_TEAM_THREADS_MAX = 0xffff };

struct vgg_team;

/* One item of a loop. `thread` < vgg_team_threads() is for indexing per-thread scratch. */
typedef void vgg_team_fn(void *context, size_t item, unsigned thread);

/*
 * Start threads - 1 threads (the caller of vgg_team_run is the last); threads >= 1. Errors:
 * BAD_ARGUMENT (more than VGG_TEAM_THREADS_MAX), NO_MEMORY.
 */
enum vgg_status vgg_team_create(unsigned threads, struct vgg_team **team, struct vgg_error *error);

/* End and join the threads. NULL is allowed. */
void vgg_team_destroy(struct vgg_team *team);

unsigned vgg_team_threads(const struct vgg_team *team);

/*
 * Call fn(context, i, thread) for every i < items, on all threads, and return when all are done.
 * One caller at a time; `fn` must not call it again.
 */
void vgg_team_run(struct vgg_team *team, vgg_team_fn *fn, void *context, size_t items);

#endif
