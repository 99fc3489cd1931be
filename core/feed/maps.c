/* Maps of fixed crops. */
#include "feed/maps.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"
#include "engine/footprint.h"

enum {
    MEASURED = 4, /* pictures, whose time predicts that of the others */
    AGAIN = 2     /* of those that were computed before */
};

unsigned vgg_maps_blocks(const struct vgg_train_options *settings)
{
    if (settings->base == NULL || settings->freeze == VGG_FREEZE_NONE)
        return 0;
    return settings->freeze == VGG_FREEZE_BLOCKS ? settings->freeze_blocks : VGG_STAGES;
}

size_t vgg_maps_convs(const struct vgg_arch *arch, const struct vgg_train_options *settings)
{
    unsigned blocks = vgg_maps_blocks(settings);
    size_t convs = 0;

    while (convs < arch->convs_n && arch->convs[convs].stage < blocks)
        convs++;
    return convs;
}

/* ---------------------------------------------------------------- views ---------------------- */

static enum vgg_status list_pictures(struct vgg_maps *maps, const struct vgg_sets *sets,
                                     struct vgg_error *error)
{
    size_t n = sets->train.examples_n, validation = sets->validation.examples_n;

    maps->train_n = n;
    maps->pictures = vgg_alloc(n + validation, sizeof *maps->pictures);
    if (maps->pictures == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < n; i++)
        maps->pictures[i] = &sets->train.examples[i];
    for (size_t i = 0; i < validation; i++)
        maps->pictures[n + i] = &sets->validation.examples[i];
    return VGG_OK;
}

/*
 * The ends of the range of scales. Where a crop shows two thirds of the shorter side, one in the
 * middle will do, else one in each corner.
 */
static size_t list_parts(const struct vgg_train_options *settings,
                         struct vgg_frozen_part parts[VGG_SCALES_MAX])
{
    const uint32_t scales[] = {settings->scale_min, settings->scale_max};
    size_t n = scales[0] == scales[1] ? 1 : 2;

    for (size_t i = 0; i < n; i++)
        parts[i] = (struct vgg_frozen_part){.scale = scales[i],
                                            .crop = settings->crop,
                                            .grid = 3 * settings->crop >= 2 * scales[i] ? 1 : 2};
    return n;
}

size_t vgg_maps_views(const struct vgg_train_options *settings)
{
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    size_t views = 0;

    for (size_t i = list_parts(settings, parts); i-- > 0;)
        views += vgg_part_views(&parts[i]);
    return views;
}

static void show_views(void *user, size_t done, size_t views)
{
    const struct vgg_maps *maps = user;
    const struct vgg_train_options *settings = maps->settings;
    struct vgg_train_features features = {.done = done, .views = views};

    if (settings->on_features == NULL || !maps->planned)
        return;
    features.seconds_left = vgg_seconds_since(maps->begun_ns) * (double)(views - done) /
                                (double)(done - maps->begun_done) +
                            maps->later;
    settings->on_features(settings->user, &features);
}

static bool is_stopped(void *user)
{
    const struct vgg_train_options *settings = ((const struct vgg_maps *)user)->settings;

    return settings->stop != NULL && settings->stop(settings->user);
}

static void show_unwritten(void *user, const char *reason)
{
    const struct vgg_train_options *settings = ((const struct vgg_maps *)user)->settings;

    if (settings->on_unwritten != NULL)
        settings->on_unwritten(settings->user, reason);
}

/* ---------------------------------------------------------------- memory --------------------- */

/* What maps take beside a network at a time: while they are computed, or then, without the base. */
static uint64_t predict(const struct vgg_maps *maps, const struct vgg_frozen_options *options,
                        size_t pictures, uint64_t then)
{
    const struct vgg_net *net = &options->model->net;
    uint64_t held,
        making = vgg_net_bytes(net) +
                 vgg_frozen_bytes(net, options, vgg_engine_complete(NULL).view_pixels_max,
                                  maps->settings->threads, maps->pictures, pictures, &held);

    return making > held + then ? making : held + then;
}

/* In memory if there is room, else in files if there is a directory for them. */
static enum vgg_status find_room(struct vgg_maps *maps, struct vgg_frozen_options *options,
                                 size_t pictures, const struct vgg_maps_beside *beside,
                                 struct vgg_error *error)
{
    const struct vgg_train_options *settings = maps->settings;
    const uint64_t base = vgg_net_bytes(&options->model->net); /* it is there already */
    struct vgg_error reason = {0};
    uint64_t all;

    maps->bytes = all = predict(maps, options, pictures, beside->then);
    if (settings->on_memory == NULL ||
        settings->on_memory(settings->user, beside->network + all - base, &reason) == VGG_OK)
        return VGG_OK;
    options->in_files = true;
    maps->bytes = predict(maps, options, pictures, beside->then);
    if (settings->features_cache != NULL)
        return settings->on_memory(settings->user, beside->network + maps->bytes - base, error);
    return vgg_fail(error, VGG_NO_MEMORY,
                    "%s, of which %" PRIu64 " MiB are maps of %zu pictures; with a features cache "
                    "they would be in files",
                    reason.text, (all - maps->bytes) >> 20, pictures);
}

/* ---------------------------------------------------------------- all of them ---------------- */

/* All are in the cache, but what comes later is computed at that rate, too. */
static enum vgg_status measure_anew(struct vgg_maps *maps, const struct vgg_frozen_options *given,
                                    struct vgg_error *error)
{
    struct vgg_frozen_options options = *given;
    struct vgg_frozen again;
    size_t n = maps->frozen.pictures_n < AGAIN ? maps->frozen.pictures_n : AGAIN;
    enum vgg_status status;

    if (maps->settings->on_plan == NULL)
        return VGG_OK;
    options.cache = NULL;
    options.in_files = false;
    status = vgg_frozen_init(&again, &options, maps->pictures, n, error);
    if (status != VGG_OK)
        return status;
    status = vgg_frozen_measure(&again, n, &maps->rate, error);
    vgg_frozen_fini(&again);
    return status;
}

enum vgg_status vgg_maps_open(struct vgg_maps *maps, struct vgg_base *base,
                              const struct vgg_sets *sets, const struct vgg_train_options *settings,
                              struct vgg_team *team, const struct vgg_maps_beside *beside,
                              double *seconds, struct vgg_error *error)
{
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    struct vgg_frozen_options options = {.team = team,
                                         .parts = parts,
                                         .parts_n = list_parts(settings, parts),
                                         .cache = settings->features_cache,
                                         .half = true,
                                         .on_views = show_views,
                                         .on_unwritten = show_unwritten,
                                         .stop = is_stopped,
                                         .user = maps};
    const struct vgg_engine_options engine = {.threads = settings->threads};
    size_t pictures = sets->train.examples_n + sets->validation.examples_n;
    enum vgg_status status;

    maps->settings = settings;
    status = vgg_base_load(base, vgg_maps_blocks(settings), settings, error);
    if (status == VGG_OK)
        status = list_pictures(maps, sets, error);
    if (status == VGG_OK)
        status = vgg_engine_create(&engine, &maps->engine, error);
    options.model = base->model;
    options.engine = maps->engine;
    if (status == VGG_OK)
        status = find_room(maps, &options, pictures, beside, error);
    if (status == VGG_OK)
        status = vgg_frozen_init(&maps->frozen, &options, maps->pictures, pictures, error);
    if (status != VGG_OK)
        return status;
    if (maps->frozen.macs != 0)
        status = vgg_frozen_measure(&maps->frozen, MEASURED, &maps->rate, error);
    else
        status = measure_anew(maps, &options, error);
    *seconds = maps->rate * (double)maps->frozen.macs;
    return status;
}

enum vgg_status vgg_maps_compute(struct vgg_maps *maps, struct vgg_base *base,
                                 struct vgg_error *error)
{
    enum vgg_status status;

    maps->planned = true;
    maps->begun_ns = vgg_now_ns();
    maps->begun_done = maps->frozen.done;
    status = vgg_frozen_compute(&maps->frozen, SIZE_MAX, error);
    vgg_engine_destroy(maps->engine);
    maps->engine = NULL;
    vgg_model_release(base->model);
    base->model = NULL;
    return status;
}

void vgg_maps_fini(struct vgg_maps *maps)
{
    vgg_frozen_fini(&maps->frozen);
    vgg_engine_destroy(maps->engine);
    free(maps->pictures);
    *maps = (struct vgg_maps){.train_n = 0};
}

enum vgg_status vgg_maps_draw(const struct vgg_maps *maps, size_t example, uint32_t epoch,
                              float *out, struct vgg_error *error)
{
    const struct vgg_frozen *frozen = &maps->frozen;
    const uint64_t keys[] = {maps->settings->seed, VGG_STREAM_VIEW, example};
    struct vgg_random random;
    uint64_t first;

    vgg_random_init_keyed(&random, keys, sizeof keys / sizeof *keys);
    first = vgg_random_below(&random, frozen->views);
    return vgg_frozen_view(frozen, example, (size_t)((first + epoch) % frozen->views), out, error);
}

struct read_loop {
    const struct vgg_frozen *frozen;
    size_t first;
    float *out;
    struct vgg_error *errors; /* one an item */
};

/* Item: one view. */
static void read_item(void *context, size_t item, unsigned thread)
{
    const struct read_loop *loop = context;
    const struct vgg_frozen *frozen = loop->frozen;
    size_t view = loop->first + item;

    (void)thread;
    vgg_frozen_view(frozen, view / frozen->views, view % frozen->views,
                    loop->out + item * frozen->floats, &loop->errors[item]);
}

enum vgg_status vgg_maps_read(const struct vgg_maps *maps, struct vgg_team *team, size_t first,
                              size_t n, float *out, struct vgg_error *error)
{
    struct read_loop loop = {&maps->frozen, first, out, vgg_calloc(n, sizeof *loop.errors)};
    enum vgg_status status = VGG_OK;

    if (loop.errors == NULL)
        return vgg_fail_memory(error);
    vgg_team_run(team, read_item, &loop, n);
    for (size_t i = 0; i < n && status == VGG_OK; i++)
        if (loop.errors[i].status != VGG_OK)
            status = vgg_fail(error, loop.errors[i].status, "%s", loop.errors[i].text);
    free(loop.errors);
    return status;
}
