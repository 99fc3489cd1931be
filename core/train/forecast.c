/* The parts of a descent, and their sum. */
#include "train/forecast.h"

#include <math.h>

#include "base/clock.h"
#include "feed/pictures.h"
#include "feed/validate.h"
#include "narrow/cost.h"
#include "train/output.h"

enum { TRIED = 4 /* validation pictures, whose time predicts that of the others */ };

/* By the engine: some pictures, without mirror images, tell the rate. */
static enum vgg_status try_validation(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_dataset *all = &training->sets.validation;
    const uint32_t scale = settings->validation_scale;
    struct vgg_forecast *forecast = &training->forecast;
    const struct vgg_net *net = &training->network.net;
    struct vgg_dataset few = *all;
    struct vgg_validation validation;
    struct vgg_model *model = NULL;
    uint64_t begun_ns = vgg_now_ns();
    double loading;
    enum vgg_status status = vgg_output_load(&training->network, &training->sets.train,
                                             settings->threads, &model, error);

    if (status != VGG_OK)
        return status;
    loading = vgg_seconds_since(begun_ns);
    few.examples_n = few.examples_n < TRIED ? few.examples_n : TRIED;
    for (int turn = 0; turn < 2 && status == VGG_OK; turn++) { /* memory is warm at the second */
        begun_ns = vgg_now_ns();
        status = vgg_validate(training->engine, model, &few, scale, &validation, error);
    }
    forecast->rate = vgg_seconds_since(begun_ns) / vgg_pictures_macs(net, &few, scale);
    forecast->validation = loading + forecast->rate * vgg_pictures_macs(net, all, scale);
    vgg_model_release(model);
    return status;
}

/* Its layers are fitted to the base's before the first step. */
static double narrowing_macs(const struct vgg_training *training)
{
    if (!vgg_training_is_narrowed(training) || training->settings.resume)
        return 0;
    return vgg_narrow_macs(&training->base.net, &training->network.net, training->settings.crop);
}

/* On maps, and what is done with all of them before the first step. */
static void predict_start(struct vgg_training *training)
{
    const struct vgg_frozen *frozen = &training->maps.frozen;
    struct vgg_forecast *forecast = &training->forecast;
    double picture = forecast->forward * (double)frozen->views / training->examples.batch;

    forecast->rate = training->maps.rate;
    forecast->validation = picture * (double)training->sets.validation.examples_n;
    if (training->settings.resume)
        return;
    forecast->start = picture * (double)frozen->pictures_n + forecast->validation;
    if (training->settings.batch_norm)
        forecast->start += forecast->forward * training->examples.steps;
}

enum vgg_status vgg_forecast_make(struct vgg_training *training, uint64_t finish_macs,
                                  struct vgg_error *error)
{
    struct vgg_forecast *forecast = &training->forecast;
    enum vgg_status status = VGG_OK;

    forecast->begun = training->state.epoch;
    if (training->engine != NULL)
        status = try_validation(training, error);
    else
        predict_start(training);
    forecast->start += forecast->rate * narrowing_macs(training);
    forecast->finish = forecast->rate * (double)finish_macs;
    if (training->teacher.model != NULL && !training->examples.crops)
        forecast->teacher =
            forecast->rate * vgg_teacher_macs(&training->teacher, &training->sets.train);
    return status;
}

/* Epochs in which the teacher looks, from this one on: what an earlier run saw is not kept. */
static double looks_left(const struct vgg_training *training)
{
    uint32_t epoch = training->state.epoch, last = training->forecast.begun + VGG_TEACHER_VIEWS;

    return fmax(0, (double)vgg_min_size(last, training->settings.epochs) - epoch);
}

void vgg_forecast_step(struct vgg_training *training, double seconds)
{
    struct vgg_forecast *forecast = &training->forecast;

    forecast->steps++;
    forecast->run += looks_left(training) > 0 ? fmax(0, seconds - forecast->look) : seconds;
    forecast->step = forecast->run / (double)forecast->steps;
}

double vgg_forecast_left(const struct vgg_training *training)
{
    const struct vgg_forecast *forecast = &training->forecast;
    /* A resumed training may be asked for fewer than are done. */
    double epochs = fmax(0, (double)training->settings.epochs - training->state.epoch);
    double steps = fmax(0, epochs * training->examples.steps - training->state.step);

    return forecast->step * steps +
           forecast->look * looks_left(training) * training->examples.steps +
           forecast->validation * epochs + forecast->finish;
}
