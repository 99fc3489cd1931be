/* Which channels of a layer a narrower one is to give. */
#ifndef VGG_CORE_NARROW_CHOICE_H
#define VGG_CORE_NARROW_CHOICE_H

#include "kernels/kernels.h"

/* Weigh the covariance of n channels, the lower triangle, by what the next layer makes of each. */
void vgg_weigh_channels(double *covariance, size_t n, const float *weights,
                        const struct vgg_conv *next);

/*
 * chosen[k], ascending: the k <= n channels that together explain most of the variance of all,
 * each taken as the one that explains most of what those before it leave. covariance[n][n], the
 * lower triangle, is used up.
 */
void vgg_choose_channels(double *covariance, size_t n, size_t k, uint32_t *chosen);

#endif
