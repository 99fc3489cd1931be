/* The choice of the next job, and gathering views of equal shape. */
#include "engine/batch.h"

#include <assert.h>

static struct vgg_shape view_shape(const struct vgg_job *job, size_t view)
{
    struct vgg_view part = vgg_views_get(job->views, view);

    return (struct vgg_shape){1, 3, part.height, part.width};
}

static size_t next_view(const struct vgg_job *job)
{
    size_t view = 0;

    assert(job->begun < job->views_n);
    while (job->progress[view].begun)
        view++;
    return view;
}

static bool fits_pass(const struct vgg_job *job, size_t view, const struct vgg_model *model,
                      struct vgg_shape shape)
{
    struct vgg_shape own = view_shape(job, view);

    return job->model == model && !job->progress[view].begun && own.h == shape.h &&
           own.w == shape.w;
}

/* ---------------------------------------------------------------- choosing ------------------- */

/* Views of this shape that a pass can hold. */
static size_t pass_views(struct vgg_shape shape, uint64_t pixels_max)
{
    uint64_t views = pixels_max / ((uint64_t)shape.h * shape.w);

    return views < VGG_BATCH_VIEWS_MAX ? (size_t)views : VGG_BATCH_VIEWS_MAX;
}

/* Work of a job's own views in its next pass. */
static uint64_t next_pass_macs(const struct vgg_job *job, uint64_t pixels_max)
{
    struct vgg_shape shape = view_shape(job, next_view(job));
    size_t left = pass_views(shape, pixels_max);
    uint64_t macs = 0;

    for (size_t view = 0; view < job->views_n && left > 0; view++)
        if (fits_pass(job, view, job->model, shape)) {
            macs += job->progress[view].macs;
            left--;
        }
    return macs;
}

/* Could a batch within the limits begin with this job's next view? */
static bool is_within(const struct vgg_job *job, const struct vgg_batch_limits *limits)
{
    struct vgg_shape shape = view_shape(job, next_view(job));

    return job->rank <= limits->rank && (uint64_t)shape.h * shape.w <= limits->pixels;
}

struct vgg_job *vgg_batch_lead(struct vgg_job *queue, const struct vgg_batch_limits *limits,
                               uint64_t overtaken_macs)
{
    struct vgg_job *lead = queue;
    uint64_t most = limits->rank;

    for (struct vgg_job *job = queue; job != NULL; job = job->next)
        if (job->rank < most / 2)
            most = 2 * job->rank;
    while (lead != NULL && lead->rank > most)
        lead = lead->next;
    if (lead != queue &&
        overtaken_macs / VGG_BATCH_PAST >= next_pass_macs(queue, limits->pass_pixels))
        lead = queue;
    return lead != NULL && is_within(lead, limits) ? lead : NULL;
}

/* ---------------------------------------------------------------- gathering ------------------ */

/* Add what fits of one job. */
static void take(struct vgg_batch *batch, struct vgg_job *job, size_t fit)
{
    for (size_t view = 0; view < job->views_n && batch->n < fit; view++)
        if (fits_pass(job, view, batch->model, batch->shape)) {
            job->progress[view].begun = true;
            job->begun++;
            batch->items[batch->n].job = job;
            batch->items[batch->n].view = view;
            batch->n++;
        }
}

/* What shares a pass with the oldest job is not done past it. */
static void count(const struct vgg_batch *batch, const struct vgg_job *oldest,
                  uint64_t *overtaken_macs)
{
    uint64_t own = 0, others = 0, made_up;

    for (size_t i = 0; i < batch->n; i++) {
        const struct vgg_job *job = batch->items[i].job;

        *(job == oldest ? &own : &others) += job->progress[batch->items[i].view].macs;
    }
    made_up = VGG_BATCH_PAST * own;
    if (own == 0)
        *overtaken_macs += others;
    else
        *overtaken_macs -= made_up < *overtaken_macs ? made_up : *overtaken_macs;
}

void vgg_batch_gather(struct vgg_batch *batch, struct vgg_job *lead, struct vgg_job *queue,
                      const struct vgg_batch_limits *limits, uint64_t *overtaken_macs)
{
    struct vgg_shape shape = view_shape(lead, next_view(lead));
    size_t fit = pass_views(shape, limits->pixels);

    assert(fit >= 1);
    *batch = (struct vgg_batch){.model = lead->model, .shape = shape};
    take(batch, lead, fit);
    for (struct vgg_job *job = queue; job != NULL; job = job->next)
        if (job->rank <= limits->rank)
            take(batch, job, fit);
    batch->shape.n = (uint32_t)batch->n;
    count(batch, queue, overtaken_macs);
}
