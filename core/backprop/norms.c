/* Statistics of a network's maps, and the batch-norm that undoes itself. */
#include "backprop/norms.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

static size_t padded(const struct vgg_convolution *layer)
{
    return vgg_ceil_div(layer->conv.out, layer->kernels->lanes) * layer->kernels->lanes;
}

enum vgg_status vgg_norms_init(struct vgg_norms *norms, struct vgg_network *network,
                               struct vgg_error *error)
{
    size_t n = 0;

    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution *layer = &network->convs[i];

        n += 2 * padded(layer);
        for (uint32_t c = 0; c < layer->conv.out; c++)
            layer->gamma.value[c] = (float)sqrt(1 + VGG_BATCH_NORM_EPSILON);
    }
    vgg_network_forget(network);
    *norms = (struct vgg_norms){.network = network, .sums = vgg_calloc(n, sizeof *norms->sums)};
    return norms->sums != NULL ? VGG_OK : vgg_fail_memory(error);
}

void vgg_norms_observe(struct vgg_norms *norms, struct vgg_team *team, const float *inputs,
                       uint32_t n)
{
    struct vgg_network *network = norms->network;
    double *sums = norms->sums;

    vgg_network_evaluate(network, team, inputs, n, NULL, NULL);
    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution *layer = &network->convs[i];

        layer->kernels->gradients->moments(team, layer->y, layer->unpooled, layer->zeros,
                                           network->work.sums, network->work.sums_scratch);
        for (size_t j = 0; j < 2 * padded(layer); j++)
            *sums++ += network->work.sums[j];
    }
    norms->examples += n;
}

/* gamma (y - mean) / deviation + beta is y + bias. */
static void settle(struct vgg_convolution *layer, const double *sums, double n)
{
    for (size_t c = 0; c < layer->conv.out; c++) {
        double mean = sums[c] / n;
        double variance = fmax(sums[padded(layer) + c] / n - mean * mean, 0) * n / fmax(n - 1, 1);

        layer->mean[c] = (float)mean;
        layer->variance[c] = (float)variance;
        layer->gamma.value[c] = (float)sqrt((double)layer->variance[c] + VGG_BATCH_NORM_EPSILON);
        layer->bias.value[c] += layer->mean[c];
    }
}

void vgg_norms_fini(struct vgg_norms *norms)
{
    struct vgg_network *network = norms->network;
    const double *sums = norms->sums;

    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution *layer = &network->convs[i];
        double positions = (double)layer->unpooled.h * layer->unpooled.w;

        settle(layer, sums, (double)norms->examples * positions);
        sums += 2 * padded(layer);
    }
    free(norms->sums);
    *norms = (struct vgg_norms){.network = NULL};
}
