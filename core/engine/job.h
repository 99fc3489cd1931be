/* One image's views on their way through an engine. */
#ifndef VGG_CORE_ENGINE_JOB_H
#define VGG_CORE_ENGINE_JOB_H

#include <pthread.h>

#include "engine/views.h"
#include "model/model.h"

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
    /* Predicted work of the whole request, in pixels of a crop's cost, so that models compare. */
    uint64_t rank;
    double *scores;        /* [views_n][classes]: logits, then posteriors */
    struct vgg_maps *maps; /* owned; NULL unless asked for */
    float *posterior;      /* [classes], then [views_n][classes] for the single views */
    double *view_features; /* [views_n][features]; NULL unless wanted */
    float *features;       /* [features]; NULL unless wanted */
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

/* Takes the views only when it succeeds; NULL: out of memory. vgg_job_destroy is its end. */
struct vgg_job *vgg_job_create(struct vgg_engine *engine, struct vgg_model *model,
                               struct vgg_views *views, const struct vgg_job_options *options);

/*
 * Take the means of one view over its positions: logits[classes] and, if the job keeps them,
 * features. False where the posterior is not finite (a broken model); an infinite feature would
 * leave no logit finite.
 */
bool vgg_job_take(struct vgg_job *job, size_t view, const double *logits, const double *features);

/* Turn what the single views gave into posteriors, theirs and the job's, and its features. */
void vgg_job_average(struct vgg_job *job);

/*
 * The features of one view of a finished job that asked for them, in double; NULL for a view there
 * is none of. Views count as for vgg_job_view_posterior.
 */
const double *vgg_job_view_features(const struct vgg_job *job, size_t view);

/* Have all views of a job been given to a pass? */
bool vgg_job_all_begun(const struct vgg_job *job);

#endif
