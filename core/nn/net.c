/* Shapes, counts and ownership of a network's layers. */
#include "nn/net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

struct vgg_net_sizes vgg_net_sizes_regular(const struct vgg_arch *arch, uint32_t width, uint32_t fc,
                                           uint32_t classes, uint32_t crop)
{
    struct vgg_net_sizes sizes = {.fc = {fc, fc, classes}, .positions_kernel = crop / VGG_STRIDE};

    for (size_t i = 0; i < arch->convs_n; i++)
        sizes.convs[i] = vgg_arch_stage_width(arch->convs[i].stage, width);
    return sizes;
}

enum vgg_status vgg_net_check(const char *arch, uint32_t crop, struct vgg_error *error)
{
    if (vgg_arch_find(arch) == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "architecture \"%.40s\" is not A, A-LRN, B, C, D or E", arch);
    if (crop % VGG_STRIDE != 0 || crop > VGG_SCALE_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "crop must be a multiple of %d, at most %d",
                        VGG_STRIDE, VGG_SCALE_MAX);
    return VGG_OK;
}

static void describe_convs(struct vgg_net *net, const struct vgg_net_sizes *sizes)
{
    uint32_t channels = 3;
    unsigned number = 0;

    for (size_t i = 0; i < net->arch->convs_n; i++) {
        const struct vgg_arch_conv *spec = &net->arch->convs[i];
        struct vgg_layer *layer = &net->layers[net->layers_n++];

        number = i > 0 && net->arch->convs[i - 1].stage == spec->stage ? number + 1 : 1;
        snprintf(layer->name, sizeof layer->name, "conv%u_%u", spec->stage + 1, number);
        layer->conv = (struct vgg_conv){
            .in = channels,
            .out = sizes->convs[i],
            .kernel = spec->kernel,
            .pad = spec->kernel / 2,
            .relu = true,
            .lrn = spec->lrn,
            .pool = spec->pool,
        };
        channels = layer->conv.out;
    }
}

static void describe_fcs(struct vgg_net *net, const struct vgg_net_sizes *sizes)
{
    uint32_t channels = net->layers[net->layers_n - 1].conv.out;

    for (unsigned i = 0; i < VGG_FCS; i++) {
        struct vgg_layer *layer = &net->layers[net->layers_n++];

        snprintf(layer->name, sizeof layer->name, "fc%u", VGG_STAGES + 1 + i);
        layer->conv = (struct vgg_conv){
            .in = channels,
            .out = sizes->fc[i],
            .kernel = i == 0 ? sizes->positions_kernel : 1,
            .relu = i != VGG_FCS - 1,
        };
        channels = layer->conv.out;
    }
}

void vgg_net_describe(struct vgg_net *net, const struct vgg_arch *arch,
                      const struct vgg_kernels *kernels, const struct vgg_net_sizes *sizes)
{
    *net = (struct vgg_net){
        .arch = arch,
        .kernels = kernels,
        .classes = sizes->fc[VGG_FCS - 1],
        .positions_kernel = sizes->positions_kernel,
    };
    describe_convs(net, sizes);
    describe_fcs(net, sizes);
    assert(net->layers_n <= VGG_LAYERS_MAX);
}

void vgg_net_set_half(struct vgg_net *net, bool half)
{
    for (size_t i = net->arch->convs_n; i < net->layers_n; i++)
        net->layers[i].conv.half = half;
}

enum vgg_status vgg_net_allocate(struct vgg_net *net, struct vgg_error *error)
{
    for (size_t i = 0; i < net->layers_n; i++) {
        struct vgg_layer *layer = &net->layers[i];

        layer->packed = vgg_alloc_aligned(net->kernels->weights_bytes(&layer->conv), 1);
        layer->bias = vgg_alloc_aligned(layer->conv.out, sizeof *layer->bias);
        if (layer->packed == NULL || layer->bias == NULL)
            return vgg_fail(error, VGG_NO_MEMORY, "out of memory for the weights of %s",
                            layer->name);
    }
    return VGG_OK;
}

void vgg_net_fini(struct vgg_net *net)
{
    for (size_t i = 0; i < net->layers_n; i++) {
        free(net->layers[i].packed);
        free(net->layers[i].bias);
        net->layers[i].packed = NULL;
        net->layers[i].bias = NULL;
    }
}

void vgg_net_cut(struct vgg_net *net, unsigned blocks)
{
    assert(blocks >= 1 && blocks <= VGG_STAGES);
    net->layers_n = 0;
    while (net->layers_n < net->arch->convs_n && net->arch->convs[net->layers_n].stage < blocks)
        net->layers_n++;
    net->classes = net->layers[net->layers_n - 1].conv.out;
}

bool vgg_net_is_whole(const struct vgg_net *net)
{
    return net->layers_n > net->arch->convs_n;
}

uint32_t vgg_net_features(const struct vgg_net *net)
{
    return net->layers[net->layers_n - 1].conv.in;
}

uint64_t vgg_net_bytes(const struct vgg_net *net)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < net->layers_n; i++)
        bytes += net->kernels->weights_bytes(&net->layers[i].conv) +
                 net->layers[i].conv.out * sizeof *net->layers[i].bias;
    return bytes;
}

uint64_t vgg_layer_weights(const struct vgg_layer *layer)
{
    const struct vgg_conv *conv = &layer->conv;

    return (uint64_t)conv->out * conv->in * conv->kernel * conv->kernel;
}

uint64_t vgg_net_parameters(const struct vgg_net *net)
{
    uint64_t parameters = 0;

    for (size_t i = 0; i < net->layers_n; i++)
        parameters += vgg_layer_weights(&net->layers[i]) + net->layers[i].conv.out;
    return parameters;
}

uint64_t vgg_net_macs(const struct vgg_net *net, uint32_t height, uint32_t width)
{
    struct vgg_shape shape = {1, 3, height, width};
    uint64_t macs = 0;

    for (size_t i = 0; i < net->layers_n; i++) {
        struct vgg_shape out = vgg_conv_unpooled(&net->layers[i].conv, shape);

        macs += vgg_layer_weights(&net->layers[i]) * out.h * out.w;
        shape = vgg_conv_output(&net->layers[i].conv, shape);
        if (shape.h == 0 || shape.w == 0)
            return 0;
    }
    return macs;
}
