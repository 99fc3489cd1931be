/*
 * The covariance of pictures about the means of their classes, shrunk as far as their number asks
 * (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
 * 2004), and the matrix that makes it the identity.
 * Path of a fit: fit.c -> [this] -> left_out.c.
 */
#ifndef VGG_CORE_TYPICALITY_WHITENING_H
#define VGG_CORE_TYPICALITY_WHITENING_H

#include "base/team.h"

struct vgg_whitening {
    double *matrix; /* [dims][dims], lower triangular; owned; NULL: the pictures do not differ */
    double weight;  /* of one picture in the covariance */
};

/*
 * residuals[dims][n]: pictures less the means of their `classes` classes, n > classes. The same
 * bits for any number of threads. Errors: NO_MEMORY.
 */
enum vgg_status vgg_whitening_fit(const double *residuals, size_t n, size_t dims, size_t classes,
                                  struct vgg_team *team, struct vgg_whitening *whitening,
                                  struct vgg_error *error);

#endif
