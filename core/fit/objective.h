/*
 * Loss and gradient of several last layers at once, by one pass over the rows: those of all folds
 * share it, which makes narrow products wide.
 * Path of a fit: fit.c -> path.c -> lbfgs.c, [this].
 */
#ifndef VGG_CORE_FIT_OBJECTIVE_H
#define VGG_CORE_FIT_OBJECTIVE_H

#include "fit/set.h"

/* What is minimised; its rows are centred and scaled. */
struct vgg_objective {
    const struct vgg_fit_set *set;
    const float *rows; /* [set->pictures * set->views][dims] */
    size_t dims;
    struct vgg_team *team;
    bool (*stop)(void *user);
    void *user;
    /* Scratch for `layers` at once. */
    size_t layers, slots; /* slots: blocks of rows whose sums are kept at the same time */
    float *weights;       /* [layers * classes][dims] */
    float *scores;        /* [slots][scores of a block] */
    float *gradients;     /* [slots][layers * classes][dims] */
    double *sums;         /* [slots][layers * (1 + classes)]: loss, gradient of the bias */
    double *posteriors;   /* [slots][classes] */
};

/* One layer: x and gradient are [classes][dims], then [classes] of the bias. */
struct vgg_layer {
    const double *x;
    double *gradient;
    double loss;
    double strength;
    const double *weights; /* [pictures]: their sum is 1; 0: left out */
};

/* The unknowns of a layer. */
size_t vgg_objective_unknowns(size_t classes, size_t dims);

/* The bytes of the scratch. */
uint64_t vgg_objective_bytes(size_t classes, size_t dims, size_t layers);

/* `set` to `user` are set, and the scratch is to be made. Errors: NO_MEMORY; fini is due then too.
 */
enum vgg_status vgg_objective_init(struct vgg_objective *objective, size_t layers,
                                   struct vgg_error *error);

/* Free the scratch; zeros are allowed. */
void vgg_objective_fini(struct vgg_objective *objective);

/* loss and gradient of n <= objective->layers layers at their x. Errors: CANCELLED. */
enum vgg_status vgg_objective_evaluate(struct vgg_objective *objective,
                                       struct vgg_layer *const *layers, size_t n,
                                       struct vgg_error *error);

#endif
