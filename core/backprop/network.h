/*
 * A network in training: table 1's layers with their gradients, for batches of crops.
 * Path of a training step: data/dataset.c -> data/sample.c -> [this] -> parameter.c.
 */
#ifndef VGG_CORE_BACKPROP_NETWORK_H
#define VGG_CORE_BACKPROP_NETWORK_H

#include "backprop/convolution.h"
#include "backprop/dense.h"
#include "backprop/positions.h"
#include "model/weights.h"
#include "nn/net.h"
#include "vgg_train.h"

enum {
    VGG_NETWORK_PARAMETERS_MAX = 3 * VGG_LAYERS_MAX,
    VGG_NETWORK_STATISTICS_MAX = 2 * VGG_CONVS_MAX
};

struct vgg_network_options {
    uint32_t batch; /* at most so many examples at a time */
    bool batch_norm;
    double dropout;
    uint32_t crop; /* side in pixels, at least the network's, which is what 0 stands for */
    size_t frozen; /* convolutions that are not there: the input is the map of the last of them */
    bool fused;    /* as in vgg_dense_options: then a step must descend */
};

struct vgg_network {
    struct vgg_net net; /* described, without weights */
    uint32_t batch, crop;
    uint32_t n; /* of `batch`, in this step */
    size_t frozen;
    struct vgg_convolution convs[VGG_CONVS_MAX]; /* from `frozen` on */
    struct vgg_dense dense[VGG_FCS];
    struct vgg_shape in, last; /* of the input, and of the last convolution's map */
    struct vgg_positions positions;
    float *input;                  /* the map of a batch of inputs */
    struct vgg_view_pixels *views; /* [batch], the crops it is made of */
    float *flat;                   /* [batch], the last maps; NULL: `windows` is the same */
    float *windows;                /* [batch][positions] of them */
    const float *rows;             /* of the first dense layer in this step: windows, or inputs */
    float *scores;                 /* [batch][classes] */
    float *grad[VGG_FCS + 1];      /* of windows, then of each dense layer's y */
    float *maps[2];                /* gradients of maps, the largest of each kind */
    float *tiles;                  /* of dense layers that are fused */
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

/* Begin anew with the statistics of batch-norm: nothing has been seen. */
void vgg_network_forget(struct vgg_network *network);

/* Random weights, one stream a layer. */
void vgg_network_randomise(struct vgg_network *network, enum vgg_train_init init, uint64_t seed);

/*
 * Begin with a trained network's layers, where name and shape are equal: all of the same
 * configuration's; of another's the first four convolutions and the FC layers, as the paper does
 * from A into the deeper nets. How many those are.
 */
size_t vgg_network_copy(struct vgg_network *network, const struct vgg_weights *from);

/*
 * Begin with a base: its convolutions, of the same configuration and widths, and its hidden FC
 * layers where both are of this network's sizes (true). The last layer's weights become zero. The
 * first convolution takes RGB afterwards.
 */
bool vgg_network_take(struct vgg_network *network, const struct vgg_weights *base);

/* Examples of a step. */
struct vgg_network_examples {
    const float *inputs;    /* [n] of network->in: crops, or maps of the frozen layers */
    const uint32_t *labels; /* [n] */
    const float *targets;   /* [n][classes], each of sum 1 */
    const double *weights;  /* [n], of the losses; NULL: 1 */
    uint32_t n;             /* 1 .. batch */
};

/* What a batch gave. */
struct vgg_network_batch {
    double loss;  /* sum over the examples, weighed */
    size_t wrong; /* examples whose best class is another than the label */
};

/*
 * Forward, with all that is kept for the way back. An example's scores are the mean over its
 * positions. Dropout draws from the stream of (seed, step), one set of units for all positions.
 */
struct vgg_network_batch vgg_network_forward(struct vgg_network *network, struct vgg_team *team,
                                             const struct vgg_network_examples *examples,
                                             uint64_t seed, uint64_t step);

/*
 * After it: every parameter's gradient of the mean loss, by which it descends; NULL: it stays.
 * `inputs` must still be there.
 */
void vgg_network_backward(struct vgg_network *network, struct vgg_team *team,
                          const struct vgg_descent *descent);

/*
 * What inference has, without dropout, normalised by the running statistics; n as in a step.
 * Where they are not NULL: scores[n][classes], features[n][vgg_net_features], the last hidden
 * layer, averaged over positions.
 */
void vgg_network_evaluate(struct vgg_network *network, struct vgg_team *team, const float *inputs,
                          uint32_t n, float *scores, float *features);

/*
 * A vgg_fill_fn for the tensors of vgg_names_plan, but for the frozen ones: weights and biases as
 * inference takes them, batch-norm folded in. `user` is the struct vgg_network.
 */
void vgg_network_fill(void *user, size_t tensor, uint64_t first, size_t n, float *out);

#endif
