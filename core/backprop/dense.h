/* A fully-connected layer in training, with ReLU and dropout, by matrix products. */
#ifndef VGG_CORE_BACKPROP_DENSE_H
#define VGG_CORE_BACKPROP_DENSE_H

#include "backprop/parameter.h"

/* What a layer is, beside its name. */
struct vgg_dense_options {
    size_t rows, in, out; /* at most so many rows at a time */
    size_t positions;     /* rows of one example, which leave out the same units; 0: 1 */
    bool relu;            /* and dropout, on the hidden layers */
    double dropout;       /* probability that a unit is left out */
    bool fused;           /* the weights' gradient is never there as a whole */
};

struct vgg_dense {
    size_t rows, in, out, positions; /* rows: those of this step */
    bool relu;
    double dropout;
    struct vgg_parameter weight, bias; /* [out][in], [out]; weight.gradient is NULL where fused */
    float *y;                          /* [rows][out], after all of it */
    float *tiles; /* [threads][vgg_dense_tile_floats], the caller's; of a fused layer */
};

/* Errors: NO_MEMORY; vgg_dense_fini is allowed then. */
enum vgg_status vgg_dense_init(struct vgg_dense *layer, const char *name,
                               const struct vgg_dense_options *options, struct vgg_error *error);
void vgg_dense_fini(struct vgg_dense *layer);

/* Of the piece of the weights' gradient that a thread has to do with. */
size_t vgg_dense_tile_floats(size_t in, size_t out);

/*
 * x[rows][in] -> layer->y. Units are left out by the stream of random numbers that `key` names,
 * and the others grow by 1 / (1 - dropout), so that inference needs no scale; NULL: none is left
 * out.
 */
void vgg_dense_forward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                       const uint64_t key[3]);

/*
 * y_grad[rows][out], overwritten -> x_grad[rows][in] (NULL: not asked for) and the parameters'
 * gradients, by which they descend; `descent` NULL: they stay (not where it is fused).
 */
void vgg_dense_backward(struct vgg_dense *layer, struct vgg_team *team, const float *x,
                        float *y_grad, float *x_grad, const struct vgg_descent *descent);

#endif
