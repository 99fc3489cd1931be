/* Crops for a base and for a network that is narrower. */
#include "narrow/crops.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* Floats of a channel. */
static size_t channel_of(uint32_t crop)
{
    return (size_t)crop * crop;
}

enum vgg_status vgg_crops_init(struct vgg_crops *crops, struct vgg_error *error)
{
    size_t bytes = 3 * channel_of(crops->sampling->crop) * sizeof(float);
    size_t n = crops->pictures->examples_n;

    crops->order = vgg_alloc(n, sizeof *crops->order);
    crops->inputs = vgg_alloc_aligned(crops->batch, bytes);
    crops->base_inputs = vgg_alloc_aligned(crops->batch, bytes);
    if (crops->order == NULL || crops->inputs == NULL || crops->base_inputs == NULL)
        return vgg_fail_memory(error);
    vgg_sample_order(crops->sampling->seed, 0, crops->order, n);
    return VGG_OK;
}

void vgg_crops_fini(struct vgg_crops *crops)
{
    free(crops->order);
    free(crops->inputs);
    free(crops->base_inputs);
    *crops = (struct vgg_crops){.order = NULL};
}

uint64_t vgg_crops_bytes(uint32_t crop, size_t batch)
{
    return 2 * vgg_mapped_bytes(batch * 3 * channel_of(crop) * sizeof(float));
}

/* From one mean and deviation to another's, and from RGB to the base's order. */
static void convert(const struct vgg_crops *crops, const float *input, float *out)
{
    const struct vgg_dataset *own = crops->pictures;
    const struct vgg_model_info *base = crops->base;
    bool bgr = strcmp(base->channels, "BGR") == 0;
    size_t channel = channel_of(crops->sampling->crop);

    for (size_t c = 0; c < 3; c++) {
        size_t from = bgr ? 2 - c : c;
        float scale = (float)(own->std[from] / base->std[c]);
        float shift = (float)((own->mean[from] - base->mean[c]) / base->std[c]);

        for (size_t i = 0; i < channel; i++)
            out[c * channel + i] = scale * input[from * channel + i] + shift;
    }
}

struct draw_loop {
    struct vgg_crops *crops;
    size_t first;
    struct vgg_error *errors; /* [n] */
};

/* Item: a crop. */
static void draw(void *context, size_t item, unsigned thread)
{
    const struct draw_loop *loop = context;
    const struct vgg_crops *crops = loop->crops;
    size_t number = loop->first + item, n = crops->pictures->examples_n;
    size_t at = item * 3 * channel_of(crops->sampling->crop);

    (void)thread;
    if (vgg_sample(crops->pictures, crops->sampling, crops->order[number % n], number / n,
                   crops->inputs + at, &loop->errors[item]) == VGG_OK)
        convert(crops, crops->inputs + at, crops->base_inputs + at);
}

enum vgg_status vgg_crops_draw(struct vgg_crops *crops, struct vgg_team *team, size_t first,
                               size_t n, struct vgg_error *error)
{
    struct draw_loop loop = {crops, first, vgg_calloc(n, sizeof *loop.errors)};
    enum vgg_status status = VGG_OK;

    if (loop.errors == NULL)
        return vgg_fail_memory(error);
    vgg_team_run(team, draw, &loop, n);
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        if (loop.errors[i].status != VGG_OK)
            status = vgg_fail(error, loop.errors[i].status, "%s", loop.errors[i].text);
    free(loop.errors);
    return status;
}
