/*
 * Scores that mean something: one temperature for the posterior as it is served, softmax(z / T) of
 * each view and then the mean, and how far such scores are from what they claim.
 * Path of a fit: fit.c -> [this]; of other ways to train: train/ -> [this].
 */
#ifndef VGG_CORE_FIT_CALIBRATION_H
#define VGG_CORE_FIT_CALIBRATION_H

#include <stdint.h>

#include "base/team.h"

/* Of pictures that were not trained on; nothing is owned. */
struct vgg_logits {
    const float *rows; /* [pictures][views][classes]; finite */
    size_t pictures, views, classes;
    const uint32_t *labels; /* [pictures], < classes */
};

/*
 * The temperature of least negative log-likelihood, within 1/20 to 20. Where it is below 1, which
 * makes scores surer, each picture counts as 1/(n + 2) of a mistake (as Platt's targets do), but
 * scores become no less sure for that: however many were all right, the next may not be.
 * To be folded into the last layer: its weights and biases divided by it. The same bits for any
 * number of threads. Errors: NO_MEMORY.
 */
enum vgg_status vgg_temperature_fit(const struct vgg_logits *logits, struct vgg_team *team,
                                    double *temperature, struct vgg_error *error);

/* posteriors[pictures][classes] at a temperature. */
void vgg_temperature_apply(const struct vgg_logits *logits, double temperature,
                           struct vgg_team *team, double *posteriors);

/*
 * The mean negative log-likelihood of posteriors[pictures][classes], weighted by weights[pictures]
 * or (NULL) not, nats; a posterior of 0 counts as 1e-30.
 */
double vgg_log_loss(const double *posteriors, size_t pictures, size_t classes,
                    const uint32_t *labels, const double *weights);

/* What posteriors of labelled pictures are worth. */
struct vgg_calibration {
    double error; /* top-1: part of the pictures, 0..1 */
    double nll;   /* vgg_log_loss */
    double ece;   /* expected calibration error (reliability.h) */
    double noise; /* that of posteriors that mean what they say */
};

/* posteriors[pictures][classes], labels[pictures]; pictures >= 1. */
struct vgg_calibration vgg_calibration_of(const double *posteriors, size_t pictures, size_t classes,
                                          const uint32_t *labels);

#endif
