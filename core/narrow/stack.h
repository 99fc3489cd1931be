/*
 * Convolutions that run one after the other on a batch of crops, so that each map can be looked at
 * on the way. Path of a crop: data/sample.c -> [this] -> places.c -> gram.c.
 */
#ifndef VGG_CORE_NARROW_STACK_H
#define VGG_CORE_NARROW_STACK_H

#include "kernels/blocked.h"
#include "nn/net.h"

/* Zero-initialise. */
struct vgg_stack {
    const struct vgg_kernels *kernels;
    size_t layers_n;
    struct vgg_layer layers[VGG_CONVS_MAX]; /* their packed weights and biases are its own */
    struct vgg_shape in;                    /* of the largest batch */
    struct vgg_view_pixels *views;          /* [in.n] */
    float *maps[2];
    void *scratch;
    /* Where the batch stands. */
    size_t layer; /* the next one */
    struct vgg_shape shape;
    const float *map; /* of this shape */
};

/*
 * Make room for the convolutions of a described network, with kernels whose maps are blocked, on
 * batches of at most `in`. Errors: NO_MEMORY; vgg_stack_fini is allowed then.
 */
enum vgg_status vgg_stack_init(struct vgg_stack *stack, const struct vgg_net *net,
                               const struct vgg_kernels *kernels, struct vgg_shape in,
                               unsigned threads, struct vgg_error *error);
void vgg_stack_fini(struct vgg_stack *stack);

/* Bytes that it takes. */
uint64_t vgg_stack_bytes(const struct vgg_net *net, const struct vgg_kernels *kernels,
                         struct vgg_shape in, unsigned threads);

/* Give a layer weights[out][in][k][k] and biases[out]. */
void vgg_stack_set(struct vgg_stack *stack, struct vgg_team *team, size_t layer,
                   const float *weights, const float *biases);

/* Begin with n crops, inputs[n][3][h][w]; then a layer at a time. Maps have zeros around them. */
void vgg_stack_begin(struct vgg_stack *stack, struct vgg_team *team, const float *inputs,
                     uint32_t n);
void vgg_stack_step(struct vgg_stack *stack, struct vgg_team *team);

#endif
