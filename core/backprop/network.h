/*
 * A network in training: table 1's layers with their gradients, for batches of crops.
 * Path of a training step: data/dataset.c -> data/sample.c -> [this] -> parameter.c.
 */
#ifndef VGG_CORE_BACKPROP_NETWORK_H
#define VGG_CORE_BACKPROP_NETWORK_H

#include "backprop/convolution.h"
#include "backprop/dense.h"
#include "nn/net.h"
#include "vgg_train.h"

enum {
    VGG_NETWORK_PARAMETERS_MAX = 3 * VGG_LAYERS_MAX,
    VGG_NETWORK_STATISTICS_MAX = 2 * VGG_CONVS_MAX
};

struct vgg_network_options {
    uint32_t batch;
    bool batch_norm;
    double dropout;
};

struct vgg_network {
    struct vgg_net net; /* described, without weights */
    uint32_t batch, crop;
    struct vgg_convolution convs[VGG_CONVS_MAX];
    struct vgg_dense dense[VGG_FCS];
    float *input;                  /* the map of a batch of crops */
    struct vgg_view_pixels *views; /* [batch], the crops it is made of */
    float *flat;                   /* [batch][channels][rows][columns] of the last convolution */
    float *grad[VGG_FCS + 1];      /* of flat, then of each dense layer's y */
    float *maps[2];                /* gradients of maps, the largest of each kind */
    struct vgg_convolution_work work;
    size_t parameters_n, statistics_n;
    struct vgg_parameter *parameters[VGG_NETWORK_PARAMETERS_MAX];
    struct {
        char name[VGG_PARAMETER_NAME_BYTES]; /* "conv3_1.mean" */
        float *value;
        uint64_t n;
    } statistics[VGG_NETWORK_STATISTICS_MAX]; /* of batch-norm */
};

/*
 * Allocate a network of `sizes` for batches on a team of `threads`; all parameters are zero.
 * Errors: NO_MEMORY, BAD_ARGUMENT (batch-norm in A-LRN); vgg_network_fini is allowed then.
 */
enum vgg_status vgg_network_init(struct vgg_network *network, const struct vgg_arch *arch,
                                 const struct vgg_kernels *kernels,
                                 const struct vgg_net_sizes *sizes,
                                 const struct vgg_network_options *options, unsigned threads,
                                 struct vgg_error *error);
void vgg_network_fini(struct vgg_network *network);

/* Random weights, one stream a layer. */
void vgg_network_randomise(struct vgg_network *network, enum vgg_train_init init, uint64_t seed);

/*
 * Begin with a trained network's layers, where name and shape are equal: all of the same
 * configuration's; of another's the first four convolutions and the FC layers, as the paper does
 * from A into the deeper nets. *copied tells how many. Errors: those of vgg_weights_read,
 * BAD_ARGUMENT (not one layer fits).
 */
enum vgg_status vgg_network_copy(struct vgg_network *network, const char *path, size_t *copied,
                                 struct vgg_error *error);

/* What a batch gave. */
struct vgg_network_batch {
    double loss;  /* sum of -log of the right classes' posteriors */
    size_t wrong; /* examples whose best class is another */
};

/*
 * Forward and backward for crops[batch][3][crop][crop] of labels[batch]: every parameter's gradient
 * of the mean loss. Dropout draws from the stream of (seed, step).
 */
struct vgg_network_batch vgg_network_step(struct vgg_network *network, struct vgg_team *team,
                                          const float *crops, const uint32_t *labels, uint64_t seed,
                                          uint64_t step);

/*
 * A vgg_fill_fn for the tensors of vgg_names_plan: weights and biases as inference takes them,
 * batch-norm folded in. `user` is the struct vgg_network.
 */
void vgg_network_fill(void *user, size_t tensor, uint64_t first, size_t n, float *out);

#endif
