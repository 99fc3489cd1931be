/*
 * Pictures go through the engine in blocks: while it computes one, the team reads, rescales and
 * submits the next. The views of a picture at one scale are one job, and all jobs have one rank, so
 * that they are computed in order, those of one shape together.
 */
#include "frozen/frozen.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/half.h"
#include "base/mem.h"
#include "engine/job.h"
#include "frozen/cache.h"

enum { BLOCK = 8 }; /* pictures */

/* Views of the parts before it. */
static size_t first_view(const struct vgg_frozen *frozen, size_t part)
{
    size_t views = 0;

    for (size_t i = 0; i < part; i++)
        views += vgg_part_views(&frozen->parts[i]);
    return views;
}

uint64_t vgg_frozen_bytes(const struct vgg_net *net, const struct vgg_frozen_options *options,
                          uint64_t pixels_max, unsigned threads,
                          const struct vgg_example *const *pictures, size_t n, uint64_t *held)
{
    uint64_t picture = 0;

    for (size_t part = 0; part < options->parts_n; part++)
        picture += vgg_part_views(&options->parts[part]) * vgg_part_floats(net, options->parts) *
                   (options->half ? sizeof(uint16_t) : sizeof(float));
    if (held != NULL)
        *held = options->in_files ? 0 : n * picture;
    return (options->in_files ? vgg_min_size(n, 2 * BLOCK) : n) * picture +
           vgg_parts_bytes(net, options->parts, options->parts_n, pixels_max, threads, 2 * BLOCK,
                           pictures, n);
}

/* ---------------------------------------------------------------- the cache ------------------ */

/* The values of a part, with everything that they depend on in the key. */
static struct vgg_cache_entry entry_of(const struct vgg_frozen *frozen, size_t picture,
                                       size_t index, char key[VGG_CACHE_KEY_BYTES])
{
    const struct vgg_frozen_part *part = &frozen->parts[index];
    const struct vgg_net *net = &frozen->options.model->net;
    int length = snprintf(
        key, VGG_CACHE_KEY_BYTES,
        "vgg frozen 1\nbase %s\nlayers %zu of %s\nkernels %s %s\npicture %s\nscale %u crop %u "
        "grid %u\n",
        frozen->options.model->info.version, net->layers_n, net->arch->name, net->kernels->name,
        frozen->options.model->info.precision, frozen->pictures[picture]->sha256, part->scale,
        part->crop, part->grid);

    assert(length < VGG_CACHE_KEY_BYTES);
    (void)length;
    return (struct vgg_cache_entry){key, vgg_part_views(part), frozen->floats};
}

static float *values_of(const struct vgg_frozen *frozen, size_t picture, size_t part)
{
    return frozen->values + (picture * frozen->views + first_view(frozen, part)) * frozen->floats;
}

static uint16_t half_of(float value)
{
    return vgg_half_from_float(value < VGG_HALF_MAX ? value : VGG_HALF_MAX);
}

/* Where a part's values are not kept as they are: in half precision, if in memory. */
static void halve(const struct vgg_frozen *frozen, size_t picture, size_t part, const float *values)
{
    size_t first = (picture * frozen->views + first_view(frozen, part)) * frozen->floats;
    size_t n = vgg_part_views(&frozen->parts[part]) * frozen->floats;

    for (size_t i = 0; i < n && frozen->halves != NULL; i++)
        frozen->halves[first + i] = half_of(values[i]);
}

struct lookup {
    struct vgg_frozen *frozen;
    float *scratch; /* [threads][views][floats] where values are not kept as they are */
};

/* Item: one picture. */
static void look_up(void *context, size_t item, unsigned thread)
{
    const struct lookup *lookup = context;
    struct vgg_frozen *frozen = lookup->frozen;
    char key[VGG_CACHE_KEY_BYTES];

    for (size_t part = 0; part < frozen->options.parts_n; part++) {
        const struct vgg_cache_entry entry = entry_of(frozen, item, part, key);
        float *values = lookup->scratch != NULL
                            ? lookup->scratch + thread * frozen->views * frozen->floats
                            : values_of(frozen, item, part);

        if (!vgg_cache_get(frozen->options.cache, &entry, 0, entry.views, values))
            continue;
        frozen->absent[item] &= (uint8_t) ~(1U << part);
        if (lookup->scratch != NULL)
            halve(frozen, item, part, values);
    }
}

static enum vgg_status find_cached(struct vgg_frozen *frozen, struct vgg_error *error)
{
    struct lookup lookup = {.frozen = frozen};

    if (frozen->options.cache == NULL)
        return VGG_OK;
    if (frozen->values == NULL) {
        lookup.scratch = vgg_alloc(frozen->views * frozen->floats,
                                   vgg_team_threads(frozen->options.team) * sizeof(float));
        if (lookup.scratch == NULL)
            return vgg_fail_memory(error);
    }
    vgg_team_run(frozen->options.team, look_up, &lookup, frozen->pictures_n);
    free(lookup.scratch);
    return VGG_OK;
}

/* A cache that cannot be written to costs the next training its time, but not this one. */
static enum vgg_status keep(struct vgg_frozen *frozen, size_t picture, size_t part,
                            const float *values, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    char key[VGG_CACHE_KEY_BYTES];
    struct vgg_cache_entry entry;

    if (frozen->options.cache == NULL || frozen->unwritten)
        return VGG_OK;
    entry = entry_of(frozen, picture, part, key);
    if (vgg_cache_put(frozen->options.cache, &entry, values, &reason) == VGG_OK)
        return VGG_OK;
    if (frozen->options.in_files)
        return vgg_fail(error, reason.status, "%s", reason.text);
    frozen->unwritten = true;
    if (frozen->options.on_unwritten != NULL)
        frozen->options.on_unwritten(frozen->options.user, reason.text);
    return VGG_OK;
}

/* ---------------------------------------------------------------- beginning ------------------ */

static void count(struct vgg_frozen *frozen)
{
    const struct vgg_net *net = &frozen->options.model->net;

    for (size_t i = 0; i < frozen->pictures_n; i++) {
        uint64_t macs = 0;

        for (size_t part = 0; part < frozen->options.parts_n; part++) {
            macs += vgg_part_macs(net, &frozen->parts[part], frozen->pictures[i]);
            if (frozen->absent[i] & 1U << part)
                frozen->macs += vgg_part_macs(net, &frozen->parts[part], frozen->pictures[i]);
            else
                frozen->cached += vgg_part_views(&frozen->parts[part]);
        }
        if (macs > frozen->macs_max)
            frozen->macs_max = macs;
    }
    frozen->done = frozen->cached;
}

static enum vgg_status allocate(struct vgg_frozen *frozen, struct vgg_error *error)
{
    size_t floats;

    frozen->absent = vgg_alloc(frozen->pictures_n, 1);
    if (frozen->absent == NULL)
        return vgg_fail_memory(error);
    memset(frozen->absent, (1 << frozen->options.parts_n) - 1, frozen->pictures_n);
    if (frozen->options.in_files)
        return VGG_OK;
    if (!vgg_size_mul(frozen->pictures_n, frozen->views * frozen->floats, &floats))
        return vgg_fail_memory(error);
    if (frozen->options.half)
        frozen->halves = vgg_alloc_aligned(floats, sizeof *frozen->halves);
    else
        frozen->values = vgg_alloc_aligned(floats, sizeof *frozen->values);
    return frozen->values != NULL || frozen->halves != NULL ? VGG_OK : vgg_fail_memory(error);
}

enum vgg_status vgg_frozen_init(struct vgg_frozen *frozen, const struct vgg_frozen_options *options,
                                const struct vgg_example *const *pictures, size_t n,
                                struct vgg_error *error)
{
    enum vgg_status status;

    assert(options->parts_n >= 1 && options->parts_n <= VGG_SCALES_MAX);
    assert(!options->in_files || options->cache != NULL);
    *frozen = (struct vgg_frozen){.options = *options, .pictures = pictures, .pictures_n = n};
    memcpy(frozen->parts, options->parts, options->parts_n * sizeof *frozen->parts);
    frozen->options.parts = NULL;
    frozen->views = first_view(frozen, options->parts_n);
    frozen->floats = vgg_part_floats(&options->model->net, frozen->parts);
    status = allocate(frozen, error);
    if (status == VGG_OK)
        status = find_cached(frozen, error);
    if (status != VGG_OK)
        vgg_frozen_fini(frozen);
    else
        count(frozen);
    return status;
}

void vgg_frozen_fini(struct vgg_frozen *frozen)
{
    free(frozen->values);
    free(frozen->halves);
    free(frozen->absent);
    *frozen = (struct vgg_frozen){0};
}

/* ---------------------------------------------------------------- submitting ----------------- */

struct flight {
    size_t picture;
    struct vgg_job *jobs[VGG_SCALES_MAX]; /* NULL: the part was there */
    struct vgg_error error;
};

struct block {
    struct vgg_frozen *frozen;
    atomic_bool *given_up;
    struct flight flights[BLOCK];
    size_t n;
};

static bool is_given_up(void *user)
{
    return atomic_load((const atomic_bool *)user);
}

static enum vgg_status submit(const struct block *block, const struct vgg_image *image,
                              const struct vgg_frozen_part *part, struct vgg_job **job,
                              struct vgg_error *error)
{
    const struct vgg_frozen *frozen = block->frozen;
    const struct vgg_net *net = &frozen->options.model->net;
    const struct vgg_request request = {.scales = {part->scale}, .scales_n = 1, .flip = true};
    const struct vgg_job_options options = {.macs = frozen->macs_max,
                                            .cancelled = is_given_up,
                                            .user = block->given_up,
                                            .features = vgg_net_is_whole(net),
                                            .maps = !vgg_net_is_whole(net)};
    struct vgg_views *views = NULL;
    enum vgg_status status = part->crop != 0 ? vgg_views_create_crops(image, &request, part->crop,
                                                                      part->grid, &views, error)
                                             : vgg_views_create(image, &request, &views, error);

    if (status != VGG_OK)
        return status;
    status = vgg_engine_submit(frozen->options.engine, frozen->options.model, views, &options, job,
                               error);
    if (status != VGG_OK)
        vgg_views_destroy(views);
    return status;
}

/* Item: one picture of the block. */
static void submit_picture(void *context, size_t item, unsigned thread)
{
    struct block *block = context;
    const struct vgg_frozen *frozen = block->frozen;
    struct flight *flight = &block->flights[item];
    const struct vgg_example *example = frozen->pictures[flight->picture];
    struct vgg_image *read = NULL;
    enum vgg_status status = VGG_OK;

    (void)thread;
    if (example->image == NULL && vgg_example_read(example, &read, &flight->error) != VGG_OK)
        return;
    for (size_t part = 0; part < frozen->options.parts_n && status == VGG_OK; part++)
        if (frozen->absent[flight->picture] & 1U << part)
            status = submit(block, read != NULL ? read : example->image, &frozen->parts[part],
                            &flight->jobs[part], &flight->error);
    vgg_image_destroy(read);
}

/* The next pictures that want computing, at most so many, on their way. */
static void begin_block(struct block *block, size_t pictures)
{
    struct vgg_frozen *frozen = block->frozen;

    for (block->n = 0; frozen->next < frozen->pictures_n && block->n < pictures && block->n < BLOCK;
         frozen->next++)
        if (frozen->absent[frozen->next] != 0)
            block->flights[block->n++] = (struct flight){.picture = frozen->next};
    vgg_team_run(frozen->options.team, submit_picture, block, block->n);
}

/* ---------------------------------------------------------------- landing -------------------- */

/* values[views][floats] of a finished job. */
static void take_values(const struct vgg_frozen *frozen, const struct vgg_job *job, float *values)
{
    for (size_t view = 0; view < vgg_job_view_count(job); view++, values += frozen->floats) {
        const struct vgg_score_map *map = vgg_job_map(job, view);

        if (map != NULL)
            memcpy(values, map->logits, frozen->floats * sizeof *values);
        else
            for (size_t i = 0; i < frozen->floats; i++)
                values[i] = (float)vgg_job_view_features(job, view)[i];
    }
}

static enum vgg_status land_part(struct vgg_frozen *frozen, const struct flight *flight,
                                 size_t part, float *scratch, struct vgg_error *error)
{
    struct vgg_job *job = flight->jobs[part];
    enum vgg_status status = vgg_job_wait(job, error);
    float *values = scratch != NULL ? scratch : values_of(frozen, flight->picture, part);

    if (status != VGG_OK)
        return status;
    take_values(frozen, job, values);
    if (scratch != NULL)
        halve(frozen, flight->picture, part, values);
    frozen->absent[flight->picture] &= (uint8_t) ~(1U << part);
    frozen->done += vgg_part_views(&frozen->parts[part]);
    frozen->macs -= vgg_part_macs(&frozen->options.model->net, &frozen->parts[part],
                                  frozen->pictures[flight->picture]);
    return keep(frozen, flight->picture, part, values, error);
}

/* Every job is waited for, also where one has failed. */
static enum vgg_status land(struct vgg_frozen *frozen, struct flight *flight, float *scratch,
                            struct vgg_error *error)
{
    enum vgg_status status = flight->error.status;

    if (status != VGG_OK)
        vgg_fail(error, status, "%s", flight->error.text);
    for (size_t part = 0; part < frozen->options.parts_n; part++) {
        if (flight->jobs[part] == NULL)
            continue;
        if (status == VGG_OK)
            status = land_part(frozen, flight, part, scratch, error);
        else
            (void)vgg_job_wait(flight->jobs[part], NULL);
        vgg_job_destroy(flight->jobs[part]);
    }
    return status;
}

static enum vgg_status land_block(struct block *block, float *scratch, enum vgg_status status,
                                  struct vgg_error *error)
{
    struct vgg_frozen *frozen = block->frozen;
    const struct vgg_frozen_options *options = &frozen->options;

    for (size_t i = 0; i < block->n; i++) {
        struct vgg_error reason = {0};
        enum vgg_status landed = land(frozen, &block->flights[i], scratch, &reason);

        if (status != VGG_OK)
            continue;
        status = landed;
        if (status != VGG_OK)
            vgg_fail(error, status, "%s", reason.text);
        else if (options->on_views != NULL)
            options->on_views(options->user, frozen->done, frozen->pictures_n * frozen->views);
        if (status == VGG_OK && options->stop != NULL && options->stop(options->user))
            status = vgg_fail(error, VGG_CANCELLED, "stopped");
        atomic_store(block->given_up, status != VGG_OK);
    }
    return status;
}

enum vgg_status vgg_frozen_compute(struct vgg_frozen *frozen, size_t pictures,
                                   struct vgg_error *error)
{
    atomic_bool given_up = false;
    struct block blocks[2] = {{frozen, &given_up, {{0}}, 0}, {frozen, &given_up, {{0}}, 0}};
    size_t scratch_floats = frozen->views * frozen->floats;
    float *scratch = NULL;
    enum vgg_status status = VGG_OK;

    if (frozen->values == NULL && (scratch = vgg_alloc(scratch_floats, sizeof *scratch)) == NULL)
        return vgg_fail_memory(error);
    begin_block(&blocks[0], pictures);
    for (unsigned turn = 0; blocks[turn].n != 0; turn ^= 1) {
        struct block *ahead = &blocks[turn ^ 1];

        pictures -= blocks[turn].n;
        ahead->n = 0;
        if (status == VGG_OK)
            begin_block(ahead, pictures);
        status = land_block(&blocks[turn], scratch, status, error);
    }
    free(scratch);
    return status;
}

enum vgg_status vgg_frozen_measure(struct vgg_frozen *frozen, size_t pictures, double *rate,
                                   struct vgg_error *error)
{
    const uint64_t begun_ns = vgg_now_ns(), macs = frozen->macs;
    enum vgg_status status = vgg_frozen_compute(frozen, pictures, error);

    *rate = macs != frozen->macs ? vgg_seconds_since(begun_ns) / (double)(macs - frozen->macs) : 0;
    return status;
}

/* ---------------------------------------------------------------- reading -------------------- */

void vgg_frozen_mean(const struct vgg_frozen *frozen, size_t picture, float *out)
{
    const float *views = values_of(frozen, picture, 0);

    for (size_t i = 0; i < frozen->floats; i++) {
        double sum = 0;

        for (size_t view = 0; view < frozen->views; view++)
            sum += (double)views[view * frozen->floats + i];
        out[i] = (float)(sum / (double)frozen->views);
    }
}

static enum vgg_status read_view(const struct vgg_frozen *frozen, size_t picture, size_t view,
                                 float *out, struct vgg_error *error)
{
    char key[VGG_CACHE_KEY_BYTES];
    struct vgg_cache_entry entry;
    size_t part = 0;

    while (view >= first_view(frozen, part + 1))
        part++;
    entry = entry_of(frozen, picture, part, key);
    if (!vgg_cache_get(frozen->options.cache, &entry, view - first_view(frozen, part), 1, out))
        return vgg_fail(error, VGG_IO,
                        "features cache %s: what was computed of %s is not there any more",
                        frozen->options.cache, frozen->pictures[picture]->path);
    /* Room in memory, or none, changes no bit. */
    for (size_t i = 0; i < frozen->floats && frozen->options.half; i++)
        out[i] = vgg_half_to_float(half_of(out[i]));
    return VGG_OK;
}

enum vgg_status vgg_frozen_view(const struct vgg_frozen *frozen, size_t picture, size_t view,
                                float *out, struct vgg_error *error)
{
    size_t first = (picture * frozen->views + view) * frozen->floats;

    if (frozen->values != NULL)
        memcpy(out, frozen->values + first, frozen->floats * sizeof *out);
    else if (frozen->halves != NULL)
        for (size_t i = 0; i < frozen->floats; i++)
            out[i] = vgg_half_to_float(frozen->halves[first + i]);
    else
        return read_view(frozen, picture, view, out, error);
    return VGG_OK;
}
