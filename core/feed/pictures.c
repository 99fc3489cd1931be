/* A few jobs are always at the engine, so that it can batch. */
#include "feed/pictures.h"

#include "base/error.h"
#include "data/sample.h"

enum { FLIGHTS = 16 };

static enum vgg_status submit(const struct vgg_pictures *pictures,
                              const struct vgg_example *example, struct vgg_job **job,
                              struct vgg_error *error)
{
    struct vgg_image *read = NULL;
    struct vgg_views *views = NULL;
    struct vgg_error reason = {0};
    enum vgg_status status = VGG_OK;

    if (example->image == NULL)
        status = vgg_example_read(example, &read, error);
    if (status != VGG_OK)
        return status;
    status =
        vgg_views_create(read != NULL ? read : example->image, pictures->request, &views, &reason);
    if (status == VGG_OK)
        status = vgg_engine_submit(pictures->engine, pictures->model, views, NULL, job, &reason);
    if (status != VGG_OK) {
        vgg_views_destroy(views);
        vgg_fail(error, status, "%s: %s", example->path, reason.text);
    }
    vgg_image_destroy(read);
    return status;
}

static enum vgg_status land(const struct vgg_pictures *pictures, size_t picture,
                            struct vgg_job *job, bool wanted, struct vgg_error *error)
{
    enum vgg_status status = vgg_job_wait(job, error);

    if (status == VGG_OK && wanted &&
        !pictures->take(pictures->user, picture, vgg_job_posterior(job)))
        status = vgg_fail(error, VGG_CANCELLED, "stopped");
    vgg_job_destroy(job);
    return status;
}

double vgg_pictures_macs(const struct vgg_net *net, const struct vgg_dataset *dataset,
                         uint32_t scale)
{
    double macs = 0;

    for (size_t i = 0; i < dataset->examples_n; i++) {
        const struct vgg_example *example = &dataset->examples[i];
        uint64_t width, height;

        vgg_image_scaled_size(example->width, example->height, scale, &width, &height);
        macs += (double)vgg_net_macs(net, (uint32_t)height, (uint32_t)width);
    }
    return macs;
}

enum vgg_status vgg_pictures_evaluate(const struct vgg_pictures *pictures, struct vgg_error *error)
{
    const struct vgg_dataset *dataset = pictures->dataset;
    struct vgg_job *jobs[FLIGHTS] = {NULL};
    enum vgg_status status = VGG_OK;
    size_t n = dataset->examples_n;

    for (size_t i = 0; i < n + FLIGHTS; i++) {
        struct vgg_job **job = &jobs[i % FLIGHTS];

        if (*job != NULL) {
            enum vgg_status landed = land(pictures, i - FLIGHTS, *job, status == VGG_OK, error);

            *job = NULL;
            status = status == VGG_OK ? landed : status;
        }
        if (i < n && status == VGG_OK)
            status = submit(pictures, &dataset->examples[i], job, error);
    }
    return status;
}
