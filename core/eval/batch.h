/* Jobs, and the choice of the views that share the next pass over the weights. */
#ifndef VGG_CORE_EVAL_BATCH_H
#define VGG_CORE_EVAL_BATCH_H

#include <pthread.h>

#include "eval/views.h"
#include "model/model.h"

enum {
    VGG_BATCH_VIEWS_MAX = 16, /* beyond about 17 positions the FC layers no longer gain */
    VGG_JOB_VIEWS_MAX = 2 * VGG_SCALES_MAX
};

struct vgg_job {
    struct vgg_engine *engine;
    struct vgg_model *model; /* one reference */
    struct vgg_views *views; /* owned */
    struct vgg_job_options options;
    size_t views_n;
    double *scores;   /* [views_n][classes]: logits, then posteriors */
    float *posterior; /* [classes], then [views_n][classes] for the single views */
    uint64_t submitted_ns;
    uint64_t started_ns; /* first pass; 0: none yet */
    uint32_t begun;      /* bit i: view i has been given to a pass */
    size_t left;         /* views not yet computed */
    enum vgg_status status;
    bool done;
    pthread_cond_t finished;
    struct vgg_job *next; /* queue of jobs with views not yet begun */
};

/* Views of one shape and one model, in the order of their jobs. */
struct vgg_batch {
    size_t n;
    struct {
        struct vgg_job *job;
        size_t view;
    } items[VGG_BATCH_VIEWS_MAX];
    const struct vgg_model *model;
    struct vgg_shape shape;
};

/*
 * The first view not yet begun of the first job of `queue`, and every other one of its shape and
 * model behind it, as long as the batch holds no more than pixels_max pixels. Marks them begun.
 */
void vgg_batch_gather(struct vgg_batch *batch, struct vgg_job *queue, uint64_t pixels_max);

/* Have all views of a job been given to a pass? */
bool vgg_job_all_begun(const struct vgg_job *job);

#endif
