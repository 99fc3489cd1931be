/*
 * Least squares take sixteen rows for each weight of a unit, and the choice of channels a hundred
 * crops or more.
 */
#include "narrow/cost.h"

#include "base/mem.h"
#include "narrow/crops.h"
#include "narrow/gram.h"
#include "narrow/places.h"
#include "narrow/stack.h"

enum {
    ROWS_PER_INPUT = 16,
    ROWS_MAX = 1 << 15,
    CROPS_MIN = 128,
    BATCH_MAX = 16,
    BATCH_PIXELS = 4 * 224 * 224, /* or a single crop */
    DOUBLE = 4                    /* times a multiply-accumulate of floats */
};

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Of one crop, after so many layers. */
static struct vgg_shape map_after(const struct vgg_net *net, uint32_t crop, size_t layers)
{
    struct vgg_shape shape = {1, 3, crop, crop};

    for (size_t i = 0; i < layers; i++)
        shape = vgg_conv_output(&net->layers[i].conv, shape);
    return shape;
}

size_t vgg_narrow_inputs(const struct vgg_conv *conv)
{
    return (size_t)conv->in * conv->kernel * conv->kernel;
}

static size_t largest_inputs(const struct vgg_net *net)
{
    size_t inputs = 0;

    for (size_t i = 0; i < net->arch->convs_n; i++)
        inputs = most(inputs, vgg_narrow_inputs(&net->layers[i].conv));
    return inputs;
}

/* Every layer, the last too, whose map has the fewest places, is fitted to rows enough. */
struct vgg_narrow_sizes vgg_narrow_sizes(const struct vgg_net *net, uint32_t crop)
{
    const struct vgg_shape last = map_after(net, crop, net->arch->convs_n - 1);
    size_t rows = vgg_min_size(ROWS_PER_INPUT * largest_inputs(net), ROWS_MAX);
    size_t places = vgg_min_size((size_t)last.h * last.w, VGG_PLACES_MAX);
    size_t crops = most(vgg_ceil_div(rows, places), CROPS_MIN);
    size_t batch = vgg_min_size(BATCH_PIXELS / ((size_t)crop * crop), BATCH_MAX);

    return (struct vgg_narrow_sizes){crops, most(batch, 1), vgg_ceil_div(rows, crops)};
}

size_t vgg_narrow_rows(const struct vgg_net *net, uint32_t crop, size_t layer)
{
    const struct vgg_narrow_sizes sizes = vgg_narrow_sizes(net, crop);
    const struct vgg_shape map = map_after(net, crop, layer);

    return sizes.crops * vgg_min_size((size_t)map.h * map.w, sizes.places);
}

size_t vgg_narrow_batch_floats(const struct vgg_narrow_sizes *sizes, const struct vgg_net *base)
{
    return sizes->batch * sizes->places * largest_inputs(base);
}

/* ---------------------------------------------------------------- memory --------------------- */

/* Of a base's layer: its weights, those of the channels chosen, what these are, the covariance. */
static uint64_t layer_bytes(const struct vgg_conv *wide, const struct vgg_conv *narrow, size_t rows,
                            unsigned threads)
{
    size_t inputs = vgg_narrow_inputs(wide);

    return vgg_mapped_bytes(wide->out * inputs * sizeof(float)) +
           vgg_mapped_bytes(narrow->out * (inputs + 2) * sizeof(float)) +
           vgg_mapped_bytes(rows * narrow->out * sizeof(float)) +
           vgg_gram_bytes(wide->out, 0, threads);
}

uint64_t vgg_narrow_bytes(const struct vgg_net *base, const struct vgg_net *net, uint32_t crop,
                          unsigned threads)
{
    const struct vgg_narrow_sizes sizes = vgg_narrow_sizes(net, crop);
    const struct vgg_shape in = {(uint32_t)sizes.batch, 3, crop, crop};
    uint64_t gram = 0;
    uint64_t bytes = vgg_crops_bytes(crop, sizes.batch) +
                     vgg_stack_bytes(base, net->kernels, in, threads) +
                     vgg_stack_bytes(net, net->kernels, in, threads) +
                     vgg_mapped_bytes(vgg_narrow_batch_floats(&sizes, base) * sizeof(float));

    for (size_t i = 0; i < net->arch->convs_n; i++) {
        const struct vgg_conv *conv = &net->layers[i].conv;
        uint64_t own = vgg_gram_bytes(vgg_narrow_inputs(conv), conv->out, threads);

        bytes += layer_bytes(&base->layers[i].conv, conv, vgg_narrow_rows(net, crop, i), threads);
        gram = own > gram ? own : gram;
    }
    return bytes + gram;
}

/* ---------------------------------------------------------------- time ----------------------- */

double vgg_narrow_pass_macs(const struct vgg_net *net, const struct vgg_narrow_sizes *sizes,
                            uint32_t crop, size_t layers)
{
    double macs = 0;

    for (size_t i = 0; i < layers; i++) {
        const struct vgg_shape map = map_after(net, crop, i);

        macs += (double)vgg_layer_weights(&net->layers[i]) * map.h * map.w;
    }
    return macs * (double)sizes->crops;
}

double vgg_narrow_fit_macs(const struct vgg_net *net, uint32_t crop, size_t layer)
{
    const struct vgg_conv *conv = &net->layers[layer].conv;
    double n = (double)vgg_narrow_inputs(conv), rows = (double)vgg_narrow_rows(net, crop, layer);

    return rows * n * (n / 2 + conv->out) + DOUBLE * n * n * (n / 6 + conv->out);
}

double vgg_narrow_macs(const struct vgg_net *base, const struct vgg_net *net, uint32_t crop)
{
    const struct vgg_narrow_sizes sizes = vgg_narrow_sizes(net, crop);
    double macs = 2 * vgg_narrow_pass_macs(base, &sizes, crop, base->arch->convs_n);

    for (size_t i = 0; i < net->arch->convs_n; i++)
        macs += vgg_narrow_pass_macs(net, &sizes, crop, i) + vgg_narrow_fit_macs(net, crop, i);
    return macs;
}
