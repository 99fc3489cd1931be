/* Memory of training. */
#include "train/footprint.h"

#include "backprop/convolution.h"
#include "base/mem.h"
#include "engine/footprint.h"

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The convolutions that train, what they share, and the pictures. *shape becomes that of the last
 * map. */
static uint64_t predict_convs(const struct vgg_net *net, size_t frozen, struct vgg_shape *shape,
                              unsigned threads)
{
    const struct vgg_kernels *kernels = net->kernels;
    uint64_t bytes = 0, scratch = 0, maps[2] = {0};

    for (size_t i = 0; i < net->arch->convs_n; i++) {
        const struct vgg_conv *conv = &net->layers[i].conv;
        struct vgg_convolution_needs needs;

        if (i == frozen)
            bytes +=
                vgg_mapped_bytes(kernels->map_bytes(*shape)) +
                vgg_mapped_bytes((size_t)shape->c * shape->n * shape->h * shape->w * sizeof(float));
        if (i >= frozen) {
            bytes += vgg_convolution_predict(kernels, conv, *shape, threads, &needs);
            scratch = most(scratch, vgg_mapped_bytes(needs.scratch_bytes) +
                                        vgg_mapped_bytes(needs.sums_scratch * sizeof(float)) +
                                        vgg_mapped_bytes(needs.flipped * sizeof(float)) +
                                        vgg_mapped_bytes(needs.sums * sizeof(double)));
            maps[1] = most(maps[1], kernels->map_bytes(vgg_conv_unpooled(conv, *shape)));
        }
        *shape = vgg_conv_output(conv, *shape);
        if (i >= frozen)
            maps[0] = most(maps[0], kernels->map_bytes(*shape));
    }
    return bytes + scratch + vgg_mapped_bytes(maps[0]) + vgg_mapped_bytes(maps[1]);
}

/* The FC layers at all positions of a map of `shape`, their gradients, and the windows, twice. */
static uint64_t predict_dense(const struct vgg_net *net, struct vgg_shape shape, bool frozen,
                              unsigned threads)
{
    const struct vgg_layer *layer = &net->layers[net->arch->convs_n];
    const struct vgg_positions positions = {shape.c, shape.h, shape.w, net->positions_kernel};
    uint64_t rows = (uint64_t)shape.n * vgg_positions_count(&positions), tile = 0;
    uint64_t bytes = (frozen ? 1 : 2) *
                     vgg_mapped_bytes(rows * vgg_positions_window(&positions) * sizeof(float));

    if (rows != shape.n || frozen)
        bytes +=
            vgg_mapped_bytes((uint64_t)shape.n * vgg_positions_map(&positions) * sizeof(float));
    for (; layer < net->layers + net->layers_n; layer++) {
        uint64_t in = vgg_layer_weights(layer) / layer->conv.out;

        bytes += 2 * vgg_mapped_bytes(vgg_layer_weights(layer) * sizeof(float)) +
                 2 * vgg_mapped_bytes(rows * layer->conv.out * sizeof(float));
        tile = most(tile, vgg_dense_tile_floats((size_t)in, layer->conv.out));
    }
    return bytes + vgg_mapped_bytes(threads * tile * sizeof(float));
}

uint64_t vgg_train_predict(const struct vgg_arch *arch, const struct vgg_kernels *kernels,
                           const struct vgg_net_sizes *sizes,
                           const struct vgg_network_options *options, unsigned threads)
{
    const struct vgg_engine_options engine =
        vgg_engine_complete(&(struct vgg_engine_options){.threads = threads});
    const uint32_t own = sizes->positions_kernel * VGG_STRIDE;
    const uint32_t side = options->crop != 0 ? options->crop : own;
    struct vgg_shape shape = {options->batch, 3, side, side};
    struct vgg_net net;
    size_t arenas[2];
    uint64_t bytes;

    vgg_net_describe(&net, arch, kernels, sizes);
    bytes = predict_convs(&net, options->frozen, &shape, threads);
    bytes += predict_dense(&net, shape, options->frozen == arch->convs_n, threads);
    if (options->frozen != 0)
        return bytes;
    vgg_engine_demand(&engine, &net, arenas);
    return bytes + vgg_net_parameters(&net) * sizeof(float) + vgg_net_bytes(&net) + arenas[0] +
           arenas[1];
}
