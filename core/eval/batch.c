/* Gathering views of equal shape. */
#include "eval/batch.h"

#include <assert.h>

#include "image/image.h"

bool vgg_job_all_begun(const struct vgg_job *job)
{
    return job->begun == (1U << job->views_n) - 1;
}

static struct vgg_shape view_shape(const struct vgg_job *job, size_t view)
{
    bool mirror;
    const struct vgg_image *image = vgg_views_get(job->views, view, &mirror);

    return (struct vgg_shape){1, 3, image->info.height, image->info.width};
}

static void take(struct vgg_batch *batch, struct vgg_job *job, size_t view)
{
    job->begun |= 1U << view;
    batch->items[batch->n].job = job;
    batch->items[batch->n].view = view;
    batch->n++;
}

/* Start the batch with the first view of `job` that is not begun; it fixes model and shape. */
static void start(struct vgg_batch *batch, struct vgg_job *job)
{
    size_t view = 0;

    while (job->begun >> view & 1U)
        view++;
    assert(view < job->views_n);
    batch->model = job->model;
    batch->shape = view_shape(job, view);
    take(batch, job, view);
}

void vgg_batch_gather(struct vgg_batch *batch, struct vgg_job *queue, uint64_t pixels_max)
{
    uint64_t pixels, fit;

    *batch = (struct vgg_batch){0};
    start(batch, queue);
    pixels = (uint64_t)batch->shape.h * batch->shape.w;
    fit = pixels_max / pixels < VGG_BATCH_VIEWS_MAX ? pixels_max / pixels : VGG_BATCH_VIEWS_MAX;
    for (struct vgg_job *job = queue; job != NULL; job = job->next)
        for (size_t view = 0; view < job->views_n && batch->n < fit; view++) {
            struct vgg_shape shape = view_shape(job, view);

            if (job->model == batch->model && !(job->begun >> view & 1U) &&
                shape.h == batch->shape.h && shape.w == batch->shape.w)
                take(batch, job, view);
        }
    batch->shape.n = (uint32_t)batch->n;
}
