/*
 * Examples mixed in pairs (Zhang et al.: mixup: beyond empirical risk minimization, 2018): where
 * pictures are few, what lies between two of them is trained on.
 */
#ifndef VGG_CORE_FEED_MIXUP_H
#define VGG_CORE_FEED_MIXUP_H

#include <stddef.h>
#include <stdint.h>

/*
 * The share that each of a pair keeps of itself, in 1/2 .. 1: the larger part of a draw from
 * Beta(alpha, alpha), of its own for each epoch, step and pair. alpha in (0, 1]. Pure.
 */
double vgg_mixup_share(uint64_t seed, uint64_t epoch, uint64_t step, uint64_t pair, double alpha);

/* Both of a pair become `share` of themselves and the rest of the other. */
void vgg_mixup(float *one, float *other, size_t n, double share);

#endif
