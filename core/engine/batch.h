/* The choice of the views that share the next pass over the weights. */
#ifndef VGG_CORE_ENGINE_BATCH_H
#define VGG_CORE_ENGINE_BATCH_H

#include "engine/job.h"

enum {
    VGG_BATCH_VIEWS_MAX = 16, /* beyond about 17 positions the FC layers no longer gain */
    /*
     * How much work others may have done first, as a multiple of one's own: of the oldest job's
     * next pass, or of a pass between whose layers they run.
     */
    VGG_BATCH_PAST = 4
};

/* Views of one shape and one model. */
struct vgg_batch {
    size_t n;
    struct {
        struct vgg_job *job;
        size_t view;
    } items[VGG_BATCH_VIEWS_MAX];
    const struct vgg_model *model;
    struct vgg_shape shape;
};

/* What a batch may hold at most. */
struct vgg_batch_limits {
    uint64_t rank;        /* of a job; UINT64_MAX but between the layers of a pass */
    uint64_t pixels;      /* of the batch */
    uint64_t pass_pixels; /* of a batch that is not between layers */
};

/*
 * The job of `queue` whose turn it is: the first one of up to twice the least predicted work, so
 * that a small picture does not wait for a panorama, and equals go in order; but the oldest job as
 * soon as VGG_BATCH_PAST times the work of its next pass was done past it. So a fifth of the work,
 * give or take a pass, is done in order of arrival. No job starves: when it ends, at most five
 * times the work of the jobs up to it has been done, and four times the work of its last pass,
 * between whose layers others may have run. NULL: there is none, or it is beyond the limits.
 */
struct vgg_job *vgg_batch_lead(struct vgg_job *queue, const struct vgg_batch_limits *limits,
                               uint64_t overtaken_macs);

/*
 * The first view of `lead` not yet begun, and every other one of its shape and model, first of the
 * same job, then along `queue`, within the limits. Marks them begun, and counts in *overtaken_macs
 * the work done past the oldest job, less what was done of it since.
 */
void vgg_batch_gather(struct vgg_batch *batch, struct vgg_job *lead, struct vgg_job *queue,
                      const struct vgg_batch_limits *limits, uint64_t *overtaken_macs);

#endif
