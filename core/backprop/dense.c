/* Fully-connected layers: three matrix products, cut into columns for the threads. */
#include "backprop/dense.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "blas/gemm.h"
#include "kernels/kernels.h"

/*
 * How products are cut into items, which never depends on the threads. Of a layer as large as those
 * of VGG-16 an item is so large that the rows, which each item reads, are not what takes the time.
 */
enum { LARGE = 1 << 24, OUTPUTS = 64, LARGE_OUTPUTS = 256, LARGE_TILE = 512, INPUTS = 64 };

struct dense_loop {
    struct vgg_dense *layer;
    const float *x;
    float *y_grad, *x_grad;
    const uint64_t *key;
    const struct vgg_descent *descent;
};

enum vgg_status vgg_dense_init(struct vgg_dense *layer, const char *name,
                               const struct vgg_dense_options *options, struct vgg_error *error)
{
    const struct vgg_parameter_options weight = {.n = (uint64_t)options->in * options->out,
                                                 .decays = true,
                                                 .fused = options->fused},
                                       bias = {.n = options->out};
    enum vgg_status status;
    size_t units;

    *layer = (struct vgg_dense){.rows = options->rows,
                                .in = options->in,
                                .out = options->out,
                                .positions = options->positions != 0 ? options->positions : 1,
                                .relu = options->relu,
                                .dropout = options->relu ? options->dropout : 0};
    status = vgg_parameter_init(&layer->weight, name, "weight", &weight, error);
    if (status == VGG_OK)
        status = vgg_parameter_init(&layer->bias, name, "bias", &bias, error);
    if (status != VGG_OK)
        return status;
    layer->y = vgg_size_mul(layer->rows, layer->out, &units)
                   ? vgg_alloc_aligned(units, sizeof *layer->y)
                   : NULL;
    return layer->y != NULL ? VGG_OK : vgg_fail(error, VGG_NO_MEMORY, "out of memory for %s", name);
}

void vgg_dense_fini(struct vgg_dense *layer)
{
    vgg_parameter_fini(&layer->weight);
    vgg_parameter_fini(&layer->bias);
    free(layer->y);
    *layer = (struct vgg_dense){.rows = 0};
}

static bool is_large(size_t in, size_t out)
{
    return out != 0 && in >= LARGE / out;
}

/* Outputs of an item. */
static size_t outputs_of(const struct vgg_dense *layer)
{
    return is_large(layer->in, layer->out) ? LARGE_OUTPUTS : OUTPUTS;
}

/* Of a tile of the weights. */
static size_t tile_columns(size_t in, size_t out)
{
    return is_large(in, out) ? vgg_min_size(LARGE_TILE, in) : in;
}

size_t vgg_dense_tile_floats(size_t in, size_t out)
{
    return vgg_min_size(out, is_large(in, out) ? LARGE_OUTPUTS : OUTPUTS) * tile_columns(in, out);
}

/* ---------------------------------------------------------------- forward -------------------- */

/* Item: some outputs of all rows: y = x W^T + bias. */
static void forward_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * outputs_of(layer);
    size_t n = vgg_min_size(outputs_of(layer), layer->out - first);

    (void)thread;
    for (size_t i = 0; i < layer->rows; i++)
        memcpy(layer->y + i * layer->out + first, layer->bias.value + first, n * sizeof *layer->y);
    vgg_gemm_add_transposed(false, true, layer->rows, n, layer->in, loop->x, layer->in,
                            layer->weight.value + first * layer->in, layer->in, layer->y + first,
                            layer->out);
}

/* Item: one row's units. */
static void rectify_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    float *y = layer->y + item * layer->out;

    (void)thread;
    for (size_t i = 0; i < layer->out; i++)
        y[i] = y[i] <= 0 ? 0 : y[i]; /* NaN passes: the loss tells */
}

/* The same, of those units that are kept. */
static void drop_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    const uint64_t keys[] = {loop->key[0], loop->key[1], loop->key[2], item / layer->positions};
    float *y = layer->y + item * layer->out, kept = (float)(1 / (1 - layer->dropout));
    struct vgg_random random;

    (void)thread;
    vgg_random_init_keyed(&random, keys, sizeof keys / sizeof *keys);
    for (size_t i = 0; i < layer->out; i++) {
        bool keep = vgg_random_uniform(&random) >= layer->dropout;

        y[i] = !keep || y[i] <= 0 ? 0 : kept * y[i];
    }
}

void vgg_dense_forward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                       const uint64_t key[3])
{
    struct dense_loop loop = {.layer = layer, .x = x, .key = key};

    vgg_team_run(team, forward_item, &loop, vgg_ceil_div(layer->out, outputs_of(layer)));
    if (layer->relu)
        vgg_team_run(team, key != NULL ? drop_item : rectify_item, &loop, layer->rows);
}

/* ---------------------------------------------------------------- backward ------------------- */

/* A unit that is positive was kept; the others let nothing through. */
static void rectify_back(const struct vgg_dense *layer, float *y_grad)
{
    float kept = (float)(1 / (1 - layer->dropout));

    for (size_t i = 0; i < layer->rows * layer->out; i++)
        y_grad[i] = layer->y[i] > 0 ? kept * y_grad[i] : 0;
}

/* Item: a tile of the weights: y_grad^T x, and its descent. */
static void weights_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t width = tile_columns(layer->in, layer->out), across = vgg_ceil_div(layer->in, width);
    size_t o = item / across * outputs_of(layer), i = item % across * width;
    size_t rows = vgg_min_size(outputs_of(layer), layer->out - o);
    size_t columns = vgg_min_size(width, layer->in - i);
    bool fused = layer->weight.gradient == NULL;
    size_t stride = fused ? columns : layer->in;
    float *gradient = fused ? layer->tiles + thread * vgg_dense_tile_floats(layer->in, layer->out)
                            : layer->weight.gradient + o * layer->in + i;

    for (size_t row = 0; row < rows; row++)
        memset(gradient + row * stride, 0, columns * sizeof *gradient);
    vgg_gemm_add_transposed(true, false, rows, columns, layer->rows, loop->y_grad + o, layer->out,
                            loop->x + i, layer->in, gradient, stride);
    for (size_t row = 0; row < rows && loop->descent != NULL; row++)
        vgg_parameter_descend_part(&layer->weight, loop->descent, (o + row) * layer->in + i,
                                   columns, gradient + row * stride);
}

/* Item: some biases. */
static void biases_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * OUTPUTS, n = vgg_min_size(OUTPUTS, layer->out - first);

    (void)thread;
    for (size_t o = first; o < first + n; o++) {
        double sum = 0;

        for (size_t i = 0; i < layer->rows; i++)
            sum += (double)loop->y_grad[i * layer->out + o];
        layer->bias.gradient[o] = (float)sum;
    }
    if (loop->descent != NULL)
        vgg_parameter_descend_part(&layer->bias, loop->descent, first, n,
                                   layer->bias.gradient + first);
}

/* Item: some inputs of all rows: y_grad W. */
static void inputs_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * INPUTS, n = vgg_min_size(INPUTS, layer->in - first);

    (void)thread;
    for (size_t i = 0; i < layer->rows; i++)
        memset(loop->x_grad + i * layer->in + first, 0, n * sizeof *loop->x_grad);
    vgg_gemm_add(layer->rows, n, layer->out, loop->y_grad, layer->out, layer->weight.value + first,
                 layer->in, loop->x_grad + first, layer->in);
}

void vgg_dense_backward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                        float *y_grad, float *x_grad, const struct vgg_descent *descent)
{
    struct dense_loop loop = {
        .layer = layer, .x = x, .y_grad = y_grad, .x_grad = x_grad, .descent = descent};

    if (layer->relu)
        rectify_back(layer, y_grad);
    if (x_grad != NULL)
        vgg_team_run(team, inputs_item, &loop, vgg_ceil_div(layer->in, INPUTS));
    vgg_team_run(team, weights_item, &loop,
                 vgg_ceil_div(layer->out, outputs_of(layer)) *
                     vgg_ceil_div(layer->in, tile_columns(layer->in, layer->out)));
    vgg_team_run(team, biases_item, &loop, vgg_ceil_div(layer->out, OUTPUTS));
}
