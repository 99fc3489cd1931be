/* Convolutions in training: the order of the kernels, and batch normalisation's arithmetic. */
#include "backprop/convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "nn/net.h"

/* ---------------------------------------------------------------- memory --------------------- */

static size_t padded(const struct vgg_convolution *layer)
{
    return vgg_ceil_div(layer->conv.out, layer->kernels->lanes) * layer->kernels->lanes;
}

/* Frames are zeroed here, and no kernel of training writes them. */
static float *new_map(const struct vgg_convolution *layer, struct vgg_shape shape)
{
    return vgg_calloc_aligned(layer->kernels->map_bytes(shape), 1);
}

static bool allocate(struct vgg_convolution *layer, bool batch_norm, bool first)
{
    const struct vgg_kernels *kernels = layer->kernels;
    float **const vectors[] = {&layer->scale, &layer->shift,  &layer->centre, &layer->inverse,
                               &layer->slope, &layer->offset, &layer->zeros};
    bool good = true;

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        good =
            (*vectors[i] = vgg_calloc_aligned(padded(layer), sizeof **vectors[i])) != NULL && good;
    if (batch_norm) {
        layer->mean = vgg_calloc_aligned(layer->conv.out, sizeof *layer->mean);
        layer->variance = vgg_calloc_aligned(layer->conv.out, sizeof *layer->variance);
        good = layer->mean != NULL && layer->variance != NULL && good;
    }
    layer->packed = vgg_calloc_aligned(kernels->weights_bytes(&layer->forward), 1);
    layer->zeros_back = vgg_calloc_aligned(layer->conv.in, sizeof *layer->zeros_back);
    layer->y = new_map(layer, layer->unpooled);
    layer->result = new_map(layer, layer->out);
    good = layer->packed != NULL && layer->zeros_back != NULL && layer->y != NULL &&
           layer->result != NULL && good;
    if (!first) {
        layer->packed_back = vgg_calloc_aligned(kernels->weights_bytes(&layer->backward), 1);
        good = layer->packed_back != NULL && good;
    }
    if (layer->conv.lrn) {
        layer->rectified = new_map(layer, layer->unpooled);
        layer->normalised = new_map(layer, layer->unpooled);
        good = layer->rectified != NULL && layer->normalised != NULL && good;
    }
    return good;
}

static uint64_t weights_of(const struct vgg_conv *conv)
{
    return (uint64_t)conv->out * conv->in * conv->kernel * conv->kernel;
}

static void describe(struct vgg_convolution *layer, const struct vgg_kernels *kernels,
                     const struct vgg_conv *conv, struct vgg_shape in)
{
    *layer = (struct vgg_convolution){
        .kernels = kernels,
        .conv = *conv,
        .forward = {.in = conv->in, .out = conv->out, .kernel = conv->kernel, .pad = conv->pad},
        .backward = {.in = conv->out, .out = conv->in, .kernel = conv->kernel, .pad = conv->pad},
        .in = in,
        .unpooled = vgg_conv_unpooled(conv, in),
        .out = vgg_conv_output(conv, in),
    };
}

/* Of allocate() and the parameters, but for the vectors of a channel each. */
uint64_t vgg_convolution_predict(const struct vgg_kernels *kernels, const struct vgg_conv *conv,
                                 struct vgg_shape in, unsigned threads,
                                 struct vgg_convolution_needs *needs)
{
    struct vgg_convolution layer;

    describe(&layer, kernels, conv, in);
    *needs = vgg_convolution_needs(&layer, threads);
    return VGG_PARAMETER_ARRAYS * vgg_mapped_bytes(weights_of(conv) * sizeof(float)) +
           vgg_mapped_bytes(kernels->weights_bytes(&layer.forward)) +
           vgg_mapped_bytes(kernels->weights_bytes(&layer.backward)) +
           (conv->lrn ? 3 : 1) * vgg_mapped_bytes(kernels->map_bytes(layer.unpooled)) +
           vgg_mapped_bytes(kernels->map_bytes(layer.out));
}

enum vgg_status vgg_convolution_init(struct vgg_convolution *layer,
                                     const struct vgg_kernels *kernels, const char *name,
                                     const struct vgg_conv *conv, struct vgg_shape in,
                                     bool batch_norm, bool first, struct vgg_error *error)
{
    const struct vgg_parameter_options channel = {.n = conv->out};
    enum vgg_status status;

    describe(layer, kernels, conv, in);
    status = vgg_parameter_init(
        &layer->weight, name, "weight",
        &(struct vgg_parameter_options){.n = weights_of(conv), .decays = true}, error);
    if (status == VGG_OK)
        status = vgg_parameter_init(&layer->bias, name, "bias", &channel, error);
    if (status == VGG_OK && batch_norm)
        status = vgg_parameter_init(&layer->gamma, name, "gamma", &channel, error);
    if (status != VGG_OK)
        return status;
    if (!allocate(layer, batch_norm, first))
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory for %s", name);
    for (uint32_t i = 0; i < conv->out; i++)
        if (batch_norm)
            layer->gamma.value[i] = layer->variance[i] = 1;
        else
            layer->scale[i] = 1;
    return VGG_OK;
}

void vgg_convolution_fini(struct vgg_convolution *layer)
{
    void *const blocks[] = {layer->mean,  layer->variance,  layer->packed,     layer->packed_back,
                            layer->y,     layer->rectified, layer->normalised, layer->result,
                            layer->scale, layer->shift,     layer->centre,     layer->inverse,
                            layer->slope, layer->offset,    layer->zeros,      layer->zeros_back};

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    vgg_parameter_fini(&layer->weight);
    vgg_parameter_fini(&layer->bias);
    vgg_parameter_fini(&layer->gamma);
    *layer = (struct vgg_convolution){.kernels = NULL};
}

void vgg_convolution_set_batch(struct vgg_convolution *layer, uint32_t n)
{
    layer->in.n = layer->unpooled.n = layer->out.n = n;
}

struct vgg_convolution_needs vgg_convolution_needs(const struct vgg_convolution *layer,
                                                   unsigned threads)
{
    const struct vgg_kernels *kernels = layer->kernels;
    struct vgg_convolution_needs needs = {
        .scratch_bytes = kernels->conv_scratch_bytes(&layer->forward, layer->in, threads),
        .sums_scratch = kernels->gradients->scratch_floats(&layer->forward, layer->in),
        .flipped = (size_t)weights_of(&layer->conv),
        .sums = 2 * padded(layer),
    };
    size_t backward = kernels->conv_scratch_bytes(&layer->backward, layer->unpooled, threads);

    if (backward > needs.scratch_bytes)
        needs.scratch_bytes = backward;
    return needs;
}

/* ---------------------------------------------------------------- weights -------------------- */

struct pack_loop {
    const struct vgg_kernels *kernels;
    const struct vgg_conv *conv; /* what is packed */
    const float *weights;        /* [out][in][k][k] of it */
    void *packed;
    float *flipped; /* for flip_row: [out][in][k][k] of the backward convolution */
};

static void pack_rows(void *context, size_t item, unsigned thread)
{
    const struct pack_loop *loop = context;
    size_t step = loop->kernels->pack_rows, row = item * step;
    size_t row_weights = (size_t)loop->conv->in * loop->conv->kernel * loop->conv->kernel;

    (void)thread;
    loop->kernels->weights_pack(loop->conv, (uint32_t)row,
                                (uint32_t)vgg_min_size(step, loop->conv->out - row),
                                loop->weights + row * row_weights, loop->packed);
}

static void pack(struct vgg_team *team, struct pack_loop *loop)
{
    vgg_team_run(team, pack_rows, loop, vgg_ceil_div(loop->conv->out, loop->kernels->pack_rows));
}

/* Item: one output channel of the backward convolution, an input channel of the forward one. */
static void flip_row(void *context, size_t item, unsigned thread)
{
    const struct pack_loop *loop = context;
    size_t taps = (size_t)loop->conv->kernel * loop->conv->kernel, in = loop->conv->in;
    float *row = loop->flipped + item * in * taps;

    (void)thread;
    for (size_t o = 0; o < in; o++) {
        const float *filter = loop->weights + (o * loop->conv->out + item) * taps;

        for (size_t i = 0; i < taps; i++)
            row[o * taps + i] = filter[taps - 1 - i];
    }
}

static void pack_back(struct vgg_convolution *layer, struct vgg_team *team, float *flipped)
{
    struct pack_loop loop = {.kernels = layer->kernels,
                             .conv = &layer->backward,
                             .weights = layer->weight.value,
                             .packed = layer->packed_back,
                             .flipped = flipped};

    vgg_team_run(team, flip_row, &loop, layer->backward.out);
    loop.weights = flipped;
    pack(team, &loop);
}

/* ---------------------------------------------------------------- batch normalisation -------- */

/* Values of a channel in a batch. */
static double count_of(const struct vgg_convolution *layer)
{
    return (double)layer->unpooled.n * layer->unpooled.h * layer->unpooled.w;
}

/* The scale and shift of a batch, and what its gradient needs of the statistics. */
static void normalise(struct vgg_convolution *layer, struct vgg_team *team,
                      const struct vgg_convolution_work *work)
{
    double n = count_of(layer);

    memcpy(layer->centre, layer->mean, layer->conv.out * sizeof *layer->centre);
    layer->kernels->gradients->moments(team, layer->y, layer->unpooled, layer->centre, work->sums,
                                       work->sums_scratch);
    for (size_t i = 0; i < layer->conv.out; i++) {
        double offset = work->sums[i] / n, square = work->sums[padded(layer) + i] / n;
        double mean = (double)layer->centre[i] + offset;
        double variance = fmax(square - offset * offset, 0);
        double inverse = 1 / sqrt(variance + VGG_BATCH_NORM_EPSILON);
        double scale = (double)layer->gamma.value[i] * inverse;

        layer->scale[i] = (float)scale;
        layer->shift[i] = (float)((double)layer->bias.value[i] - mean * scale);
        layer->centre[i] = (float)mean;
        layer->inverse[i] = (float)inverse;
        layer->mean[i] += (float)VGG_BATCH_NORM_MOMENTUM * ((float)mean - layer->mean[i]);
        layer->variance[i] += (float)VGG_BATCH_NORM_MOMENTUM *
                              ((float)(variance * n / fmax(n - 1, 1)) - layer->variance[i]);
    }
}

/*
 * From the sums of u's gradient g and of g (y - centre): gradients of gamma and beta, and of y,
 * which is scale (g - mean(g) - (y - centre) mean(g (y - centre)) inverse^2) = scale g + slope y +
 * offset.
 */
static void normalise_back(struct vgg_convolution *layer, struct vgg_team *team, float *grad,
                           const double *sums)
{
    double n = count_of(layer);

    for (size_t i = 0; i < layer->conv.out; i++) {
        double sum = sums[i], product = sums[padded(layer) + i];
        double inverse = (double)layer->inverse[i], scale = (double)layer->scale[i];
        double slope = -scale * inverse * inverse * product / n;

        layer->bias.gradient[i] = (float)sum;
        layer->gamma.gradient[i] = (float)(product * inverse);
        layer->slope[i] = (float)slope;
        layer->offset[i] = (float)(-scale * sum / n - slope * (double)layer->centre[i]);
    }
    layer->kernels->gradients->blend(team, grad, layer->y, layer->unpooled, layer->scale,
                                     layer->slope, layer->offset);
}

/* What batch normalisation by the running statistics multiplies a channel by. */
static double folded_scale(const struct vgg_convolution *layer, uint64_t channel)
{
    if (layer->mean == NULL)
        return 1;
    return (double)layer->gamma.value[channel] /
           sqrt((double)layer->variance[channel] + VGG_BATCH_NORM_EPSILON);
}

static void normalise_by_running(struct vgg_convolution *layer)
{
    for (size_t i = 0; i < layer->conv.out; i++) {
        double scale = folded_scale(layer, i);

        layer->scale[i] = (float)scale;
        layer->shift[i] = (float)((double)layer->bias.value[i] - (double)layer->mean[i] * scale);
    }
}

/* ---------------------------------------------------------------- LRN ------------------------ */

struct lrn_loop {
    struct vgg_blocked map;
    size_t channels;
    const float *in; /* before the normalisation */
    float *grad;     /* after it; becomes that before it */
};

/* Channel c of the pixel that begins at `at`, in floats from the start of the map. */
static size_t lrn_at(const struct lrn_loop *loop, size_t at, size_t c)
{
    size_t lanes = loop->map.lanes;

    return at + c / lanes * vgg_blocked_plane(&loop->map) + c % lanes;
}

/* s of channel c. */
static double lrn_base(const struct lrn_loop *loop, size_t at, size_t c)
{
    double sum = 0;

    for (size_t i = c > VGG_LRN_SIDE ? c - VGG_LRN_SIDE : 0;
         i < loop->channels && i <= c + VGG_LRN_SIDE; i++) {
        double a = (double)loop->in[lrn_at(loop, at, i)];

        sum += a * a;
    }
    return VGG_LRN_K + VGG_LRN_ALPHA * sum;
}

/*
 * b_i = a_i s_i^-beta with s_i = k + alpha sum a_j^2, so the gradient of a_j is
 * g_j s_j^-beta - 2 alpha beta a_j (sum of g_i a_i s_i^(-beta - 1) over the i around j). The rings
 * hold the terms of the window, and g_j is overwritten when no window needs it.
 */
static void lrn_back_pixel(const struct lrn_loop *loop, size_t at)
{
    double terms[VGG_LRN_CHANNELS] = {0}, powers[VGG_LRN_CHANNELS] = {0};

    for (size_t c = 0; c < loop->channels + VGG_LRN_SIDE; c++) {
        double term = 0, power = 0, sum = 0;
        size_t j = c - VGG_LRN_SIDE;

        if (c < loop->channels) {
            double base = lrn_base(loop, at, c);

            power = pow(base, -VGG_LRN_BETA);
            term = (double)loop->grad[lrn_at(loop, at, c)] * (double)loop->in[lrn_at(loop, at, c)] *
                   power / base;
        }
        terms[c % VGG_LRN_CHANNELS] = term;
        powers[c % VGG_LRN_CHANNELS] = power;
        if (c < VGG_LRN_SIDE)
            continue;
        for (size_t i = 0; i < VGG_LRN_CHANNELS; i++)
            sum += terms[i];
        loop->grad[lrn_at(loop, at, j)] =
            (float)((double)loop->grad[lrn_at(loop, at, j)] * powers[j % VGG_LRN_CHANNELS] -
                    VGG_LRN_SLOPE * (double)loop->in[lrn_at(loop, at, j)] * sum);
    }
}

/* Item: one row of one view. */
static void lrn_back_row(void *context, size_t item, unsigned thread)
{
    const struct lrn_loop *loop = context;
    const struct vgg_blocked *map = &loop->map;

    (void)thread;
    for (size_t x = 0; x < map->w; x++)
        lrn_back_pixel(loop, vgg_blocked_at(map, item / map->h, 0, item % map->h, x));
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* Where LRN stands between them, ReLU and pool are two steps: this is the first, or all. */
static struct vgg_post activation_of(const struct vgg_convolution *layer)
{
    return (struct vgg_post){.scale = layer->scale,
                             .shift = layer->shift,
                             .relu = true,
                             .pool = layer->conv.pool && !layer->conv.lrn};
}

/* The second step. LRN comes without batch normalisation, so scale is 1. */
static struct vgg_post pool_of(const struct vgg_convolution *layer)
{
    return (struct vgg_post){
        .scale = layer->scale, .shift = layer->zeros, .pool = layer->conv.pool};
}

void vgg_convolution_forward(struct vgg_convolution *layer, struct vgg_team *team, const float *in,
                             bool learning, const struct vgg_convolution_work *work)
{
    const struct vgg_kernels *kernels = layer->kernels;
    struct pack_loop loop = {.kernels = kernels,
                             .conv = &layer->forward,
                             .weights = layer->weight.value,
                             .packed = layer->packed};
    const struct vgg_post activation = activation_of(layer), pool = pool_of(layer);

    pack(team, &loop);
    kernels->conv(team, &layer->forward, layer->packed, layer->zeros, in, layer->in, layer->y,
                  work->scratch);
    if (layer->mean != NULL && learning)
        normalise(layer, team, work);
    else if (layer->mean != NULL)
        normalise_by_running(layer);
    else
        memcpy(layer->shift, layer->bias.value, layer->conv.out * sizeof *layer->shift);
    if (!layer->conv.lrn) {
        kernels->gradients->post(team, &activation, layer->y, layer->unpooled, layer->result);
        return;
    }
    kernels->gradients->post(team, &activation, layer->y, layer->unpooled, layer->rectified);
    memcpy(layer->normalised, layer->rectified, kernels->map_bytes(layer->unpooled));
    vgg_blocked_lrn(team, layer->unpooled, kernels->lanes, layer->normalised);
    kernels->gradients->post(team, &pool, layer->normalised, layer->unpooled, layer->result);
}

/* Back through pool and LRN: the gradient of what ReLU gave, into `between`. */
static void lrn_back(struct vgg_convolution *layer, struct vgg_team *team, const float *out_grad,
                     float *between, const struct vgg_convolution_work *work)
{
    struct lrn_loop loop = {vgg_blocked_of(layer->unpooled, layer->kernels->lanes), layer->conv.out,
                            layer->rectified, between};
    const struct vgg_post pool = pool_of(layer);

    layer->kernels->gradients->post_back(team, &pool, out_grad, layer->normalised, layer->unpooled,
                                         layer->centre, between, work->sums, work->sums_scratch);
    vgg_team_run(team, lrn_back_row, &loop, loop.map.n * loop.map.h);
}

void vgg_convolution_backward(struct vgg_convolution *layer, struct vgg_team *team, const float *in,
                              const float *out_grad, float *between, float *in_grad,
                              const struct vgg_convolution_work *work)
{
    const struct vgg_kernels *kernels = layer->kernels;
    const struct vgg_post activation = activation_of(layer);

    if (layer->conv.lrn)
        lrn_back(layer, team, out_grad, between, work);
    kernels->gradients->post_back(team, &activation, layer->conv.lrn ? between : out_grad, layer->y,
                                  layer->unpooled, layer->centre, between, work->sums,
                                  work->sums_scratch);
    if (layer->mean != NULL)
        normalise_back(layer, team, between, work->sums);
    else
        for (size_t i = 0; i < layer->conv.out; i++)
            layer->bias.gradient[i] = (float)work->sums[i];
    vgg_blocked_clear_frame(team, layer->unpooled, kernels->lanes, between);
    kernels->gradients->weights(team, &layer->forward, in, layer->in, between,
                                layer->weight.gradient, work->sums_scratch);
    if (in_grad == NULL)
        return;
    pack_back(layer, team, work->flipped);
    kernels->conv(team, &layer->backward, layer->packed_back, layer->zeros_back, between,
                  layer->unpooled, in_grad, work->scratch);
}

void vgg_convolution_fold_weights(const struct vgg_convolution *layer, uint64_t first, size_t n,
                                  float *out)
{
    uint64_t row_weights = layer->weight.n / layer->conv.out;

    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)layer->weight.value[first + i] *
                         folded_scale(layer, (first + i) / row_weights));
}

void vgg_convolution_fold_biases(const struct vgg_convolution *layer, uint64_t first, size_t n,
                                 float *out)
{
    for (uint64_t i = first; i < first + n; i++) {
        double mean = layer->mean != NULL ? (double)layer->mean[i] : 0;

        out[i - first] = (float)((double)layer->bias.value[i] - mean * folded_scale(layer, i));
    }
}
