/*
 * Distances of pictures to the nearest class mean, as they would be had each not been among those
 * that means and covariance come from: in closed form, only the strength of the shrinkage stays.
 * Path of a fit: fit.c -> whitening.c -> [this].
 */
#ifndef VGG_CORE_TYPICALITY_LEFT_OUT_H
#define VGG_CORE_TYPICALITY_LEFT_OUT_H

#include "base/team.h"

struct vgg_left_out {
    size_t n, dims, classes;
    const double *rows;     /* [n][dims], whitened */
    const float *means;     /* [classes][dims], of these */
    const uint32_t *labels; /* [n] */
    const size_t *groups; /* [n]: those of one class and group are left out together; NULL: none */
    double weight;        /* of one picture in the covariance, which is the identity here */
};

/*
 * The squared distances[n]. A group that is all of its class is left out one by one. The same bits
 * for any number of threads. Errors: NO_MEMORY.
 */
enum vgg_status vgg_left_out_distances(const struct vgg_left_out *set, struct vgg_team *team,
                                       double *distances, struct vgg_error *error);

#endif
