/*
 * Opening a set of pictures. They are read in blocks: the team's threads decode, then the caller
 * goes through the block in order and decides what is kept, so that neither the set nor what is
 * reported depends on who was first.
 */
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/picture.h"

enum { BLOCK_PER_THREAD = 4 };

/* ---------------------------------------------------------------- pictures ------------------- */

struct opening {
    struct vgg_dataset *dataset;
    const struct vgg_dataset_options *options;
    uint64_t cache_left; /* 0 from the first picture on that does not fit */
    size_t first;        /* example of the block */
    struct vgg_error *reasons;
};

static uint64_t pixel_bytes(const struct vgg_example *example)
{
    return 3 * (uint64_t)example->width * example->height;
}

static void read_one(void *context, size_t item, unsigned thread)
{
    const struct opening *opening = context;
    struct vgg_example *example = &opening->dataset->examples[opening->first + item];
    struct vgg_error *reason = &opening->reasons[item];
    struct vgg_picture_file file;
    struct vgg_image *image;

    (void)thread;
    *reason = (struct vgg_error){0};
    if (vgg_picture_read(example->path, &image, &file, reason) != VGG_OK)
        return;
    example->file_bytes = file.bytes;
    memcpy(example->sha256, file.sha256, sizeof example->sha256);
    example->width = image->info.width;
    example->height = image->info.height;
    example->moments = vgg_moments_of(image);
    example->fingerprint = vgg_fingerprint_of(image);
    if (pixel_bytes(example) <= opening->cache_left)
        example->image = image;
    else
        vgg_image_destroy(image);
}

/* Keep an example of the block in its place, or report it; false when out of memory. */
static bool settle(struct opening *opening, size_t item, size_t *kept)
{
    struct vgg_dataset *dataset = opening->dataset;
    struct vgg_example *example = &dataset->examples[opening->first + item];
    const struct vgg_error *reason = &opening->reasons[item];
    const struct vgg_dataset_options *options = opening->options;

    if (reason->status == VGG_NO_MEMORY)
        return false;
    if (reason->status != VGG_OK) {
        if (options->on_skip != NULL)
            options->on_skip(options->user, example->path, reason->text);
        free(example->path);
        example->path = NULL;
        return true;
    }
    if (pixel_bytes(example) <= opening->cache_left) {
        opening->cache_left -= pixel_bytes(example);
    } else {
        vgg_image_destroy(example->image);
        example->image = NULL;
        opening->cache_left = 0;
    }
    if (*kept != opening->first + item) {
        dataset->examples[*kept] = *example;
        *example = (struct vgg_example){0};
    }
    ++*kept;
    return true;
}

static enum vgg_status read_pictures(struct opening *opening, struct vgg_dataset *dataset,
                                     struct vgg_team *team, struct vgg_error *error)
{
    const struct vgg_dataset_options *options = opening->options;
    size_t block = BLOCK_PER_THREAD * vgg_team_threads(team), kept = 0;
    size_t n = dataset->examples_n;
    bool fits, stopped = false;

    opening->dataset = dataset;
    opening->first = 0;
    opening->reasons = vgg_alloc(block, sizeof *opening->reasons);
    fits = opening->reasons != NULL;
    for (; opening->first < n && fits && !stopped; opening->first += block) {
        size_t items = n - opening->first < block ? n - opening->first : block;

        vgg_team_run(team, read_one, opening, items);
        for (size_t i = 0; i < items && fits; i++)
            fits = settle(opening, i, &kept);
        stopped = options->stop != NULL && options->stop(options->user);
    }
    free(opening->reasons);
    if (!fits)
        return vgg_fail_memory(error);
    if (stopped)
        return vgg_fail(error, VGG_CANCELLED, "stopped while pictures were read");
    dataset->examples_n = kept;
    return VGG_OK;
}

/* ---------------------------------------------------------------- opening -------------------- */

/* Those of the classes come first in memory. */
static enum vgg_status open_folders(const char *dir, const struct vgg_dataset_options *options,
                                    struct vgg_team *team, struct vgg_dataset *dataset,
                                    struct vgg_error *error)
{
    struct opening opening = {.options = options, .cache_left = options->cache_bytes};
    enum vgg_status status = vgg_folders_find(dir, options, dataset, error);

    if (status == VGG_OK)
        status = read_pictures(&opening, dataset, team, error);
    if (status == VGG_OK && options->unknown != NULL)
        status = read_pictures(&opening, options->unknown, team, error);
    return status == VGG_OK ? vgg_folders_settle(dir, options, dataset, error) : status;
}

enum vgg_status vgg_dataset_open(const char *dir, const struct vgg_dataset_options *options,
                                 struct vgg_team *team, struct vgg_dataset *dataset,
                                 struct vgg_error *error)
{
    enum vgg_status status;
    char *plain = strdup(dir);

    *dataset = (struct vgg_dataset){0};
    if (options->unknown != NULL)
        *options->unknown = (struct vgg_dataset){0};
    if (plain == NULL)
        return vgg_fail_memory(error);
    for (size_t length = strlen(plain); length > 1 && plain[length - 1] == '/'; length--)
        plain[length - 1] = '\0';
    status = open_folders(plain, options, team, dataset, error);
    if (status != VGG_OK)
        vgg_dataset_fini(dataset);
    if (status != VGG_OK && options->unknown != NULL)
        vgg_dataset_fini(options->unknown);
    free(plain);
    return status;
}
