/* A fully-connected layer in training, with ReLU and dropout, by matrix products. */
#ifndef VGG_CORE_BACKPROP_DENSE_H
#define VGG_CORE_BACKPROP_DENSE_H

#include "backprop/parameter.h"

struct vgg_dense {
    size_t batch, in, out;
    bool relu;                         /* and dropout, on the hidden layers */
    double dropout;                    /* probability that a unit is left out */
    struct vgg_parameter weight, bias; /* [out][in], [out] */
    float *y;                          /* [batch][out], after all of it */
};

/* Errors: NO_MEMORY; vgg_dense_fini is allowed then. */
enum vgg_status vgg_dense_init(struct vgg_dense *layer, const char *name, size_t batch, size_t in,
                               size_t out, bool relu, double dropout, struct vgg_error *error);
void vgg_dense_fini(struct vgg_dense *layer);

/*
 * x[batch][in] -> layer->y. Units are left out by the stream of random numbers that `key` names,
 * and the others grow by 1 / (1 - dropout), so that inference needs no scale.
 */
void vgg_dense_forward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                       const uint64_t key[3]);

/* y_grad[batch][out], overwritten -> the parameters' gradients, and x_grad[batch][in]. */
void vgg_dense_backward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                        float *y_grad, float *x_grad);

#endif
