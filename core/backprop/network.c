/* The layers of a network in training, in order and back. */
#include "backprop/network.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backprop/loss.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"
#include "model/weights.h"

/* ---------------------------------------------------------------- memory --------------------- */

static enum vgg_status init_convs(struct vgg_network *network, bool batch_norm,
                                  struct vgg_error *error)
{
    struct vgg_shape shape = {network->batch, 3, network->crop, network->crop};
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < network->net.arch->convs_n && status == VGG_OK; i++) {
        const struct vgg_layer *layer = &network->net.layers[i];

        status = vgg_convolution_init(&network->convs[i], network->net.kernels, layer->name,
                                      &layer->conv, shape, batch_norm, i == 0, error);
        shape = vgg_conv_output(&layer->conv, shape);
    }
    return status;
}

static enum vgg_status init_dense(struct vgg_network *network, double dropout,
                                  struct vgg_error *error)
{
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < VGG_FCS && status == VGG_OK; i++) {
        const struct vgg_layer *layer = &network->net.layers[network->net.arch->convs_n + i];
        size_t taps = (size_t)layer->conv.kernel * layer->conv.kernel;

        status =
            vgg_dense_init(&network->dense[i], layer->name, network->batch, layer->conv.in * taps,
                           layer->conv.out, layer->conv.relu, dropout, error);
    }
    return status;
}

static void grow(size_t *size, size_t other)
{
    if (other > *size)
        *size = other;
}

/* What the layers share, at its largest. */
static enum vgg_status allocate_shared(struct vgg_network *network, unsigned threads,
                                       struct vgg_error *error)
{
    const struct vgg_kernels *kernels = network->net.kernels;
    struct vgg_convolution_needs most = {0};
    size_t maps[2] = {0}, input;
    bool good = true;

    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution_needs needs = vgg_convolution_needs(&network->convs[i], threads);

        grow(&most.scratch_bytes, needs.scratch_bytes);
        grow(&most.sums_scratch, needs.sums_scratch);
        grow(&most.flipped, needs.flipped);
        grow(&most.sums, needs.sums);
        grow(&maps[0], kernels->map_bytes(network->convs[i].out));
        if (i != 0)
            grow(&maps[0], kernels->map_bytes(network->convs[i].in));
        grow(&maps[1], kernels->map_bytes(network->convs[i].unpooled));
    }
    input = kernels->map_bytes(network->convs[0].in);
    network->work.scratch = vgg_alloc_aligned(most.scratch_bytes + 1, 1);
    network->work.sums_scratch = vgg_alloc_aligned(most.sums_scratch, sizeof(float));
    network->work.flipped = vgg_alloc_aligned(most.flipped, sizeof(float));
    network->work.sums = vgg_alloc_aligned(most.sums, sizeof(double));
    network->input = vgg_alloc_aligned(input, 1);
    network->views = vgg_calloc(network->batch, sizeof *network->views);
    network->flat = vgg_alloc_aligned(network->batch, network->dense[0].in * sizeof(float));
    network->grad[0] = vgg_alloc_aligned(network->batch, network->dense[0].in * sizeof(float));
    for (size_t i = 0; i < VGG_FCS; i++) {
        network->grad[i + 1] =
            vgg_alloc_aligned(network->batch, network->dense[i].out * sizeof(float));
        good = good && network->grad[i + 1] != NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        network->maps[i] = vgg_calloc_aligned(maps[i], 1);
        good = good && network->maps[i] != NULL;
    }
    good = good && network->work.scratch != NULL && network->work.sums_scratch != NULL &&
           network->work.flipped != NULL && network->work.sums != NULL && network->input != NULL &&
           network->views != NULL && network->flat != NULL && network->grad[0] != NULL;
    return good ? VGG_OK
                : vgg_fail(error, VGG_NO_MEMORY,
                           "out of memory for batches of %" PRIu32
                           " crops; a smaller batch takes less",
                           network->batch);
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
    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
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
    network->batch = options->batch;
    network->crop = sizes->positions_kernel * VGG_STRIDE;
    if (options->batch_norm && network->net.layers[0].conv.lrn)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "A-LRN has no batch-norm beside its own");
    status = init_convs(network, options->batch_norm, error);
    if (status == VGG_OK)
        status = init_dense(network, options->dropout, error);
    if (status == VGG_OK)
        status = allocate_shared(network, threads, error);
    if (status == VGG_OK)
        list_parameters(network);
    return status;
}

void vgg_network_fini(struct vgg_network *network)
{
    for (size_t i = 0; i < VGG_CONVS_MAX; i++)
        vgg_convolution_fini(&network->convs[i]);
    for (size_t i = 0; i < VGG_FCS; i++)
        vgg_dense_fini(&network->dense[i]);
    for (size_t i = 0; i < VGG_FCS + 1; i++)
        free(network->grad[i]);
    free(network->maps[0]);
    free(network->maps[1]);
    free(network->input);
    free(network->views);
    free(network->flat);
    free(network->work.scratch);
    free(network->work.sums_scratch);
    free(network->work.flipped);
    free(network->work.sums);
    memset(network, 0, sizeof *network);
}

static double deviation(enum vgg_train_init init, const struct vgg_conv *conv)
{
    double taps = (double)conv->kernel * conv->kernel;

    switch (init) {
    case VGG_TRAIN_GLOROT:
        return sqrt(2 / (taps * ((double)conv->in + conv->out)));
    case VGG_TRAIN_GAUSSIAN:
        return 0.1;
    case VGG_TRAIN_HE:
        break;
    }
    return sqrt(2 / (taps * conv->in));
}

void vgg_network_randomise(struct vgg_network *network, enum vgg_train_init init, uint64_t seed)
{
    size_t convs = network->net.arch->convs_n;

    for (size_t i = 0; i < network->net.layers_n; i++) {
        struct vgg_parameter *weight =
            i < convs ? &network->convs[i].weight : &network->dense[i - convs].weight;
        double scale = deviation(init, &network->net.layers[i].conv);
        const uint64_t keys[] = {seed, VGG_STREAM_INIT, i};
        struct vgg_random random;

        vgg_random_init_keyed(&random, keys, sizeof keys / sizeof *keys);
        for (uint64_t j = 0; j < weight->n; j++)
            weight->value[j] = (float)(scale * vgg_random_normal(&random));
    }
}

/* ---------------------------------------------------------------- from another net ----------- */

enum { SHALLOW_CONVS = 4 }; /* that the paper takes from A (section 3.1), beside the FC layers */

/* The trained net's layer of this name and shape, or layers_n where none is to be copied. */
static size_t find_layer(const struct vgg_net *from, const struct vgg_net *net,
                         const struct vgg_layer *layer)
{
    for (size_t i = 0; i < from->layers_n; i++) {
        const struct vgg_layer *other = &from->layers[i];
        bool taken = from->arch == net->arch || i < SHALLOW_CONVS || i >= from->arch->convs_n;

        if (taken && strcmp(other->name, layer->name) == 0 && other->conv.in == layer->conv.in &&
            other->conv.out == layer->conv.out && other->conv.kernel == layer->conv.kernel)
            return i;
    }
    return from->layers_n;
}

enum vgg_status vgg_network_copy(struct vgg_network *network, const char *path, size_t *copied,
                                 struct vgg_error *error)
{
    size_t convs = network->net.arch->convs_n;
    struct vgg_weights from;
    enum vgg_status status = vgg_weights_read(path, &from, error);

    *copied = 0;
    if (status != VGG_OK)
        return status;
    for (size_t i = 0; i < network->net.layers_n; i++) {
        size_t source = find_layer(from.net, &network->net, &network->net.layers[i]);
        struct vgg_parameter *weight =
            i < convs ? &network->convs[i].weight : &network->dense[i - convs].weight;
        struct vgg_parameter *bias =
            i < convs ? &network->convs[i].bias : &network->dense[i - convs].bias;

        if (source == from.net->layers_n)
            continue;
        memcpy(weight->value, from.weights[source], (size_t)weight->n * sizeof *weight->value);
        memcpy(bias->value, from.biases[source], (size_t)bias->n * sizeof *bias->value);
        ++*copied;
    }
    vgg_weights_fini(&from);
    if (*copied == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s: no layer has the name and shape of one to be trained", path);
    return VGG_OK;
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

static void load_input(struct vgg_network *network, struct vgg_team *team, const float *crops)
{
    struct vgg_shape shape = network->convs[0].in;
    size_t floats = (size_t)shape.c * shape.h * shape.w;

    for (size_t i = 0; i < network->batch; i++)
        network->views[i].input = crops + i * floats;
    network->net.kernels->input(team, network->views, shape, NULL, network->input);
}

static void forward(struct vgg_network *network, struct vgg_team *team, const float *crops,
                    uint64_t seed, uint64_t step)
{
    const struct vgg_convolution *last = &network->convs[network->net.arch->convs_n - 1];
    struct flatten_loop loop = {network->net.kernels, last->out, last->result, network->flat};
    const float *x = network->input;

    load_input(network, team, crops);
    for (size_t i = 0; i < network->net.arch->convs_n; i++) {
        vgg_convolution_forward(&network->convs[i], team, x, &network->work);
        x = network->convs[i].result;
    }
    vgg_team_run(team, flatten_view, &loop, network->batch);
    x = network->flat;
    for (size_t i = 0; i < VGG_FCS; i++) {
        const uint64_t key[3] = {seed, VGG_STREAM_DROPOUT, step * VGG_FCS + i};

        vgg_dense_forward(&network->dense[i], team, x, key);
        x = network->dense[i].y;
    }
}

static void backward(struct vgg_network *network, struct vgg_team *team)
{
    size_t convs = network->net.arch->convs_n;
    const struct vgg_convolution *last = &network->convs[convs - 1];
    struct flatten_loop loop = {network->net.kernels, last->out, network->maps[0],
                                network->grad[0]};

    for (size_t i = VGG_FCS; i-- > 0;)
        vgg_dense_backward(&network->dense[i], team,
                           i != 0 ? network->dense[i - 1].y : network->flat, network->grad[i + 1],
                           network->grad[i]);
    vgg_team_run(team, unflatten_view, &loop, network->batch);
    for (size_t i = convs; i-- > 0;)
        vgg_convolution_backward(
            &network->convs[i], team, i != 0 ? network->convs[i - 1].result : network->input,
            network->maps[0], network->maps[1], i != 0 ? network->maps[0] : NULL, &network->work);
}

struct vgg_network_batch vgg_network_step(struct vgg_network *network, struct vgg_team *team,
                                          const float *crops, const uint32_t *labels, uint64_t seed,
                                          uint64_t step)
{
    const struct vgg_dense *scores = &network->dense[VGG_FCS - 1];
    struct vgg_network_batch batch = {0};

    forward(network, team, crops, seed, step);
    for (size_t i = 0; i < network->batch; i++) {
        bool right;

        batch.loss +=
            vgg_loss(scores->y + i * scores->out, scores->out, labels[i], 1.0 / network->batch,
                     network->grad[VGG_FCS] + i * scores->out, &right);
        batch.wrong += !right;
    }
    backward(network, team);
    return batch;
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
