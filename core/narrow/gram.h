/*
 * Least squares by normal equations: sums of products over rows that come in blocks. Path of a
 * narrow layer: places.c -> [this] -> narrow.c.
 */
#ifndef VGG_CORE_NARROW_GRAM_H
#define VGG_CORE_NARROW_GRAM_H

#include "base/team.h"

/* Zero-initialise. */
struct vgg_gram {
    size_t inputs, outputs;
    uint64_t rows;
    double *products; /* [inputs + outputs][inputs], of inputs with each other below the diagonal */
    double *sums;     /* [inputs + outputs] */
    double *squares;  /* [outputs] */
    float *tiles;     /* a square for each thread */
};

/* For inputs alone, too (outputs 0). Errors: NO_MEMORY; vgg_gram_fini is allowed then. */
enum vgg_status vgg_gram_init(struct vgg_gram *gram, size_t inputs, size_t outputs,
                              unsigned threads, struct vgg_error *error);
void vgg_gram_fini(struct vgg_gram *gram);

/* Bytes that it takes. */
uint64_t vgg_gram_bytes(size_t inputs, size_t outputs, unsigned threads);

/*
 * Add rows of x[rows][inputs] and y[rows][outputs]: products in float within these rows, some
 * hundred, else in double. After vgg_gemm_start; the same bits for any number of threads.
 */
void vgg_gram_add(struct vgg_gram *gram, struct vgg_team *team, size_t rows, const float *x,
                  const float *y);

/* Products of deviations from the mean, from now on; nothing can be added then. */
void vgg_gram_centre(struct vgg_gram *gram);

/*
 * After that: weights[outputs][inputs] and biases[outputs] that give y from x with least squares
 * and a ridge, relative to the inputs' mean square, each output then scaled to a deviation of 1
 * over the rows. The mean over outputs of the part of their variance that is explained; the
 * products are used up.
 */
double vgg_gram_fit(struct vgg_gram *gram, struct vgg_team *team, double ridge, float *weights,
                    float *biases);

#endif
