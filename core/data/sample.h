/*
 * What the network is shown in training (paper, section 3.1): a picture rescaled at random, a
 * random crop of it, mirrored half the time, its colours shifted. Beyond the paper, for few
 * pictures: squeezed, turned, a part of it erased.
 * Path of a training step: dataset.c -> [this] -> backprop/network.c -> backprop/parameter.c.
 */
#ifndef VGG_CORE_DATA_SAMPLE_H
#define VGG_CORE_DATA_SAMPLE_H

#include "data/set.h"

struct vgg_sampling {
    uint64_t seed;
    uint32_t crop;                 /* side, pixels; at most scale_min */
    uint32_t side;                 /* that the same crop is shown at, pixels; 0: crop */
    uint32_t scale_min, scale_max; /* the shorter side is drawn from these, both included */
    bool mirror;
    double colour;  /* deviation of the colour shift along each component (paper: 0.1); 0: none */
    double squeeze; /* one side, width or height, loses up to this part, below 1; 0: none */
    bool turn;      /* by 0, 90, 180 or 270 degrees, as likely as each other */
    double erase; /* probability that a rectangle, 2 to 25 % of the crop, becomes the mean colour */
};

/*
 * out[3][side][side]: example `index` of the set as it is in `epoch`, RGB, normalised by the set's
 * mean and std. The same bits for the same arguments. Errors: IO, BAD_IMAGE and so on where a file
 * that was not kept has vanished or changed since (the text names it), NO_MEMORY. Thread-safe.
 */
enum vgg_status vgg_sample(const struct vgg_dataset *dataset, const struct vgg_sampling *sampling,
                           size_t index, uint64_t epoch, float *out, struct vgg_error *error);

/* The order of an epoch: a random permutation of 0 .. n - 1. */
void vgg_sample_order(uint64_t seed, uint64_t epoch, uint32_t *order, size_t n);

#endif
