/*
 * Training: epochs of steps, validation after each, the rate that drops, the files.
 * Path of a step: dataset.c -> sample.c -> network.c -> parameter.c; after an epoch: output.c ->
 * validate.c -> state.c.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/replace.h"
#include "feed/validate.h"
#include "train/finish.h"
#include "train/forecast.h"
#include "train/output.h"
#include "train/transfer.h"

enum { LINE_BYTES = 512 };

#define PI 3.14159265358979323846
#define LOSS_MAX 50.0

/* ---------------------------------------------------------------- a step --------------------- */

/* Of a step of the epoch under way. */
static double rate_of(const struct vgg_training *training, uint32_t step)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_train_state *state = &training->state;
    double steps = (double)training->examples.steps;

    if (settings->cosine)
        return settings->rate / 2 *
               (1 + cos(PI * ((double)state->epoch * steps + (double)step) /
                        (settings->epochs * steps)));
    return settings->rate * pow(10, -(double)state->drops);
}

/* A mean loss that no training comes back from: that of chance is the logarithm of the classes. */
static bool is_lost(const struct vgg_network_batch *batch, uint32_t n, uint32_t classes)
{
    return !(batch->loss / n <= LOSS_MAX * fmax(1, log(classes)));
}

static enum vgg_status step(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    struct vgg_train_state *state = &training->state;
    const struct vgg_descent descent = {rate_of(training, state->step), settings->momentum,
                                        settings->decay};
    const uint64_t number = (uint64_t)state->epoch * training->examples.steps + state->step;
    struct vgg_network_examples examples;
    struct vgg_network_batch batch;
    enum vgg_status status = vgg_examples_draw(&training->examples, training->team, state->epoch,
                                               state->step, &examples, error);

    if (status != VGG_OK)
        return status;
    batch =
        vgg_network_forward(&training->network, training->team, &examples, settings->seed, number);
    if (is_lost(&batch, examples.n, training->network.net.classes))
        return vgg_fail(error, VGG_BAD_MODEL, "the loss is %.4g in step %" PRIu32 " of %" PRIu32,
                        fabs(batch.loss / examples.n), state->step + 1, training->examples.steps);
    vgg_network_backward(&training->network, training->team, &descent);
    state->loss += batch.loss;
    state->wrong += batch.wrong;
    state->step++;
    return VGG_OK;
}

static void report_step(const struct vgg_training *training)
{
    const struct vgg_train_options *settings = &training->settings;
    const struct vgg_train_state *state = &training->state;
    double images = (double)vgg_examples_before(&training->examples, state->step);
    struct vgg_train_progress progress = {
        .epoch = state->epoch + 1,
        .epochs = settings->epochs,
        .step = state->step,
        .steps = training->examples.steps,
        .loss = state->loss / images,
        .images_per_second = state->seconds > 0 ? images / state->seconds : 0,
        .best_error = state->best_error,
        .seconds_left = vgg_forecast_left(training),
    };

    if (settings->on_step != NULL)
        settings->on_step(settings->user, &progress);
}

/* ---------------------------------------------------------------- an epoch ------------------- */

static enum vgg_status save_state(const struct vgg_training *training, struct vgg_error *error)
{
    return vgg_train_state_save(&training->state, &training->network, training->settings_text,
                                training->sets.digest, training->settings.checkpoint, error);
}

/* The rest of the epoch's steps; CANCELLED where it was stopped, with the state saved. */
static enum vgg_status run_steps(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    struct vgg_train_state *state = &training->state;

    vgg_examples_shuffle(&training->examples, state->epoch);
    while (state->step < training->examples.steps) {
        uint64_t start_ns = vgg_now_ns();
        enum vgg_status status = step(training, error);
        double seconds = vgg_seconds_since(start_ns);

        if (status != VGG_OK)
            return status;
        state->seconds += seconds;
        vgg_forecast_step(training, seconds);
        report_step(training);
        if (settings->stop != NULL && settings->stop(settings->user)) {
            status = save_state(training, error);
            return status != VGG_OK ? status
                                    : vgg_fail(error, VGG_CANCELLED,
                                               "stopped in epoch %" PRIu32 "; the state is in %s",
                                               state->epoch + 1, settings->checkpoint);
        }
    }
    return VGG_OK;
}

static enum vgg_status validate(struct vgg_training *training, struct vgg_validation *validation,
                                struct vgg_error *error)
{
    struct vgg_model *model = NULL;
    enum vgg_status status;

    if (training->engine == NULL)
        return vgg_validate_maps(&training->network, training->team, &training->maps, validation,
                                 error);
    status = vgg_output_load(&training->network, &training->sets.train, training->settings.threads,
                             &model, error);

    if (status == VGG_OK)
        status = vgg_validate(training->engine, model, &training->sets.validation,
                              training->settings.validation_scale, validation, error);
    vgg_model_release(model);
    return status;
}

/* Has this epoch the best validation so far? If not for long, the rate drops. */
static bool judge(struct vgg_training *training, const struct vgg_train_epoch *epoch)
{
    struct vgg_train_state *state = &training->state;
    double error = epoch->validation_error, loss = epoch->validation_loss;
    bool best = state->best_error < 0 || error < state->best_error ||
                (error <= state->best_error && loss < state->best_loss);

    state->since++;
    if (best) {
        state->best_epoch = epoch->epoch;
        state->best_error = error;
        state->best_loss = loss;
        state->since = 0;
    } else if (state->since >= training->settings.patience) {
        state->since = 0;
        state->drops++;
    }
    return best;
}

static void format_epoch(const struct vgg_train_epoch *epoch, char line[LINE_BYTES])
{
    char trained[LINE_BYTES / 4] = "null,\"error\":null"; /* nothing was */

    if (epoch->epoch != 0)
        snprintf(trained, sizeof trained, "%.6f,\"error\":%.6f", epoch->loss, epoch->error);
    snprintf(line, LINE_BYTES,
             "{\"epoch\":%" PRIu32 ",\"rate\":%g,\"loss\":%s,\"validation_loss\":%.6f,"
             "\"validation_error\":%.6f,\"best\":%s,\"seconds\":%.1f}\n",
             epoch->epoch, epoch->rate, trained, epoch->validation_loss, epoch->validation_error,
             epoch->best ? "true" : "false", epoch->seconds);
}

static enum vgg_status log_epoch(struct vgg_training *training, const char *line,
                                 struct vgg_error *error)
{
    const char *path = training->settings.log;
    enum vgg_status status = vgg_train_state_log(&training->state, line, error);

    if (status != VGG_OK || path == NULL)
        return status;
    return vgg_output_log(path, training->state.history, error);
}

/* To the next epoch. */
static void go_on(struct vgg_train_state *state)
{
    state->epoch++;
    state->step = 0;
    state->loss = 0;
    state->wrong = 0;
    state->seconds = 0;
}

/* Validation, the model file, the log, the checkpoint. */
static enum vgg_status conclude(struct vgg_training *training, struct vgg_train_epoch epoch,
                                struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    const uint64_t begun_ns = vgg_now_ns();
    struct vgg_validation validation;
    char line[LINE_BYTES];
    enum vgg_status status = validate(training, &validation, error);

    if (status != VGG_OK)
        return status;
    training->forecast.validation = vgg_seconds_since(begun_ns);
    epoch.validation_loss = validation.loss;
    epoch.validation_error = validation.error;
    epoch.best = judge(training, &epoch);
    if (epoch.epoch != 0)
        go_on(&training->state);
    if (epoch.best)
        status =
            vgg_output_write(&training->network, &training->sets.train, &training->base, settings,
                             &epoch, training->settings_text, training->sets.digest, error);
    format_epoch(&epoch, line);
    epoch.json = line;
    if (status == VGG_OK)
        status = log_epoch(training, line, error);
    if (status == VGG_OK && epoch.epoch != 0 && (epoch.best || vgg_maps_blocks(settings) == 0))
        status = save_state(training, error);
    if (status == VGG_OK && settings->on_epoch != NULL)
        settings->on_epoch(settings->user, &epoch);
    return status;
}

/* After the steps. */
static enum vgg_status end_epoch(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_state *state = &training->state;
    double images = (double)training->sets.train.examples_n;
    struct vgg_train_epoch epoch = {.epoch = state->epoch + 1,
                                    .rate = rate_of(training, 0),
                                    .loss = state->loss / images,
                                    .error = (double)state->wrong / images,
                                    .seconds = state->seconds};

    return conclude(training, epoch, error);
}

/* What a descent begins with, where its last layer is fitted, may be better than all epochs. */
static enum vgg_status judge_start(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    struct vgg_train_epoch start = {.loss = NAN, .error = NAN};

    if (settings->resume || vgg_maps_blocks(settings) == 0)
        return VGG_OK;
    return conclude(training, start, error);
}

/* Whatever is not finite here, loss, weights or scores, is so because the descent went astray. */
static enum vgg_status run_epoch(struct vgg_training *training, struct vgg_error *error)
{
    uint32_t epoch = training->state.epoch + 1;
    double rate = rate_of(training, training->state.step);
    struct vgg_error reason = {0};
    enum vgg_status status = run_steps(training, &reason);

    if (status == VGG_OK)
        status = end_epoch(training, &reason);
    if (status == VGG_BAD_MODEL)
        return vgg_fail(error, status,
                        "training diverged in epoch %" PRIu32 " at a rate of %g: try a lower one, "
                        "such as %g, or another initialisation (%s)",
                        epoch, rate, rate / 10, reason.text);
    return status == VGG_OK ? status : vgg_fail(error, status, "%s", reason.text);
}

static enum vgg_status run(struct vgg_training *training, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &training->settings;
    enum vgg_status status = judge_start(training, error);

    while (status == VGG_OK && training->state.epoch < settings->epochs &&
           training->state.drops <= settings->drops)
        status = run_epoch(training, error);
    return status;
}

/* ---------------------------------------------------------------- all of it ------------------ */

/* A finished training leaves no checkpoint in the way of another. */
static enum vgg_status finish(struct vgg_training *training, struct vgg_train_result *result,
                              struct vgg_error *error)
{
    enum vgg_status status;

    vgg_training_let_go(training);
    status = vgg_training_finish(training, result, error);
    if (status == VGG_OK)
        (void)unlink(training->settings.checkpoint);
    return status;
}

enum vgg_status vgg_train(const char *dir, const struct vgg_train_options *options,
                          struct vgg_train_result *result, struct vgg_error *error)
{
    struct vgg_training *training;
    enum vgg_status status;

    *result = (struct vgg_train_result){.best_error = -1};
    if (options->freeze == VGG_FREEZE_FEATURES && dir != NULL && options->output != NULL)
        return vgg_train_features(dir, options, result, error);
    if (dir == NULL || options->output == NULL || options->checkpoint == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "a directory, an output and a checkpoint file are needed");
    training = vgg_calloc(1, sizeof *training);
    if (training == NULL)
        return vgg_fail_memory(error);
    training->state.best_error = -1;
    status = vgg_training_begin(training, dir, options, error);
    if (status == VGG_OK)
        status = run(training, error);
    *result = (struct vgg_train_result){.epochs = training->state.epoch,
                                        .best_epoch = training->state.best_epoch,
                                        .best_error = training->state.best_error,
                                        .best_loss = training->state.best_loss,
                                        .unknown_auroc = -1,
                                        .unknown_caught = -1};
    if (status == VGG_OK)
        status = finish(training, result, error);
    vgg_training_fini(training);
    free(training);
    return status;
}
