/* Fully-connected layers: three matrix products, cut into columns for the threads. */
#include "backprop/dense.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "blas/gemm.h"

enum { COLUMNS = 64 }; /* of an item's product: the cut never depends on the threads */

struct dense_loop {
    struct vgg_dense *layer;
    const float *x;
    float *y_grad, *x_grad;
    uint64_t key[3];
};

enum vgg_status vgg_dense_init(struct vgg_dense *layer, const char *name, size_t batch, size_t in,
                               size_t out, bool relu, double dropout, struct vgg_error *error)
{
    enum vgg_status status;
    size_t units;

    *layer = (struct vgg_dense){
        .batch = batch, .in = in, .out = out, .relu = relu, .dropout = relu ? dropout : 0};
    status = vgg_parameter_init(&layer->weight, name, "weight", (uint64_t)in * out, true, error);
    if (status == VGG_OK)
        status = vgg_parameter_init(&layer->bias, name, "bias", out, false, error);
    if (status != VGG_OK)
        return status;
    layer->y = vgg_size_mul(batch, out, &units) ? vgg_alloc_aligned(units, sizeof *layer->y) : NULL;
    return layer->y != NULL ? VGG_OK : vgg_fail(error, VGG_NO_MEMORY, "out of memory for %s", name);
}

void vgg_dense_fini(struct vgg_dense *layer)
{
    vgg_parameter_fini(&layer->weight);
    vgg_parameter_fini(&layer->bias);
    free(layer->y);
    *layer = (struct vgg_dense){.batch = 0};
}

static size_t items_of(size_t columns)
{
    return (columns + COLUMNS - 1) / COLUMNS;
}

static size_t columns_of(size_t columns, size_t item)
{
    return columns - item * COLUMNS < COLUMNS ? columns - item * COLUMNS : COLUMNS;
}

/* ---------------------------------------------------------------- forward -------------------- */

/* Item: some outputs of the whole batch: y = x W^T + bias. */
static void forward_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * COLUMNS, n = columns_of(layer->out, item);

    (void)thread;
    for (size_t i = 0; i < layer->batch; i++)
        memcpy(layer->y + i * layer->out + first, layer->bias.value + first, n * sizeof *layer->y);
    vgg_gemm_add_transposed(false, true, layer->batch, n, layer->in, loop->x, layer->in,
                            layer->weight.value + first * layer->in, layer->in, layer->y + first,
                            layer->out);
}

/* Item: one example's units. */
static void rectify_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    const uint64_t keys[] = {loop->key[0], loop->key[1], loop->key[2], item};
    float *y = layer->y + item * layer->out, kept = (float)(1 / (1 - layer->dropout));
    struct vgg_random random;

    (void)thread;
    vgg_random_init_keyed(&random, keys, sizeof keys / sizeof *keys);
    for (size_t i = 0; i < layer->out; i++) {
        bool keep = vgg_random_uniform(&random) >= layer->dropout;

        y[i] = !keep || y[i] <= 0 ? 0 : kept * y[i]; /* NaN passes: the loss tells */
    }
}

void vgg_dense_forward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                       const uint64_t key[3])
{
    struct dense_loop loop = {.layer = layer, .x = x, .key = {key[0], key[1], key[2]}};

    vgg_team_run(team, forward_item, &loop, items_of(layer->out));
    if (layer->relu)
        vgg_team_run(team, rectify_item, &loop, layer->batch);
}

/* ---------------------------------------------------------------- backward ------------------- */

/* A unit that is positive was kept; the others let nothing through. */
static void rectify_back(const struct vgg_dense *layer, float *y_grad)
{
    float kept = (float)(1 / (1 - layer->dropout));

    for (size_t i = 0; i < layer->batch * layer->out; i++)
        y_grad[i] = layer->y[i] > 0 ? kept * y_grad[i] : 0;
}

/* Item: the weights of some outputs: y_grad^T x. */
static void weights_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * COLUMNS, n = columns_of(layer->out, item);
    float *gradient = layer->weight.gradient + first * layer->in;

    (void)thread;
    memset(gradient, 0, n * layer->in * sizeof *gradient);
    vgg_gemm_add_transposed(true, false, n, layer->in, layer->batch, loop->y_grad + first,
                            layer->out, loop->x, layer->in, gradient, layer->in);
    for (size_t o = first; o < first + n; o++) {
        double sum = 0;

        for (size_t i = 0; i < layer->batch; i++)
            sum += (double)loop->y_grad[i * layer->out + o];
        layer->bias.gradient[o] = (float)sum;
    }
}

/* Item: some inputs of the whole batch: y_grad W. */
static void inputs_item(void *context, size_t item, unsigned thread)
{
    const struct dense_loop *loop = context;
    const struct vgg_dense *layer = loop->layer;
    size_t first = item * COLUMNS, n = columns_of(layer->in, item);

    (void)thread;
    for (size_t i = 0; i < layer->batch; i++)
        memset(loop->x_grad + i * layer->in + first, 0, n * sizeof *loop->x_grad);
    vgg_gemm_add(layer->batch, n, layer->out, loop->y_grad, layer->out, layer->weight.value + first,
                 layer->in, loop->x_grad + first, layer->in);
}

void vgg_dense_backward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                        float *y_grad, float *x_grad)
{
    struct dense_loop loop = {.layer = layer, .x = x, .y_grad = y_grad, .x_grad = x_grad};

    if (layer->relu)
        rectify_back(layer, y_grad);
    vgg_team_run(team, weights_item, &loop, items_of(layer->out));
    vgg_team_run(team, inputs_item, &loop, items_of(layer->in));
}
