/* A job: what an engine keeps of it, and what its owner reads of it afterwards. */
#include "engine/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/maps.h"
#include "engine/posterior.h"
#include "vgg_typicality.h"

/* What the scheduler goes by. */
static void predict(struct vgg_job *job, const struct vgg_net *net)
{
    uint32_t crop = vgg_net_crop(net);
    uint64_t macs = 0;

    for (size_t view = 0; view < job->views_n; view++) {
        struct vgg_view part = vgg_views_get(job->views, view);

        job->progress[view].macs = vgg_net_macs(net, part.height, part.width);
        macs += job->progress[view].macs;
    }
    if (job->options.macs > macs)
        macs = job->options.macs;
    job->rank = (uint64_t)((double)macs / (double)vgg_net_macs(net, crop, crop) * crop * crop);
}

/* Does it have typicality? Then features are kept for it. */
static bool has_typicality(const struct vgg_job *job, const struct vgg_model *model,
                           const struct vgg_views *views)
{
    return job->options.typicality && model->typicality.known_n != 0 &&
           vgg_views_are(views, model->info.scales, model->info.scales_n);
}

struct vgg_job *vgg_job_create(struct vgg_engine *engine, struct vgg_model *model,
                               struct vgg_views *views, const struct vgg_job_options *options)
{
    struct vgg_job *job = vgg_calloc(1, sizeof *job);
    size_t classes = model->net.classes, features = vgg_net_features(&model->net);
    bool keep_features;

    if (job == NULL)
        return NULL;
    job->engine = engine;
    job->views_n = vgg_views_count(views);
    assert(job->views_n >= 1);
    job->left = job->views_n;
    if (options != NULL)
        job->options = *options;
    job->options.typicality = has_typicality(job, model, views);
    keep_features = job->options.features || job->options.typicality;
    job->submitted_ns = vgg_now_ns();
    job->progress = vgg_calloc(job->views_n, sizeof *job->progress);
    job->scores = vgg_alloc(job->views_n * classes, sizeof *job->scores);
    job->posterior = vgg_alloc((job->views_n + 1) * classes, sizeof *job->posterior);
    if (job->options.maps)
        job->maps = vgg_maps_create(&model->net, views);
    if (keep_features) {
        job->view_features = vgg_alloc(job->views_n * features, sizeof *job->view_features);
        job->features = vgg_alloc(features, sizeof *job->features);
    }
    pthread_cond_init(&job->finished, NULL);
    if (job->progress == NULL || job->scores == NULL || job->posterior == NULL ||
        (job->options.maps && job->maps == NULL) ||
        (keep_features && (job->view_features == NULL || job->features == NULL))) {
        vgg_job_destroy(job);
        return NULL;
    }
    job->model = vgg_model_retain(model);
    job->views = views;
    predict(job, &model->net);
    return job;
}

enum vgg_status vgg_job_verdict(const struct vgg_job_options *options, uint64_t now_ns)
{
    if (options->cancelled != NULL && options->cancelled(options->user))
        return VGG_CANCELLED;
    if (options->deadline_ns != 0 && now_ns >= options->deadline_ns)
        return VGG_DEADLINE;
    return VGG_OK;
}

bool vgg_job_take(struct vgg_job *job, size_t view, const double *logits, const double *features)
{
    size_t classes = job->model->net.classes, features_n = vgg_net_features(&job->model->net);
    double *row = job->scores + view * classes;

    memcpy(row, logits, classes * sizeof *row);
    if (job->features != NULL)
        memcpy(job->view_features + view * features_n, features, features_n * sizeof *features);
    return vgg_softmax(row, classes);
}

void vgg_job_average(struct vgg_job *job)
{
    const uint32_t *order = vgg_views_order(job->views);
    size_t classes = job->model->net.classes, asked = vgg_views_asked(job->views);

    vgg_mean_rows(job->scores, order, asked, classes, job->posterior);
    if (job->features != NULL)
        vgg_mean_rows(job->view_features, order, asked, vgg_net_features(&job->model->net),
                      job->features);
    for (size_t view = 0; view < job->views_n; view++)
        vgg_mean_rows(job->scores + view * classes, NULL, 1, classes,
                      job->posterior + (view + 1) * classes);
}

bool vgg_job_all_begun(const struct vgg_job *job)
{
    return job->begun == job->views_n;
}

/* ---------------------------------------------------------------- its owner's ---------------- */

uint64_t vgg_job_wait_ns(const struct vgg_job *job)
{
    return job->started_ns != 0 ? job->started_ns - job->submitted_ns : 0;
}

uint64_t vgg_job_run_ns(const struct vgg_job *job)
{
    return job->started_ns != 0 ? job->finished_ns - job->started_ns : 0;
}

const float *vgg_job_posterior(const struct vgg_job *job)
{
    return job->posterior;
}

size_t vgg_job_view_count(const struct vgg_job *job)
{
    return vgg_views_asked(job->views);
}

const float *vgg_job_view_posterior(const struct vgg_job *job, size_t view)
{
    if (view >= vgg_job_view_count(job))
        return NULL;
    return job->posterior + (vgg_views_find(job->views, view) + 1) * job->model->net.classes;
}

const struct vgg_score_map *vgg_job_map(const struct vgg_job *job, size_t view)
{
    if (job->maps == NULL || view >= vgg_job_view_count(job))
        return NULL;
    return vgg_maps_get(job->maps, vgg_views_find(job->views, view));
}

const float *vgg_job_features(const struct vgg_job *job)
{
    return job->options.features ? job->features : NULL;
}

bool vgg_job_typicality(const struct vgg_job *job, double *p)
{
    const struct vgg_typicality *typicality = &job->model->typicality;

    if (!job->options.typicality)
        return false;
    *p = vgg_typicality_p(typicality, vgg_typicality_distance(typicality, job->features));
    return true;
}

const double *vgg_job_view_features(const struct vgg_job *job, size_t view)
{
    if (job->view_features == NULL || view >= vgg_job_view_count(job))
        return NULL;
    return job->view_features +
           vgg_views_find(job->views, view) * vgg_net_features(&job->model->net);
}

void vgg_job_destroy(struct vgg_job *job)
{
    if (job == NULL)
        return;
    vgg_views_destroy(job->views);
    vgg_model_release(job->model);
    pthread_cond_destroy(&job->finished);
    free(job->progress);
    free(job->scores);
    free(job->maps);
    free(job->posterior);
    free(job->view_features);
    free(job->features);
    free(job);
}
