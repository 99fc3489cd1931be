/* What the stages of a prediction share: the engine, the queue before it, limits and metrics. */
#ifndef WORK_H
#define WORK_H

#include <stdatomic.h>

#include "ops/metrics.h"
#include "process/options.h"
#include "work/budget.h"
#include "work/queue.h"

/* Limits, and what a request does not say. */
struct work_options {
    struct option_scales scales; /* n 0: the model's */
    bool flip;
    uint32_t top_k;
    uint64_t pixels_max, view_pixels_max;
    uint64_t cost_max; /* MACs; 0: four square photographs at the default scales */
};

struct work {
    const struct work_options *options;
    struct vgg_engine *engine;
    struct queue *queue;
    struct metrics *metrics;
    struct budget decodes; /* pixels of large pictures that are being decoded */
    atomic_bool aborting;  /* what is not answered yet is dropped */
};

#endif
