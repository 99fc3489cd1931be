/* The frozen layers on all pictures: what it will take, then the views (frozen/frozen.c). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "frozen/cache.h"
#include "train/transfer_state.h"

enum { MEASURED = 2 /* pictures, whose time predicts that of the others */ };

/* ---------------------------------------------------------------- callbacks ------------------ */

static void show_views(void *user, size_t done, size_t views)
{
    const struct vgg_transfer *transfer = user;
    const struct vgg_train_options *settings = &transfer->settings;
    const struct vgg_train_features features = {.done = done, .views = views};

    if (transfer->planned && settings->on_features != NULL)
        settings->on_features(settings->user, &features);
}

static void show_unwritten(void *user, const char *reason)
{
    const struct vgg_train_options *settings = &((struct vgg_transfer *)user)->settings;

    if (settings->on_unwritten != NULL)
        settings->on_unwritten(settings->user, reason);
}

static bool is_stopped(void *user)
{
    const struct vgg_train_options *settings = &((struct vgg_transfer *)user)->settings;

    return settings->stop != NULL && settings->stop(settings->user);
}

/* ---------------------------------------------------------------- what it takes -------------- */

/* Beside the base, which is loaded, and the pictures. */
static uint64_t predict_bytes(const struct vgg_transfer *transfer,
                              const struct vgg_frozen_options *options)
{
    const struct vgg_fit_set set = {.pictures = transfer->known_n,
                                    .views = 2 * options->parts_n,
                                    .dims = vgg_net_features(&transfer->base.net),
                                    .classes = (uint32_t)transfer->sets.train.classes_n};
    const struct vgg_fit_set validation = {.pictures = transfer->sets.validation.examples_n};
    const struct vgg_fit_options fit = {
        .folds = transfer->sets.fold, .folds_n = transfer->sets.folds_n, .validation = &validation};

    return vgg_frozen_bytes(&transfer->base.net, options,
                            vgg_frozen_pixels(options->parts, options->parts_n, transfer->pictures,
                                              transfer->pictures_n),
                            transfer->settings.threads, transfer->pictures, transfer->pictures_n,
                            NULL) +
           transfer->pictures_n * set.dims * sizeof *transfer->means + vgg_fit_bytes(&set, &fit);
}

/* Too little memory is refused before it is taken; are there scales for which it would do? */
static enum vgg_status ask_memory(const struct vgg_transfer *transfer,
                                  const struct vgg_frozen_options *options, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &transfer->settings;
    struct vgg_frozen_options fewer = *options;
    struct vgg_error reason = {0};
    enum vgg_status status;

    if (settings->on_memory == NULL)
        return VGG_OK;
    status = settings->on_memory(settings->user, predict_bytes(transfer, options), &reason);
    if (status == VGG_OK)
        return VGG_OK;
    while (--fewer.parts_n > 0) {
        struct vgg_error ignored = {0};

        if (settings->on_memory(settings->user, predict_bytes(transfer, &fewer), &ignored) ==
            VGG_OK)
            return vgg_fail(error, status, "%s; test scales up to %" PRIu32 " would fit",
                            reason.text, settings->scales[fewer.parts_n - 1]);
    }
    return vgg_fail(error, status, "%s", reason.text);
}

/* ---------------------------------------------------------------- the plan ------------------- */

static enum vgg_status tell_plan(const struct vgg_transfer *transfer, double seconds,
                                 uint64_t bytes, struct vgg_error *error)
{
    const struct vgg_train_options *settings = &transfer->settings;
    const struct vgg_train_plan plan = {
        .freeze = VGG_FREEZE_FEATURES,
        .pictures = transfer->sets.train.examples_n,
        .validation = transfer->sets.validation.examples_n,
        .classes = transfer->sets.train.classes_n,
        .folds = transfer->sets.folds_n,
        .views = transfer->frozen.views,
        .cached = transfer->frozen.cached,
        .seconds = seconds,
        .bytes = bytes + vgg_sets_bytes(&transfer->sets),
    };

    return settings->on_plan != NULL ? settings->on_plan(settings->user, &plan, error) : VGG_OK;
}

/* The first pictures say how long the others will take. */
static enum vgg_status compute(struct vgg_transfer *transfer, uint64_t bytes,
                               struct vgg_error *error)
{
    struct vgg_frozen *frozen = &transfer->frozen;
    const bool any = frozen->macs != 0;
    double rate;
    enum vgg_status status = vgg_frozen_measure(frozen, MEASURED, &rate, error);

    if (status != VGG_OK)
        return status;
    status = tell_plan(transfer, rate * (double)frozen->macs, bytes, error);
    transfer->planned = true;
    if (any)
        show_views(transfer, frozen->done, frozen->pictures_n * frozen->views);
    return status == VGG_OK ? vgg_frozen_compute(frozen, SIZE_MAX, error) : status;
}

static enum vgg_status average(struct vgg_transfer *transfer, struct vgg_error *error)
{
    size_t features = transfer->frozen.floats;

    transfer->means = vgg_alloc(transfer->pictures_n, features * sizeof *transfer->means);
    if (transfer->means == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < transfer->pictures_n; i++)
        vgg_frozen_mean(&transfer->frozen, i, transfer->means + i * features);
    return VGG_OK;
}

/* What is in a cache stays there. */
static enum vgg_status explain(const struct vgg_transfer *transfer, enum vgg_status status,
                               struct vgg_error *error)
{
    const char *cache = transfer->settings.features_cache;

    if (status != VGG_CANCELLED)
        return status;
    *error = (struct vgg_error){0};
    if (cache != NULL)
        return vgg_fail(error, status, "stopped; %s keeps what was computed", cache);
    return vgg_fail(error, status,
                    "stopped; with a features cache what was computed would have been kept");
}

enum vgg_status vgg_transfer_compute(struct vgg_transfer *transfer, struct vgg_error *error)
{
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    struct vgg_frozen_options options = {
        .model = transfer->base.model,
        .team = transfer->team,
        .parts = parts,
        .parts_n = vgg_parts_whole(transfer->settings.scales, transfer->settings.scales_n, parts),
        .cache = transfer->settings.features_cache,
        .on_views = show_views,
        .on_unwritten = show_unwritten,
        .stop = is_stopped,
        .user = transfer};
    const struct vgg_engine_options engine = {
        .threads = transfer->settings.threads,
        .view_pixels_max =
            vgg_frozen_pixels(parts, options.parts_n, transfer->pictures, transfer->pictures_n)};
    const uint64_t bytes = predict_bytes(transfer, &options);
    enum vgg_status status = ask_memory(transfer, &options, error);

    if (status == VGG_OK)
        status = vgg_engine_create(&engine, &options.engine, error);
    if (status == VGG_OK)
        status = vgg_frozen_init(&transfer->frozen, &options, transfer->pictures,
                                 transfer->pictures_n, error);
    if (status == VGG_OK)
        status = explain(
            transfer, compute(transfer, bytes + vgg_net_bytes(&transfer->base.net), error), error);
    vgg_engine_destroy(options.engine);
    vgg_model_release(transfer->base.model);
    transfer->base.model = NULL;
    return status == VGG_OK ? average(transfer, error) : status;
}
