/* Memory of training. */
#include "train/footprint.h"

#include "backprop/convolution.h"
#include "base/mem.h"
#include "engine/footprint.h"

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The convolutions, what they share, and the pictures. */
static uint64_t predict_convs(const struct vgg_net *net, struct vgg_shape shape, unsigned threads)
{
    const struct vgg_kernels *kernels = net->kernels;
    uint64_t bytes = vgg_mapped_bytes(kernels->map_bytes(shape)) +
                     vgg_mapped_bytes((size_t)3 * shape.n * shape.h * shape.w * sizeof(float));
    uint64_t scratch = 0, maps[2] = {0};

    for (size_t i = 0; i < net->arch->convs_n; i++) {
        const struct vgg_conv *conv = &net->layers[i].conv;
        struct vgg_convolution_needs needs;

        bytes += vgg_convolution_predict(kernels, conv, shape, threads, &needs);
        scratch = most(scratch, vgg_mapped_bytes(needs.scratch_bytes) +
                                    vgg_mapped_bytes(needs.sums_scratch * sizeof(float)) +
                                    vgg_mapped_bytes(needs.flipped * sizeof(float)) +
                                    vgg_mapped_bytes(needs.sums * sizeof(double)));
        maps[1] = most(maps[1], kernels->map_bytes(vgg_conv_unpooled(conv, shape)));
        shape = vgg_conv_output(conv, shape);
        maps[0] = most(maps[0], kernels->map_bytes(shape));
    }
    return bytes + scratch + vgg_mapped_bytes(maps[0]) + vgg_mapped_bytes(maps[1]);
}

/* The FC layers, their gradients, and the flat map before them, twice. */
static uint64_t predict_dense(const struct vgg_net *net, uint64_t batch)
{
    const struct vgg_layer *layer = &net->layers[net->arch->convs_n];
    uint64_t flat = batch * (vgg_layer_weights(layer) / layer->conv.out);
    uint64_t bytes = 2 * vgg_mapped_bytes(flat * sizeof(float));

    for (; layer < net->layers + net->layers_n; layer++)
        bytes += VGG_PARAMETER_ARRAYS * vgg_mapped_bytes(vgg_layer_weights(layer) * sizeof(float)) +
                 2 * vgg_mapped_bytes(batch * layer->conv.out * sizeof(float));
    return bytes;
}

uint64_t vgg_train_predict(const struct vgg_arch *arch, const struct vgg_kernels *kernels,
                           const struct vgg_net_sizes *sizes, uint32_t batch, unsigned threads)
{
    const struct vgg_engine_options engine =
        vgg_engine_complete(&(struct vgg_engine_options){.threads = threads});
    const uint32_t side = sizes->positions_kernel * VGG_STRIDE;
    struct vgg_net net;
    size_t arenas[2];

    vgg_net_describe(&net, arch, kernels, sizes);
    vgg_engine_demand(&engine, &net, arenas);
    return predict_convs(&net, (struct vgg_shape){batch, 3, side, side}, threads) +
           predict_dense(&net, batch) + vgg_net_parameters(&net) * sizeof(float) +
           vgg_net_bytes(&net) + arenas[0] + arenas[1];
}
