/*
 * Layers of one strength after the other, each starting where the one before ended: of all folds at
 * once, or of the whole set.
 * Path of a fit: fit.c -> [this] -> lbfgs.c, objective.c.
 */
#ifndef VGG_CORE_FIT_PATH_H
#define VGG_CORE_FIT_PATH_H

#include "fit/lbfgs.h"
#include "fit/objective.h"

/* Zero-initialise. */
struct vgg_path {
    struct vgg_objective objective;
    size_t layers, abreast;    /* of the layers, so many are sought at once */
    double **x;                /* [layers]: [classes][dims], then [classes] */
    double **weights;          /* [layers]: [pictures], their sum is 1 */
    struct vgg_lbfgs *solvers; /* [abreast] */
    unsigned passes;           /* over the rows, so far */
};

/* The bytes of one. */
uint64_t vgg_path_bytes(size_t pictures, size_t classes, size_t dims, size_t layers);

/*
 * One layer for each of `folds_n` folds, fitted on the other folds; or one, with folds NULL, on
 * all. path->objective has its set, rows and so on. Errors: NO_MEMORY; fini is due then too.
 */
enum vgg_status vgg_path_init(struct vgg_path *path, const uint32_t *folds, size_t folds_n,
                              struct vgg_error *error);

/* Free what it holds; zeros are allowed. */
void vgg_path_fini(struct vgg_path *path);

/*
 * The layers of this strength into path->x, which hold where to start. Each is the minimum to a
 * distance of at most `precision` times the length of its weights. Errors: CANCELLED.
 */
enum vgg_status vgg_path_fit(struct vgg_path *path, double strength, double precision,
                             struct vgg_error *error);

#endif
