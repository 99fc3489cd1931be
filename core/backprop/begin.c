/* What a network begins with: random weights, or those of a trained one. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "backprop/network.h"
#include "base/error.h"
#include "base/random.h"
#include "base/streams.h"

/* The weights and biases of a layer, of those that train. */
static struct vgg_parameter *weight_of(struct vgg_network *network, size_t layer)
{
    size_t convs = network->net.arch->convs_n;

    return layer < convs ? &network->convs[layer].weight : &network->dense[layer - convs].weight;
}

static struct vgg_parameter *bias_of(struct vgg_network *network, size_t layer)
{
    size_t convs = network->net.arch->convs_n;

    return layer < convs ? &network->convs[layer].bias : &network->dense[layer - convs].bias;
}

void vgg_network_forget(struct vgg_network *network)
{
    for (size_t i = network->frozen; i < network->net.arch->convs_n; i++) {
        struct vgg_convolution *layer = &network->convs[i];

        for (uint32_t c = 0; c < layer->conv.out && layer->mean != NULL; c++) {
            layer->mean[c] = 0;
            layer->variance[c] = 1;
        }
    }
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
    for (size_t i = network->frozen; i < network->net.layers_n; i++) {
        struct vgg_parameter *weight = weight_of(network, i);
        double scale = deviation(init, &network->net.layers[i].conv);
        const uint64_t keys[] = {seed, VGG_STREAM_INIT, i};
        struct vgg_random random;

        vgg_random_init_keyed(&random, keys, sizeof keys / sizeof *keys);
        for (uint64_t j = 0; j < weight->n; j++)
            weight->value[j] = (float)(scale * vgg_random_normal(&random));
    }
}

enum { SHALLOW_CONVS = 4 }; /* that the paper takes from A (section 3.1), beside the FC layers */

static bool are_alike(const struct vgg_layer *a, const struct vgg_layer *b)
{
    return strcmp(a->name, b->name) == 0 && a->conv.in == b->conv.in &&
           a->conv.out == b->conv.out && a->conv.kernel == b->conv.kernel;
}

/* The trained net's layer of this name and shape, or layers_n where none is to be copied. */
static size_t find_layer(const struct vgg_net *from, const struct vgg_net *net,
                         const struct vgg_layer *layer)
{
    for (size_t i = 0; i < from->layers_n; i++) {
        bool taken = from->arch == net->arch || i < SHALLOW_CONVS || i >= from->arch->convs_n;

        if (taken && are_alike(&from->layers[i], layer))
            return i;
    }
    return from->layers_n;
}

static void copy_layer(struct vgg_network *network, size_t layer, const struct vgg_weights *from,
                       size_t source)
{
    struct vgg_parameter *weight = weight_of(network, layer), *bias = bias_of(network, layer);

    memcpy(weight->value, from->weights[source], (size_t)weight->n * sizeof *weight->value);
    memcpy(bias->value, from->biases[source], (size_t)bias->n * sizeof *bias->value);
}

size_t vgg_network_copy(struct vgg_network *network, const struct vgg_weights *from)
{
    size_t copied = 0;

    for (size_t i = network->frozen; i < network->net.layers_n; i++) {
        size_t source = find_layer(from->net, &network->net, &network->net.layers[i]);

        if (source == from->net->layers_n)
            continue;
        copy_layer(network, i, from, source);
        copied++;
    }
    return copied;
}

/* Of three convolutions' input channels, the first and the last change places. */
static void reverse_channels(struct vgg_convolution *first)
{
    size_t taps = (size_t)first->conv.kernel * first->conv.kernel;

    for (size_t o = 0; o < first->conv.out; o++) {
        float *filter = first->weight.value + o * 3 * taps;

        for (size_t i = 0; i < taps; i++) {
            float blue = filter[i];

            filter[i] = filter[2 * taps + i];
            filter[2 * taps + i] = blue;
        }
    }
}

bool vgg_network_take(struct vgg_network *network, const struct vgg_weights *base)
{
    size_t convs = network->net.arch->convs_n, last = network->net.layers_n - 1;
    bool head = are_alike(&network->net.layers[convs], &base->net->layers[convs]) &&
                are_alike(&network->net.layers[convs + 1], &base->net->layers[convs + 1]);

    for (size_t i = network->frozen; i < (head ? last : convs); i++)
        copy_layer(network, i, base, i);
    if (network->frozen == 0 && strcmp(base->model->info.channels, "BGR") == 0)
        reverse_channels(&network->convs[0]);
    memset(weight_of(network, last)->value, 0, (size_t)weight_of(network, last)->n * sizeof(float));
    return head;
}
