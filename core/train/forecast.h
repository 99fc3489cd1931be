/*
 * How long the parts of a descent take: measured where they can be tried, else by how many
 * multiply-accumulates they have. Path of a training: plan.c, train.c -> [this].
 */
#ifndef VGG_CORE_TRAIN_FORECAST_H
#define VGG_CORE_TRAIN_FORECAST_H

#include "train/training.h"

/*
 * Predict all that settings->on_plan is told of: a step has been measured, and maps are open, or a
 * network with its weights validates some pictures; the end is of so many multiply-accumulates.
 * Errors: those of vgg_output_load, vgg_validate.
 */
enum vgg_status vgg_forecast_make(struct vgg_training *training, uint64_t finish_macs,
                                  struct vgg_error *error);

/* A step has been run. */
void vgg_forecast_step(struct vgg_training *training, double seconds);

/* Of the steps and validations that are left, at most, and of the end. */
double vgg_forecast_left(const struct vgg_training *training);

#endif
