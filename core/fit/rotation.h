/*
 * Rows centred, scaled to a mean squared length of 1 and, where they are fewer than half their
 * dimensions, rotated into the space that they span: L2 does not notice.
 * Path of a fit: fit.c -> [this] -> path.c.
 */
#ifndef VGG_CORE_FIT_ROTATION_H
#define VGG_CORE_FIT_ROTATION_H

#include "fit/set.h"

/* Zero-initialise. */
struct vgg_rotation {
    size_t dims;  /* of the rows that were given */
    size_t rank;  /* of those that came of them */
    float *rows;  /* [pictures * views][rank] */
    double *mean; /* [dims]; what rows were scaled by: */
    double scale;
    double *row; /* [2][dims]: scratch of vgg_rotation_return */
    /* Where they were rotated, else NULL: the rows that span all, centred, and their coordinates.
     */
    double *spanning; /* [rank][dims] */
    double *triangle; /* [rank][rank], lower, before the scale */
};

/* Whether `rows` rows are rotated. */
bool vgg_rotation_reduces(size_t rows, size_t dims);

/* The bytes that it takes, at most; of these, those that it holds afterwards. */
uint64_t vgg_rotation_bytes(size_t rows, size_t dims, uint64_t *held);

/* Errors: BAD_ARGUMENT (rows that are not finite), NO_MEMORY, CANCELLED; fini is due then too. */
enum vgg_status vgg_rotation_init(struct vgg_rotation *rotation, const struct vgg_fit_set *set,
                                  const struct vgg_fit_options *options, struct vgg_error *error);

/* Free what it holds; zeros are allowed. */
void vgg_rotation_fini(struct vgg_rotation *rotation);

/*
 * A layer for rotated rows, layer[classes][rank] and then its bias, becomes weights[classes][dims]
 * and bias[classes] for rows as they were given. All are divided by `divisor`.
 */
void vgg_rotation_return(const struct vgg_rotation *rotation, size_t classes, const double *layer,
                         double divisor, float *weights, float *bias);

#endif
