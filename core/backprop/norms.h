/*
 * Batch normalisation put into a network that was trained without: its scale and shift are those
 * that leave every map as it is, by the mean and variance of training pictures.
 */
#ifndef VGG_CORE_BACKPROP_NORMS_H
#define VGG_CORE_BACKPROP_NORMS_H

#include "backprop/network.h"

/* Zero-initialise. */
struct vgg_norms {
    struct vgg_network *network;
    double *sums; /* of each layer's map and of its square: [2][channels, padded]; owned */
    uint64_t examples;
};

/*
 * Begin with a network with batch-norm, whose biases are those of a network without: it gives what
 * that gave. Errors: NO_MEMORY.
 */
enum vgg_status vgg_norms_init(struct vgg_norms *norms, struct vgg_network *network,
                               struct vgg_error *error);

/* Take notice of inputs[n], n as in a step. */
void vgg_norms_observe(struct vgg_norms *norms, struct vgg_team *team, const float *inputs,
                       uint32_t n);

/*
 * Put the statistics of all that was observed, at least one example, into the network, which still
 * gives the same in inference.
 */
void vgg_norms_fini(struct vgg_norms *norms);

#endif
