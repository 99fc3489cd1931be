/* Jobs, and the choice of the views that share the next pass over the weights. */
#ifndef VGG_CORE_EVAL_BATCH_H
#define VGG_CORE_EVAL_BATCH_H

#include <pthread.h>

#include "eval/views.h"
#include "model/model.h"

enum { VGG_BATCH_VIEWS_MAX = 16 }; /* beyond about 17 positions the FC layers no longer gain */

struct vgg_job_view {
    uint64_t macs;
    bool begun; /* given to a pass */
};

struct vgg_job {
    struct vgg_engine *engine;
    struct vgg_model *model; /* one reference */
    struct vgg_views *views; /* owned */
    struct vgg_job_options options;
    size_t views_n;
    struct vgg_job_view *progress; /* [views_n] */
    uint64_t rank;         /* predicted work: its own, or that of the request it is part of */
    double *scores;        /* [views_n][classes]: logits, then posteriors */
    struct vgg_maps *maps; /* owned; NULL unless asked for */
    float *posterior;      /* [classes], then [views_n][classes] for the single views */
    uint64_t number;       /* counts the jobs of an engine */
    uint64_t submitted_ns;
    uint64_t started_ns; /* first pass; 0: none yet */
    uint64_t finished_ns;
    size_t begun; /* views given to a pass */
    size_t left;  /* views not yet computed */
    enum vgg_status status;
    bool done;
    pthread_cond_t finished;
    struct vgg_job *next; /* queue of jobs with views not yet begun, in the order of submission */
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

/*
 * The job of `queue` (not empty) whose turn it is: the one of least predicted work, the first of
 * equals, so that a small picture waits for little more than the pass under way; but the oldest job
 * as soon as twice the work of its next pass was done past it. So at least a third of the work is
 * done in order of arrival, give or take a pass, and every job ends within three times the work of
 * those up to it, whatever else arrives.
 */
struct vgg_job *vgg_batch_lead(struct vgg_job *queue, uint64_t overtaken_macs);

/*
 * The first view of `lead` not yet begun, and every other one of its shape and model, first of the
 * same job, then along `queue`, as long as the batch holds no more than pixels_max pixels. Marks
 * them begun, and counts in *overtaken_macs the work done past the oldest job, less what was done
 * of it since.
 */
void vgg_batch_gather(struct vgg_batch *batch, struct vgg_job *lead, struct vgg_job *queue,
                      uint64_t pixels_max, uint64_t *overtaken_macs);

/* Have all views of a job been given to a pass? */
bool vgg_job_all_begun(const struct vgg_job *job);

#endif
