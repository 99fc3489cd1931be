/*
 * How far scores are from how often they are right, by bins of confidence, and how far scores of as
 * many pictures are that mean what they say. Path of a fit: fit.c -> calibration.c -> [this].
 */
#ifndef VGG_CORE_FIT_RELIABILITY_H
#define VGG_CORE_FIT_RELIABILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"

enum {
    VGG_RELIABILITY_BINS = 15,   /* as is usual */
    VGG_RELIABILITY_ROUNDS = 400 /* for the noise: its standard error is a twentieth of one set's */
};

/* Answers of about one confidence. */
struct vgg_reliability_bin {
    size_t n, right;
    double confidence; /* sum */
};

struct vgg_reliability {
    struct vgg_reliability_bin bins[VGG_RELIABILITY_BINS];
    size_t n;
    struct vgg_random random;
    /* Of sets in which each answer is right as often as it claims: right less claimed. */
    double excess[VGG_RELIABILITY_ROUNDS][VGG_RELIABILITY_BINS];
};

void vgg_reliability_init(struct vgg_reliability *reliability);

/* Count an answer. Confidence is in 0..1. */
void vgg_reliability_add(struct vgg_reliability *reliability, double confidence, bool right);

/*
 * The expected calibration error: the mean distance, over bins, between confidence and the part
 * that is right; and its expectation for answers that mean what they say. 0 of none. The same bits
 * for the same answers in the same order.
 */
double vgg_reliability_error(const struct vgg_reliability *reliability);
double vgg_reliability_noise(const struct vgg_reliability *reliability);

#endif
