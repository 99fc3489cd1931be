/* Maps of fixed crops. */
#include "train/maps.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"
#include "frozen/cache.h"

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

static void show_views(void *user, size_t done, size_t views)
{
    const struct vgg_train_options *settings = user;
    const struct vgg_train_features features = {done, views};

    if (settings->on_features != NULL)
        settings->on_features(settings->user, &features);
}

static bool is_stopped(void *user)
{
    const struct vgg_train_options *settings = user;

    return settings->stop != NULL && settings->stop(settings->user);
}

/* EXPERIMENT */
#include <stdio.h>
static size_t list_parts(const struct vgg_train_options *settings, struct vgg_frozen_part *parts)
{
    const char *text = getenv("VGG_PARTS");
    size_t n = 0;
    int used;

    while (text && *text && sscanf(text, "%u:%u%n", &parts[n].scale, &parts[n].grid, &used) >= 2) {
        parts[n++].crop = settings->crop;
        text += used;
        text += *text == ',';
    }
    return n;
}

enum vgg_status vgg_maps_compute(struct vgg_maps *maps, struct vgg_base *base,
                                 const struct vgg_sets *sets,
                                 const struct vgg_train_options *settings, struct vgg_team *team,
                                 struct vgg_error *error)
{
    struct vgg_frozen_part parts[VGG_SCALES_MAX];
    struct vgg_frozen_options options = {.team = team,
                                         .parts = parts,
                                         .parts_n = list_parts(settings, parts),
                                         .cache = settings->features_cache,
                                         .on_views = show_views,
                                         .stop = is_stopped,
                                         .user = (void *)settings};
    const struct vgg_engine_options engine = {.threads = settings->threads};
    enum vgg_status status = vgg_base_load(base, vgg_maps_blocks(settings), settings, error);

    maps->seed = settings->seed;
    if (status == VGG_OK)
        status = list_pictures(maps, sets, error);
    if (status == VGG_OK)
        status = vgg_engine_create(&engine, &options.engine, error);
    if (status == VGG_OK) {
        options.model = base->model;
        status = vgg_frozen_init(&maps->frozen, &options, maps->pictures,
                                 maps->train_n + sets->validation.examples_n, error);
    }
    if (status == VGG_OK)
        status = vgg_frozen_compute(&maps->frozen, SIZE_MAX, error);
    vgg_engine_destroy(options.engine);
    vgg_model_release(base->model);
    base->model = NULL;
    return status;
}

void vgg_maps_fini(struct vgg_maps *maps)
{
    vgg_frozen_fini(&maps->frozen);
    free(maps->pictures);
    *maps = (struct vgg_maps){.train_n = 0};
}

enum vgg_status vgg_maps_draw(const struct vgg_maps *maps, size_t example, uint32_t epoch,
                              float *out, struct vgg_error *error)
{
    const struct vgg_frozen *frozen = &maps->frozen;
    struct vgg_random random;
    size_t view;

    (void)error;
    vgg_random_init_keyed(&random, (uint64_t[]){maps->seed, VGG_STREAM_VIEW, example}, 3);
    view = (size_t)((vgg_random_below(&random, frozen->views) + epoch) % frozen->views);
    memcpy(out, frozen->values + (example * frozen->views + view) * frozen->floats,
           frozen->floats * sizeof *out);
    return VGG_OK;
}
