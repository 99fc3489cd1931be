/* The layers of a network in training, in order and back. */
#include "backprop/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backprop/loss.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/streams.h"

/* ---------------------------------------------------------------- memory --------------------- */

static enum vgg_status init_convs(struct vgg_network *network, bool batch_norm,
                                  struct vgg_error *error)
{
    struct vgg_shape shape = {network->batch, 3, network->crop, network->crop};
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < network->net.arch->convs_n && status == VGG_OK; i++) {
        const struct vgg_layer *layer = &network->net.layers[i];

        if (i == network->frozen)
            network->in = shape;
        if (i >= network->frozen)
            status =
                vgg_convolution_init(&network->convs[i], network->net.kernels, layer->name,
                                     &layer->conv, shape, batch_norm, i == network->frozen, error);
        shape = vgg_conv_output(&layer->conv, shape);
    }
    network->last = shape;
    if (network->frozen == network->net.arch->convs_n)
        network->in = shape;
    network->positions =
        (struct vgg_positions){shape.c, shape.h, shape.w, network->net.positions_kernel};
    return status;
}

static enum vgg_status init_dense(struct vgg_network *network,
                                  const struct vgg_network_options *options,
                                  struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;
    size_t positions = vgg_positions_count(&network->positions);

    for (size_t i = 0; i < VGG_FCS && status == VGG_OK; i++) {
        const struct vgg_layer *layer = &network->net.layers[network->net.arch->convs_n + i];
        size_t taps = (size_t)layer->conv.kernel * layer->conv.kernel;
        const struct vgg_dense_options dense = {.rows = network->batch * positions,
                                                .in = layer->conv.in * taps,
                                                .out = layer->conv.out,
                                                .positions = positions,
                                                .relu = layer->conv.relu,
                                                .dropout = options->dropout,
                                                .fused = options->fused};

        status = vgg_dense_init(&network->dense[i], layer->name, &dense, error);
    }
    return status;
}

static void grow(size_t *size, size_t other)
{
    if (other > *size)
        *size = other;
}

static enum vgg_status allocate(const struct vgg_network *network, float **array, size_t count,
                                size_t floats, struct vgg_error *error)
{
    size_t n;

    if (vgg_size_mul(count, floats, &n))
        *array = vgg_calloc_aligned(n, sizeof **array);
    return *array != NULL ? VGG_OK
                          : vgg_fail(error, VGG_NO_MEMORY,
                                     "out of memory for batches of %" PRIu32
                                     " crops; a smaller batch takes less",
                                     network->batch);
}

/* What the convolutions share, at its largest. */
static enum vgg_status allocate_maps(struct vgg_network *network, unsigned threads,
                                     struct vgg_error *error)
{
    const struct vgg_kernels *kernels = network->net.kernels;
    struct vgg_convolution_needs most = {0};
    size_t maps[2] = {0};
    enum vgg_status status;

    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution_needs needs = vgg_convolution_needs(&network->convs[i], threads);

        grow(&most.scratch_bytes, needs.scratch_bytes);
        grow(&most.sums_scratch, needs.sums_scratch);
        grow(&most.flipped, needs.flipped);
        grow(&most.sums, needs.sums);
        grow(&maps[0], kernels->map_bytes(network->convs[i].out));
        if (i != network->frozen)
            grow(&maps[0], kernels->map_bytes(network->convs[i].in));
        grow(&maps[1], kernels->map_bytes(network->convs[i].unpooled));
    }
    network->work.scratch = vgg_alloc_aligned(most.scratch_bytes + 1, 1);
    network->work.sums = vgg_alloc_aligned(most.sums, sizeof(double));
    status = allocate(network, &network->work.sums_scratch, 1, most.sums_scratch, error);
    if (status == VGG_OK)
        status = allocate(network, &network->work.flipped, 1, most.flipped, error);
    if (status == VGG_OK)
        status = allocate(network, &network->input, 1,
                          kernels->map_bytes(network->in) / sizeof(float), error);
    for (size_t i = 0; i < 2 && status == VGG_OK; i++)
        status = allocate(network, &network->maps[i], 1, maps[i] / sizeof(float), error);
    return network->work.scratch != NULL && network->work.sums != NULL ? status
                                                                       : vgg_fail_memory(error);
}

/* What the FC layers share. Where there is one position, a map is its window. */
static enum vgg_status allocate_rows(struct vgg_network *network, unsigned threads,
                                     struct vgg_error *error)
{
    size_t rows = network->dense[0].rows, batch = network->batch, classes = network->net.classes;
    bool convs = network->frozen != network->net.arch->convs_n, one = rows == batch;
    size_t map = vgg_positions_map(&network->positions), tile = 0;
    enum vgg_status status = VGG_OK;

    network->views = vgg_calloc(batch, sizeof *network->views);
    if (network->views == NULL)
        return vgg_fail_memory(error);
    if (convs || !one)
        status = allocate(network, &network->windows, rows, network->dense[0].in, error);
    if (status == VGG_OK && convs && !one)
        status = allocate(network, &network->flat, batch, map, error);
    if (status == VGG_OK && convs)
        status = allocate(network, &network->grad[0], rows, network->dense[0].in, error);
    for (size_t i = 0; i < VGG_FCS && status == VGG_OK; i++)
        status = allocate(network, &network->grad[i + 1], rows, network->dense[i].out, error);
    if (status == VGG_OK)
        status = allocate(network, &network->scores, batch, classes, error);
    for (size_t i = 0; i < VGG_FCS; i++)
        grow(&tile, vgg_dense_tile_floats(network->dense[i].in, network->dense[i].out));
    if (status == VGG_OK && network->dense[0].weight.gradient == NULL)
        status = allocate(network, &network->tiles, threads, tile, error);
    for (size_t i = 0; i < VGG_FCS; i++)
        network->dense[i].tiles = network->tiles;
    return status;
}

/* ---------------------------------------------------------------- what is learnt ------------- */

static void add_parameter(struct vgg_network *network, struct vgg_parameter *parameter)
{
    if (parameter->n != 0)
        network->parameters[network->parameters_n++] = parameter;
}

static void add_statistics(struct vgg_network *network, const char *layer, const char *what,
                           float *value, uint64_t n)
{
    size_t i = network->statistics_n++;

    snprintf(network->statistics[i].name, VGG_PARAMETER_NAME_BYTES, "%s.%s", layer, what);
    network->statistics[i].value = value;
    network->statistics[i].n = n;
}

static void list_parameters(struct vgg_network *network)
{
    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution *layer = &network->convs[i];

        add_parameter(network, &layer->weight);
        add_parameter(network, &layer->bias);
        add_parameter(network, &layer->gamma);
        if (layer->mean != NULL) {
            const char *name = network->net.layers[i].name;

            add_statistics(network, name, "mean", layer->mean, layer->conv.out);
            add_statistics(network, name, "variance", layer->variance, layer->conv.out);
        }
    }
    for (size_t i = 0; i < VGG_FCS; i++) {
        add_parameter(network, &network->dense[i].weight);
        add_parameter(network, &network->dense[i].bias);
    }
}

enum vgg_status vgg_network_init(struct vgg_network *network, const struct vgg_arch *arch,
                                 const struct vgg_kernels *kernels,
                                 const struct vgg_net_sizes *sizes,
                                 const struct vgg_network_options *options, unsigned threads,
                                 struct vgg_error *error)
{
    enum vgg_status status;

    memset(network, 0, sizeof *network);
    vgg_net_describe(&network->net, arch, kernels, sizes);
    network->batch = network->n = options->batch;
    network->frozen = options->frozen;
    network->crop = options->crop != 0 ? options->crop : sizes->positions_kernel * VGG_STRIDE;
    if (options->batch_norm && network->net.layers[0].conv.lrn)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "A-LRN has no batch-norm beside its own");
    status = init_convs(network, options->batch_norm, error);
    if (status == VGG_OK)
        status = init_dense(network, options, error);
    if (status == VGG_OK && network->frozen != arch->convs_n)
        status = allocate_maps(network, threads, error);
    if (status == VGG_OK)
        status = allocate_rows(network, threads, error);
    if (status == VGG_OK)
        list_parameters(network);
    return status;
}

void vgg_network_fini(struct vgg_network *network)
{
    void *const blocks[] = {network->maps[0],      network->maps[1],
                            network->input,        network->views,
                            network->flat,         network->windows,
                            network->scores,       network->tiles,
                            network->work.scratch, network->work.sums_scratch,
                            network->work.flipped, network->work.sums};

    for (size_t i = 0; i < VGG_CONVS_MAX; i++)
        vgg_convolution_fini(&network->convs[i]);
    for (size_t i = 0; i < VGG_FCS; i++)
        vgg_dense_fini(&network->dense[i]);
    for (size_t i = 0; i < VGG_FCS + 1; i++)
        free(network->grad[i]);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    memset(network, 0, sizeof *network);
}

/* ---------------------------------------------------------------- a step --------------------- */

struct flatten_loop {
    const struct vgg_kernels *kernels;
    struct vgg_shape shape;
    void *map;
    float *flat;
};

/* Item: one view. */
static void flatten_view(void *context, size_t item, unsigned thread)
{
    const struct flatten_loop *loop = context;
    size_t floats = (size_t)loop->shape.c * loop->shape.h * loop->shape.w;

    (void)thread;
    loop->kernels->scores(loop->map, loop->shape, item, loop->flat + item * floats);
}

static void unflatten_view(void *context, size_t item, unsigned thread)
{
    const struct flatten_loop *loop = context;
    struct vgg_blocked map = vgg_blocked_of(loop->shape, loop->kernels->lanes);
    size_t rows = loop->shape.h, columns = loop->shape.w;
    const float *flat = loop->flat + item * loop->shape.c * rows * columns;

    (void)thread;
    for (size_t c = 0; c < map.blocks * map.lanes; c++)
        for (size_t y = 0; y < rows; y++) {
            size_t at = vgg_blocked_at(&map, item, c / map.lanes, y, 0) + c % map.lanes;

            for (size_t x = 0; x < columns; x++)
                ((float *)loop->map)[at + x * map.lanes] =
                    c < loop->shape.c ? flat[(c * rows + y) * columns + x] : 0;
        }
}

/* Of this step. */
static void set_batch(struct vgg_network *network, uint32_t n)
{
    network->n = network->in.n = network->last.n = n;
    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++)
        vgg_convolution_set_batch(&network->convs[i], n);
    for (size_t i = 0; i < VGG_FCS; i++)
        network->dense[i].rows = n * vgg_positions_count(&network->positions);
}

/* Crops, or what the frozen layers made of them, as a map. */
static void load_input(struct vgg_network *network, struct vgg_team *team, const float *inputs)
{
    const struct vgg_kernels *kernels = network->net.kernels;
    struct flatten_loop loop = {kernels, network->in, network->input, (float *)inputs};
    size_t floats = (size_t)network->in.c * network->in.h * network->in.w;

    if (network->frozen != 0) {
        vgg_team_run(team, unflatten_view, &loop, network->n);
        return;
    }
    for (size_t i = 0; i < network->n; i++)
        network->views[i].input = inputs + i * floats;
    kernels->input(team, network->views, network->in, NULL, network->input);
}

/* The last map of each example, [channels][rows][columns]. */
static const float *run_convs(struct vgg_network *network, struct vgg_team *team,
                              const float *inputs, bool learning)
{
    size_t convs = network->net.arch->convs_n;
    float *flat = network->flat != NULL ? network->flat : network->windows;
    struct flatten_loop loop = {network->net.kernels, network->last,
                                network->convs[convs - 1].result, flat};
    const float *x = network->input;

    if (network->frozen == convs)
        return inputs;
    load_input(network, team, inputs);
    for (size_t i = network->frozen; i < convs; i++) {
        vgg_convolution_forward(&network->convs[i], team, x, learning, &network->work);
        x = network->convs[i].result;
    }
    vgg_team_run(team, flatten_view, &loop, network->n);
    return flat;
}

/* What a layer gave of each example, averaged over positions: out[n][layer->out]. */
static void average(const struct vgg_network *network, const struct vgg_dense *layer, float *out)
{
    size_t positions = vgg_positions_count(&network->positions);

    for (size_t i = 0; i < network->n; i++)
        for (size_t c = 0; c < layer->out; c++) {
            double sum = 0;

            for (size_t p = 0; p < positions; p++)
                sum += (double)layer->y[(i * positions + p) * layer->out + c];
            out[i * layer->out + c] = (float)(sum / (double)positions);
        }
}

/* `key`: of the first FC layer's dropout, to which the layer is added; NULL: not learning. */
static void forward(struct vgg_network *network, struct vgg_team *team, const float *inputs,
                    uint64_t key[3])
{
    const float *x = run_convs(network, team, inputs, key != NULL);

    if (vgg_positions_count(&network->positions) != 1) {
        vgg_positions_gather(&network->positions, team, x, network->n, network->windows);
        x = network->windows;
    }
    network->rows = x;
    for (size_t i = 0; i < VGG_FCS; i++) {
        vgg_dense_forward(&network->dense[i], team, x, key);
        x = network->dense[i].y;
        if (key != NULL)
            key[2]++;
    }
    average(network, &network->dense[VGG_FCS - 1], network->scores);
}

/* The loss of example i, with its gradient to that of the scores at each of its positions. */
static double lose(struct vgg_network *network, const struct vgg_network_examples *examples,
                   size_t i)
{
    size_t classes = network->net.classes;
    size_t positions = vgg_positions_count(&network->positions);
    float *grad = network->grad[VGG_FCS] + i * positions * classes;
    double part = examples->weights != NULL ? examples->weights[i] : 1, loss;

    loss = part * vgg_loss(network->scores + i * classes, classes, examples->targets + i * classes,
                           part / network->n / (double)positions, grad);
    for (size_t p = 1; p < positions; p++)
        memcpy(grad + p * classes, grad, classes * sizeof *grad);
    return loss;
}

struct vgg_network_batch vgg_network_forward(struct vgg_network *network, struct vgg_team *team,
                                             const struct vgg_network_examples *examples,
                                             uint64_t seed, uint64_t step)
{
    uint64_t key[3] = {seed, VGG_STREAM_DROPOUT, step * VGG_FCS};
    struct vgg_network_batch batch = {0};

    set_batch(network, examples->n);
    forward(network, team, examples->inputs, key);
    for (size_t i = 0; i < network->n; i++) {
        batch.loss += lose(network, examples, i);
        batch.wrong += !vgg_loss_right(network->scores + i * network->net.classes,
                                       network->net.classes, examples->labels[i]);
    }
    return batch;
}

void vgg_network_evaluate(struct vgg_network *network, struct vgg_team *team, const float *inputs,
                          uint32_t n, float *scores, float *features)
{
    set_batch(network, n);
    forward(network, team, inputs, NULL);
    if (scores != NULL)
        memcpy(scores, network->scores, (size_t)n * network->net.classes * sizeof *scores);
    if (features != NULL)
        average(network, &network->dense[VGG_FCS - 2], features);
}

static void descend(struct vgg_convolution *layer, struct vgg_team *team,
                    const struct vgg_descent *descent)
{
    vgg_parameter_descend(&layer->weight, team, descent);
    vgg_parameter_descend(&layer->bias, team, descent);
    vgg_parameter_descend(&layer->gamma, team, descent);
}

static void backward_convs(struct vgg_network *network, struct vgg_team *team,
                           const struct vgg_descent *descent)
{
    struct flatten_loop loop = {network->net.kernels, network->last, network->maps[0],
                                network->grad[0]};

    if (network->flat != NULL) {
        vgg_positions_scatter(&network->positions, team, network->grad[0], network->n,
                              network->flat);
        loop.flat = network->flat;
    }
    vgg_team_run(team, unflatten_view, &loop, network->n);
    for (size_t i = network->net.arch->convs_n; i-- > network->frozen;) {
        bool first = i == network->frozen;

        vgg_convolution_backward(
            &network->convs[i], team, first ? network->input : network->convs[i - 1].result,
            network->maps[0], network->maps[1], first ? NULL : network->maps[0], &network->work);
        if (descent != NULL)
            descend(&network->convs[i], team, descent);
    }
}

void vgg_network_backward(struct vgg_network *network, struct vgg_team *team,
                          const struct vgg_descent *descent)
{
    for (size_t i = VGG_FCS; i-- > 0;)
        vgg_dense_backward(&network->dense[i], team,
                           i != 0 ? network->dense[i - 1].y : network->rows, network->grad[i + 1],
                           network->grad[i], descent);
    if (network->frozen != network->net.arch->convs_n)
        backward_convs(network, team, descent);
}

/* ---------------------------------------------------------------- for inference -------------- */

void vgg_network_fill(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    const struct vgg_network *network = user;
    size_t layer = tensor / 2, convs = network->net.arch->convs_n;
    bool is_bias = tensor % 2 != 0;
    const struct vgg_dense *dense;

    if (layer < convs) {
        (is_bias ? vgg_convolution_fold_biases
                 : vgg_convolution_fold_weights)(&network->convs[layer], first, n, out);
        return;
    }
    dense = &network->dense[layer - convs];
    memcpy(out, (is_bias ? dense->bias.value : dense->weight.value) + first, n * sizeof *out);
}
