/*
 * The minimum of a smooth convex function by L-BFGS (Liu and Nocedal, 1989). The caller computes
 * the function where it is asked to, so that several minima can be sought by one pass over the
 * data. Path of a fit: fit.c -> path.c -> [this], objective.c.
 */
#ifndef VGG_CORE_FIT_LBFGS_H
#define VGG_CORE_FIT_LBFGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VGG_LBFGS_PAIRS = 10, VGG_LBFGS_STEPS = 4000 };

struct vgg_lbfgs {
    size_t n;
    double *x;        /* [n]: where the function is to be computed, at the end its minimum */
    double *gradient; /* [n]: of the function there, by the caller */
    unsigned steps;   /* calls of vgg_lbfgs_step since the start */
    /* Where the line search began, and its direction. */
    double *from, *from_gradient, *direction; /* [n] */
    double from_loss, slope;
    double at; /* x = from + at * direction */
    unsigned trials;
    /* How x and the gradient changed in the last steps, a ring. */
    float *change, *gradient_change; /* [VGG_LBFGS_PAIRS][n] */
    double curvature[VGG_LBFGS_PAIRS];
    size_t pairs, next;
};

/* The bytes of one for n unknowns. */
uint64_t vgg_lbfgs_bytes(size_t n);

/* For n >= 1 unknowns. False: out of memory; vgg_lbfgs_fini is due all the same. */
bool vgg_lbfgs_init(struct vgg_lbfgs *solver, size_t n);

/* Free what it holds; zeros are allowed. */
void vgg_lbfgs_fini(struct vgg_lbfgs *solver);

/* Begin from x, which the caller has set. */
void vgg_lbfgs_start(struct vgg_lbfgs *solver);

/*
 * `loss` and solver->gradient were computed at x. True: x has moved, compute them again. False: x
 * is the minimum, as its gradient's length of at most `enough` tells, or as well as sums can tell.
 */
bool vgg_lbfgs_step(struct vgg_lbfgs *solver, double loss, double enough);

#endif
