/* Arrays that training learns, and stochastic gradient descent with momentum on them. */
#ifndef VGG_CORE_BACKPROP_PARAMETER_H
#define VGG_CORE_BACKPROP_PARAMETER_H

#include "base/team.h"

enum { VGG_PARAMETER_NAME_BYTES = 32, VGG_PARAMETER_ARRAYS = 3 };

struct vgg_parameter_options {
    uint64_t n;  /* values */
    bool decays; /* weights do, biases and batch-norm do not */
    bool fused;  /* no array for the gradient: each part descends as soon as it is known */
};

/* An array of n floats with its velocity and gradient, all owned. Zero-initialise. */
struct vgg_parameter {
    char name[VGG_PARAMETER_NAME_BYTES]; /* "conv3_1.weight" */
    float *value, *velocity, *gradient;
    uint64_t n;
    bool decays;
};

/* Allocate, all zero. Errors: NO_MEMORY; vgg_parameter_fini is allowed then. */
enum vgg_status vgg_parameter_init(struct vgg_parameter *parameter, const char *layer,
                                   const char *what, const struct vgg_parameter_options *options,
                                   struct vgg_error *error);
void vgg_parameter_fini(struct vgg_parameter *parameter);

struct vgg_descent {
    double rate, momentum, decay;
};

/*
 * velocity = momentum * velocity - rate * (gradient + decay * value); value += velocity (Caffe's
 * form, which the authors used: section 3.1).
 */
void vgg_parameter_descend(struct vgg_parameter *parameter, struct vgg_team *team,
                           const struct vgg_descent *descent);

/* The same for values [first, first + n), whose gradient is given. */
void vgg_parameter_descend_part(const struct vgg_parameter *parameter,
                                const struct vgg_descent *descent, uint64_t first, size_t n,
                                const float *gradient);

#endif
