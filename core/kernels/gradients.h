/*
 * What training needs beside the convolutions themselves, on blocked maps (blocked.h). Forward and
 * data gradients of a convolution are convolutions, and run by the kernels of inference; the rest
 * is here: the gradient of the weights, and what follows a convolution in training:
 *
 *     y --scale, shift--> u --ReLU--> z --2x2 max-pool--> out
 *
 * scale and shift are per channel: 1 and the bias, or those of batch normalisation.
 *
 * Per-channel vectors are float[blocks * lanes] with zeros past the last channel. Every sum has one
 * order, given by shapes alone: the same bits for any number of threads. Nothing is allocated.
 */
#ifndef VGG_CORE_KERNELS_GRADIENTS_H
#define VGG_CORE_KERNELS_GRADIENTS_H

#include "kernels/blocked.h"

/* What follows a convolution. */
struct vgg_post {
    const float *scale, *shift;
    bool relu, pool;
};

struct vgg_gradients {
    /* Floats of scratch that a layer takes whose input has this shape. */
    size_t (*scratch_floats)(const struct vgg_conv *conv, struct vgg_shape in_shape);

    /*
     * Sums over views and positions of y - centre and of its square: sums[2][blocks * lanes], in
     * double. For the mean and variance of batch normalisation.
     */
    void (*moments)(struct vgg_team *team, const float *y, struct vgg_shape shape,
                    const float *centre, double *sums, float *scratch);

    /* y of `shape` -> out, of half its sides where post->pool. The frame of out is not touched. */
    void (*post)(struct vgg_team *team, const struct vgg_post *post, const float *y,
                 struct vgg_shape shape, float *out);

    /*
     * Gradient of out -> gradient of u (of `shape`), and sums[2][blocks * lanes] of it and of it
     * times y - centre. Of equal maxima the first one has the gradient. The frame of u_grad is not
     * touched; it may be out_grad where there is no pool.
     */
    void (*post_back)(struct vgg_team *team, const struct vgg_post *post, const float *out_grad,
                      const float *y, struct vgg_shape shape, const float *centre, float *u_grad,
                      double *sums, float *scratch);

    /*
     * Gradient of u -> gradient of y, in place, through batch normalisation: per channel
     * scale * grad + slope * y + offset.
     */
    void (*blend)(struct vgg_team *team, float *grad, const float *y, struct vgg_shape shape,
                  const float *scale, const float *slope, const float *offset);

    /* grad[out][in][k][k] of a 3x3 or 1x1 convolution from its input and the gradient of y. */
    void (*weights)(struct vgg_team *team, const struct vgg_conv *conv, const float *in,
                    struct vgg_shape in_shape, const float *y_grad, float *grad, float *scratch);
};

#endif
