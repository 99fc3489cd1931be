/*
 * The last layer alone, a convex problem: multinomial logistic regression with L2 on what the
 * frozen layers compute, solved to convergence. Its strength is chosen, and its scores are made to
 * mean something (calibration.h), by the posteriors of pictures that were left out. Path of a fit:
 * [this] -> rotation.c -> path.c -> calibration.c.
 */
#ifndef VGG_CORE_FIT_FIT_H
#define VGG_CORE_FIT_FIT_H

#include "fit/set.h"

/* The layer, and what is known of its posteriors (softmax of each view, then the mean). */
struct vgg_fit_head {
    float *weights;  /* [classes][dims]; owned, as all of these; the temperature is folded in */
    float *bias;     /* [classes]; likewise */
    double strength; /* of L2, relative to the mean squared length of a centred row */
    /* Of the left-out pictures; 0 and NULL where there are none. */
    double temperature;
    double *posteriors;    /* [pictures, or validation->pictures][classes], at the temperature */
    double nll[2], ece[2]; /* before and after the temperature */
    double ece_noise;      /* the expected ece of scores that mean what they say */
    double error;          /* top-1 */
    unsigned passes;       /* over the rows, by all fits */
};

/*
 * Minimise the weighted mean over pictures of the mean over their views of each view's
 * cross-entropy + strength / 2 * |W|^2 over weights W of rows that are centred and scaled to a mean
 * squared length of 1 (so a strength fits features of any magnitude), the bias free. The layer is
 * for rows as they are given. The same bits for any number of threads. Errors: BAD_ARGUMENT (rows
 * that are not finite), NO_MEMORY, CANCELLED (by `stop`); *head is then empty.
 */
enum vgg_status vgg_fit_head(const struct vgg_fit_set *set, const struct vgg_fit_options *options,
                             struct vgg_fit_head *head, struct vgg_error *error);

/* Free what it holds; zeros are allowed. */
void vgg_fit_head_fini(struct vgg_fit_head *head);

/* At most so many bytes will be taken by vgg_fit_head, beside the sets and VGG_GEMM_BYTES. */
uint64_t vgg_fit_bytes(const struct vgg_fit_set *set, const struct vgg_fit_options *options);

#endif
