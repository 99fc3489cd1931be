/* A network: the layers of one configuration with their shapes, and the weights once loaded. */
#ifndef VGG_CORE_NN_NET_H
#define VGG_CORE_NN_NET_H

#include "kernels/kernels.h"
#include "nn/arch.h"

/* Added to a variance by batch normalisation: PyTorch's, with which model files are made. */
#define VGG_BATCH_NORM_EPSILON 1e-5

struct vgg_layer {
    char name[16]; /* "conv3_1", "fc6" as in the authors' release */
    struct vgg_conv conv;
    void *packed; /* weights as the kernels want them, owned */
    float *bias;  /* [conv.out], owned */
};

struct vgg_net {
    const struct vgg_arch *arch;
    const struct vgg_kernels *kernels;
    uint32_t classes;
    uint32_t positions_kernel; /* k: side of the first FC layer's kernel; the crop is 32k pixels */
    size_t layers_n;
    struct vgg_layer layers[VGG_LAYERS_MAX]; /* convolutions, then the three FC layers */
};

/*
 * Keep the layers up to the end of a block of convolutions, 1 .. VGG_STAGES: their last map is what
 * such a network computes, its channels stand for the classes.
 */
void vgg_net_cut(struct vgg_net *net, unsigned blocks);

/* Has it its FC layers? */
bool vgg_net_is_whole(const struct vgg_net *net);

/* Sizes of a network that the configuration leaves open. */
struct vgg_net_sizes {
    uint32_t convs[VGG_CONVS_MAX]; /* output channels of each convolution */
    uint32_t fc[VGG_FCS];          /* units of each FC layer; the last are the classes */
    uint32_t positions_kernel;
};

/* The sizes of a regular network: stages of 1, 2, 4, 8, 8 times `width`. */
struct vgg_net_sizes vgg_net_sizes_regular(const struct vgg_arch *arch, uint32_t width, uint32_t fc,
                                           uint32_t classes, uint32_t crop);

/* BAD_ARGUMENT where there is no such configuration, or the crop does not suit one. */
enum vgg_status vgg_net_check(const char *arch, uint32_t crop, struct vgg_error *error);

/* Describe a network (no weights yet). All sizes are at least 1. */
void vgg_net_describe(struct vgg_net *net, const struct vgg_arch *arch,
                      const struct vgg_kernels *kernels, const struct vgg_net_sizes *sizes);

/* Are the FC layers' weights to be held in half precision? Before vgg_net_allocate. */
void vgg_net_set_half(struct vgg_net *net, bool half);

/* Allocate packed weights and biases of every layer. On VGG_NO_MEMORY call vgg_net_fini. */
enum vgg_status vgg_net_allocate(struct vgg_net *net, struct vgg_error *error);

/* Free the weights. A zeroed or described net is allowed. */
void vgg_net_fini(struct vgg_net *net);

/* Units of the last hidden layer. */
uint32_t vgg_net_features(const struct vgg_net *net);

/* Bytes that vgg_net_allocate takes. */
uint64_t vgg_net_bytes(const struct vgg_net *net);

/* Weights of a layer, without its biases. */
uint64_t vgg_layer_weights(const struct vgg_layer *layer);

/* Weights and biases of the whole network. */
uint64_t vgg_net_parameters(const struct vgg_net *net);

/* Multiply-accumulates of one view as direct convolution; 0 where it is below the crop. */
uint64_t vgg_net_macs(const struct vgg_net *net, uint32_t height, uint32_t width);

#endif
