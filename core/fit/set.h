/*
 * What a last layer is fitted on, and how.
 * Path of a fit: [this] -> fit.c -> rotation.c, path.c.
 */
#ifndef VGG_CORE_FIT_SET_H
#define VGG_CORE_FIT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/team.h"

/* Features of pictures, each seen in so many views; nothing is owned. */
struct vgg_fit_set {
    const float *rows; /* [pictures][views][dims]; finite */
    size_t pictures, views, dims;
    const uint32_t *labels; /* [pictures], < classes */
    uint32_t classes;
    const double *weights; /* [pictures]: of a picture's loss, at least 0; NULL: all 1 */
};

/* Zero fields take the value in brackets, where there is one. */
struct vgg_fit_options {
    struct vgg_team *team;
    /*
     * Whose posteriors choose the strength and the temperature: of each fold, those of a layer
     * fitted on the other folds; or, where it is given, of this set, those of the layer fitted on
     * the first. With neither, `strength` is given, `temperature` may be, and nothing is measured.
     */
    const uint32_t *folds; /* [pictures], < folds_n: the one that leaves the picture out; or NULL */
    uint32_t folds_n;
    const struct vgg_fit_set *validation; /* of the same views, dims and classes */
    double strength;                      /* of L2 [the best of a path] */
    double temperature;                   /* to fold in where it is not fitted [1] */
    bool (*stop)(void *user); /* asked several times a second by the caller's thread; or NULL */
    void *user;
};

#endif
