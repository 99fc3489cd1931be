/*
 * How long the parts of a descent take: measured where they can be tried, else by how many
 * multiply-accumulates they have. Path of a training: begin.c -> [this], train.c -> [this].
 */
#ifndef VGG_CORE_TRAIN_FORECAST_H
#define VGG_CORE_TRAIN_FORECAST_H

#include "vgg.h"

struct vgg_training;
struct vgg_finish_need;

/* Seconds; zero-initialise. */
struct vgg_forecast {
    double step, forward; /* of one, with what it draws; of its first half alone */
    double validation;    /* of one */
    double rate;          /* of a multiply-accumulate of an engine */
    double teacher;       /* its pass over whole pictures */
    double start;         /* what comes after the maps and before the first step */
    double finish;        /* what comes after the last epoch */
    uint64_t steps;       /* that were run, and how long they took */
    double run;
};

/*
 * Predict all that settings->on_plan is told of: a step has been measured, and maps are open, or a
 * network with its weights validates some pictures. Errors: those of vgg_output_load, vgg_validate.
 */
enum vgg_status vgg_forecast_make(struct vgg_training *training,
                                  const struct vgg_finish_need *finish, struct vgg_error *error);

/* A step has been run. */
void vgg_forecast_step(struct vgg_forecast *forecast, double seconds);

/* Of the steps and validations that are left, at most, and of the end. */
double vgg_forecast_left(const struct vgg_training *training);

#endif
