/*
 * Opening a set of pictures. They are read in blocks: the team's threads decode, then the caller
 * goes through the block in order and decides what is kept, so that neither the set nor what is
 * reported depends on who was first.
 */
#include "data/dataset.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"
#include "data/picture.h"
#include "text/utf8.h"
#include "vgg_pictures.h"

enum { BLOCK_PER_THREAD = 4, FIRST_EXAMPLES = 64 };

static void example_fini(struct vgg_example *example)
{
    vgg_image_destroy(example->image);
    free(example->path);
}

void vgg_dataset_fini(struct vgg_dataset *dataset)
{
    for (size_t i = 0; i < dataset->examples_n; i++)
        example_fini(&dataset->examples[i]);
    for (size_t i = 0; i < dataset->classes_n; i++)
        free(dataset->classes[i]);
    free(dataset->examples);
    free(dataset->classes);
    *dataset = (struct vgg_dataset){0};
}

/* ---------------------------------------------------------------- classes -------------------- */

static enum vgg_status set_classes(struct vgg_dataset *dataset, const char *const *names, size_t n,
                                   struct vgg_error *error)
{
    dataset->classes = vgg_calloc(n, sizeof *dataset->classes);
    if (dataset->classes == NULL)
        return vgg_fail_memory(error);
    for (; dataset->classes_n < n; dataset->classes_n++) {
        char *name = strdup(names[dataset->classes_n]);

        if (name == NULL)
            return vgg_fail_memory(error);
        dataset->classes[dataset->classes_n] = name;
    }
    return VGG_OK;
}

static bool find_class(const struct vgg_dataset *dataset, const char *name, uint32_t *label)
{
    for (size_t i = 0; i < dataset->classes_n; i++)
        if (strcmp(dataset->classes[i], name) == 0) {
            *label = (uint32_t)i;
            return true;
        }
    return false;
}

static enum vgg_status append_class(struct vgg_dataset *dataset, const char *name,
                                    struct vgg_error *error)
{
    char **grown = realloc(dataset->classes, (dataset->classes_n + 1) * sizeof *grown);

    if (grown == NULL)
        return vgg_fail_memory(error);
    dataset->classes = grown;
    grown[dataset->classes_n] = strdup(name);
    if (grown[dataset->classes_n] == NULL)
        return vgg_fail_memory(error);
    dataset->classes_n++;
    return VGG_OK;
}

/* Classes of which no picture could be used go, where the folders are the classes. */
static void drop_empty_classes(const struct vgg_dataset_options *options,
                               struct vgg_dataset *dataset)
{
    size_t kept = 0, next = 0;

    for (size_t i = 0; i < dataset->classes_n; i++) {
        size_t first = next;

        for (; next < dataset->examples_n && dataset->examples[next].label == i; next++)
            dataset->examples[next].label = (uint32_t)kept;
        if (next != first) {
            dataset->classes[kept++] = dataset->classes[i];
            continue;
        }
        if (options->on_ignore != NULL)
            options->on_ignore(options->user, dataset->classes[i],
                               "a class without a usable picture");
        free(dataset->classes[i]);
    }
    dataset->classes_n = kept;
}

static enum vgg_status check_classes(const char *dir, const struct vgg_dataset_options *options,
                                     const struct vgg_dataset *dataset, struct vgg_error *error)
{
    if (options->classes != NULL && dataset->examples_n == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%s: no usable picture in its class folders", dir);
    if (options->classes == NULL && dataset->classes_n < 2)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s: class folders with usable pictures: %zu; at least 2 are needed", dir,
                        dataset->classes_n);
    return VGG_OK;
}

/* ---------------------------------------------------------------- finding -------------------- */

struct finding {
    struct vgg_dataset *dataset;
    const struct vgg_dataset_options *options;
    size_t capacity, dir_length;
    uint32_t label; /* of the folder that is walked through */
    struct vgg_error *error;
};

static enum vgg_status find_folder(void *user, const char *path, const char *name, bool *known)
{
    struct finding *finding = user;

    if (finding->options->classes != NULL) {
        *known = find_class(finding->dataset, name, &finding->label);
        return VGG_OK;
    }
    /* Class names go into the model file, whose header is JSON. */
    if (!utf8_valid(name))
        return vgg_fail(finding->error, VGG_BAD_ARGUMENT, "the name of folder %s is not UTF-8",
                        path);
    finding->label = (uint32_t)finding->dataset->classes_n;
    return append_class(finding->dataset, name, finding->error);
}

static enum vgg_status find_picture(void *user, const char *path)
{
    struct finding *finding = user;
    struct vgg_dataset *dataset = finding->dataset;
    struct vgg_example *example;

    if (dataset->examples_n == finding->capacity) {
        size_t capacity = finding->capacity != 0 ? 2 * finding->capacity : FIRST_EXAMPLES;
        struct vgg_example *grown = realloc(dataset->examples, capacity * sizeof *grown);

        if (grown == NULL)
            return vgg_fail_memory(finding->error);
        dataset->examples = grown;
        finding->capacity = capacity;
    }
    example = &dataset->examples[dataset->examples_n];
    *example = (struct vgg_example){.path = strdup(path), .label = finding->label};
    if (example->path == NULL)
        return vgg_fail_memory(finding->error);
    example->name = example->path + finding->dir_length + 1;
    dataset->examples_n++;
    return VGG_OK;
}

static enum vgg_status find_other(void *user, const char *path, const char *reason, bool lost)
{
    const struct vgg_dataset_options *options = ((struct finding *)user)->options;

    if (lost && options->on_skip != NULL)
        options->on_skip(options->user, path, reason);
    if (!lost && options->on_ignore != NULL)
        options->on_ignore(options->user, path, reason);
    return VGG_OK;
}

static enum vgg_status find_pictures(const char *dir, const struct vgg_dataset_options *options,
                                     struct vgg_dataset *dataset, struct vgg_error *error)
{
    struct finding finding = {
        .dataset = dataset, .options = options, .dir_length = strlen(dir), .error = error};
    const struct vgg_walk walk = {.on_class = find_folder,
                                  .on_picture = find_picture,
                                  .on_left_out = find_other,
                                  .user = &finding};
    enum vgg_status status = VGG_OK;

    if (options->classes != NULL)
        status = set_classes(dataset, options->classes, options->classes_n, error);
    if (status == VGG_OK)
        status = vgg_walk_classes(dir, &walk, error);
    return status == VGG_OK ? check_classes(dir, options, dataset, error) : status;
}

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
    struct vgg_image *image;

    (void)thread;
    *reason = (struct vgg_error){0};
    if (vgg_picture_read(example->path, &image, &example->file_bytes, reason) != VGG_OK)
        return;
    example->width = image->info.width;
    example->height = image->info.height;
    example->moments = vgg_moments_of(image);
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

static enum vgg_status read_pictures(struct opening *opening, struct vgg_team *team,
                                     struct vgg_error *error)
{
    size_t block = BLOCK_PER_THREAD * vgg_team_threads(team), kept = 0;
    size_t n = opening->dataset->examples_n;
    bool fits;

    opening->reasons = vgg_alloc(block, sizeof *opening->reasons);
    fits = opening->reasons != NULL;
    for (; opening->first < n && fits; opening->first += block) {
        size_t items = n - opening->first < block ? n - opening->first : block;

        vgg_team_run(team, read_one, opening, items);
        for (size_t i = 0; i < items && fits; i++)
            fits = settle(opening, i, &kept);
    }
    free(opening->reasons);
    if (!fits)
        return vgg_fail_memory(error);
    opening->dataset->examples_n = kept;
    return VGG_OK;
}

/* ---------------------------------------------------------------- opening -------------------- */

static enum vgg_status open_folders(const char *dir, const struct vgg_dataset_options *options,
                                    struct vgg_team *team, struct vgg_dataset *dataset,
                                    struct vgg_error *error)
{
    struct opening opening = {
        .dataset = dataset, .options = options, .cache_left = options->cache_bytes};
    enum vgg_status status = find_pictures(dir, options, dataset, error);

    if (status == VGG_OK)
        status = read_pictures(&opening, team, error);
    if (status != VGG_OK)
        return status;
    if (options->classes == NULL)
        drop_empty_classes(options, dataset);
    return check_classes(dir, options, dataset, error);
}

enum vgg_status vgg_dataset_open(const char *dir, const struct vgg_dataset_options *options,
                                 struct vgg_team *team, struct vgg_dataset *dataset,
                                 struct vgg_error *error)
{
    enum vgg_status status;
    char *plain = strdup(dir);

    *dataset = (struct vgg_dataset){0};
    if (plain == NULL)
        return vgg_fail_memory(error);
    for (size_t length = strlen(plain); length > 1 && plain[length - 1] == '/'; length--)
        plain[length - 1] = '\0';
    status = open_folders(plain, options, team, dataset, error);
    if (status != VGG_OK)
        vgg_dataset_fini(dataset);
    free(plain);
    return status;
}

/* ---------------------------------------------------------------- dividing ------------------- */

/* One class on the way through the examples: `needed` of the `left` that are to come are moved. */
struct share {
    size_t left, needed;
    struct vgg_random random;
};

static void set_share(struct share *share, double fraction, uint64_t seed, uint64_t label)
{
    size_t n = share->left;
    double wanted = round(fraction * (double)n);

    if (n >= 2)
        share->needed = wanted < 1 ? 1 : wanted > (double)(n - 1) ? n - 1 : (size_t)wanted;
    vgg_random_init_keyed(&share->random, (uint64_t[]){seed, VGG_STREAM_SPLIT, label}, 3);
}

/* Each choice of `needed` examples is equally likely (selection sampling). */
static bool take(struct share *share)
{
    if (vgg_random_below(&share->random, share->left--) >= share->needed)
        return false;
    share->needed--;
    return true;
}

enum vgg_status vgg_dataset_split(struct vgg_dataset *from, double fraction, uint64_t seed,
                                  struct vgg_dataset *to, struct vgg_error *error)
{
    struct share *shares = vgg_calloc(from->classes_n, sizeof *shares);
    size_t moved = 0, kept = 0;
    enum vgg_status status;

    *to = (struct vgg_dataset){0};
    status = set_classes(to, (const char *const *)from->classes, from->classes_n, error);
    for (size_t i = 0; i < from->examples_n && shares != NULL; i++)
        shares[from->examples[i].label].left++;
    for (size_t i = 0; i < from->classes_n && shares != NULL; i++) {
        set_share(&shares[i], fraction, seed, i);
        moved += shares[i].needed;
    }
    to->examples = vgg_calloc(moved, sizeof *to->examples);
    if (status != VGG_OK || shares == NULL || to->examples == NULL) {
        free(shares);
        vgg_dataset_fini(to);
        return vgg_fail_memory(error);
    }
    for (size_t i = 0; i < from->examples_n; i++)
        if (take(&shares[from->examples[i].label]))
            to->examples[to->examples_n++] = from->examples[i];
        else
            from->examples[kept++] = from->examples[i];
    from->examples_n = kept;
    free(shares);
    return VGG_OK;
}

/* ---------------------------------------------------------------- naming --------------------- */

void vgg_dataset_digest(const struct vgg_dataset *dataset, char hex[VGG_SHA256_HEX_BYTES])
{
    struct vgg_sha256 sha;
    char numbers[96];

    vgg_sha256_init(&sha);
    for (size_t i = 0; i < dataset->classes_n; i++)
        vgg_sha256_update(&sha, dataset->classes[i], strlen(dataset->classes[i]) + 1);
    for (size_t i = 0; i < dataset->examples_n; i++) {
        const struct vgg_example *example = &dataset->examples[i];
        int length =
            snprintf(numbers, sizeof numbers, "%" PRIu32 " %" PRIu64 " %" PRIu32 "x%" PRIu32,
                     example->label, example->file_bytes, example->width, example->height);

        vgg_sha256_update(&sha, example->name, strlen(example->name) + 1);
        vgg_sha256_update(&sha, numbers, (size_t)length + 1);
    }
    vgg_sha256_final(&sha, hex);
}
