/* Class folders. Messages show the layout that is wanted. */
#include "data/folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "text/list.h"
#include "text/utf8.h"
#include "vgg_pictures.h"

enum { FIRST_EXAMPLES = 64 }; /* a power of two */

#define LAYOUT "expected DIR/CLASS/PICTURE, such as DIR/cat/1.jpg and DIR/dog/1.jpg"

/* ---------------------------------------------------------------- finding -------------------- */

struct finding {
    struct vgg_dataset *dataset;
    const struct vgg_dataset_options *options;
    size_t dir_length;
    uint32_t label; /* of the folder that is walked through */
    struct vgg_error *error;
};

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

static enum vgg_status find_unknown(struct finding *finding, const char *path)
{
    const struct vgg_dataset_options *options = finding->options;

    finding->label = VGG_UNKNOWN_LABEL;
    if (options->unknown == NULL && options->on_ignore != NULL)
        options->on_ignore(options->user, path, "its pictures are none of the classes");
    return VGG_OK;
}

static enum vgg_status find_folder(void *user, const char *path, const char *name, bool *known)
{
    struct finding *finding = user;

    if (strcmp(name, VGG_UNKNOWN_FOLDER) == 0)
        return find_unknown(finding, path);
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

/* Room for one more: doubled where a power of two is full. */
static bool grow(struct vgg_dataset *dataset)
{
    size_t n = dataset->examples_n;
    size_t capacity = n == 0 ? FIRST_EXAMPLES : 2 * n;
    struct vgg_example *grown;

    if (n != 0 && (n < FIRST_EXAMPLES || (n & (n - 1)) != 0))
        return true;
    grown = realloc(dataset->examples, capacity * sizeof *grown);
    if (grown != NULL)
        dataset->examples = grown;
    return grown != NULL;
}

static enum vgg_status find_picture(void *user, const char *path)
{
    const struct finding *finding = user;
    struct vgg_dataset *dataset =
        finding->label == VGG_UNKNOWN_LABEL ? finding->options->unknown : finding->dataset;
    struct vgg_example *example;

    if (dataset == NULL)
        return VGG_OK;
    if (!grow(dataset))
        return vgg_fail_memory(finding->error);
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

/* ---------------------------------------------------------------- too few -------------------- */

/* A folder too high or too low was given, as far as the paths tell. */
static enum vgg_status fail_single(const char *dir, const struct vgg_dataset *dataset,
                                   struct vgg_error *error)
{
    const char *class = dataset->classes[0];
    bool nested = dataset->examples_n != 0;

    for (size_t i = 0; i < dataset->examples_n; i++)
        nested = nested && strchr(dataset->examples[i].name + strlen(class) + 1, '/') != NULL;
    if (nested)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%.100s: a single folder holds pictures, all of them in folders of its "
                        "own: is %.100s/%.100s meant?",
                        dir, dir, class);
    return vgg_fail(error, VGG_BAD_ARGUMENT,
                    "%.100s: a single class folder holds usable pictures, %.100s; at least 2 are "
                    "needed: " LAYOUT,
                    dir, class);
}

static enum vgg_status check_number(const char *dir, const struct vgg_dataset_options *options,
                                    const struct vgg_dataset *dataset, struct vgg_error *error)
{
    if (options->classes != NULL && dataset->examples_n == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%.200s: no usable picture in its class folders; " LAYOUT, dir);
    if (options->classes == NULL && dataset->classes_n == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%.200s: no class folder holds a usable picture; " LAYOUT, dir);
    if (options->classes == NULL && dataset->classes_n == 1)
        return fail_single(dir, dataset, error);
    return VGG_OK;
}

/* The end of a class's examples, which follow each other. */
static size_t end_of(const struct vgg_dataset *dataset, size_t label, size_t from)
{
    while (from < dataset->examples_n && dataset->examples[from].label == label)
        from++;
    return from;
}

static enum vgg_status check_least(const char *dir, size_t least, const struct vgg_dataset *dataset,
                                   struct vgg_error *error)
{
    struct text_list few = {0};
    size_t next = 0;

    for (size_t i = 0; i < dataset->classes_n; i++) {
        size_t first = next;
        char name[128];

        next = end_of(dataset, i, first);
        snprintf(name, sizeof name, "%.100s (%zu)", dataset->classes[i], next - first);
        if (next - first < least)
            text_list_add(&few, name);
    }
    if (few.n == 0)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_ARGUMENT,
                    "%.60s: %zu class%s fewer than %zu usable pictures: %s", dir, few.n,
                    few.n == 1 ? " has" : "es have", least, text_list_end(&few));
}

/* Classes of which no picture could be used go. */
static void drop_empty(const struct vgg_dataset_options *options, struct vgg_dataset *dataset)
{
    size_t kept = 0, next = 0;

    for (size_t i = 0; i < dataset->classes_n; i++) {
        size_t first = next;

        next = end_of(dataset, i, first);
        for (size_t j = first; j < next; j++)
            dataset->examples[j].label = (uint32_t)kept;
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

enum vgg_status vgg_folders_settle(const char *dir, const struct vgg_dataset_options *options,
                                   struct vgg_dataset *dataset, struct vgg_error *error)
{
    enum vgg_status status;

    if (options->classes == NULL && options->pictures_min == 0)
        drop_empty(options, dataset);
    status = check_number(dir, options, dataset, error);
    if (status == VGG_OK && options->classes == NULL)
        status = check_least(dir, options->pictures_min, dataset, error);
    return status;
}

/* ---------------------------------------------------------------- the folders ---------------- */

enum vgg_status vgg_folders_find(const char *dir, const struct vgg_dataset_options *options,
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
        status = vgg_dataset_set_classes(dataset, options->classes, options->classes_n, error);
    if (status == VGG_OK)
        status = vgg_walk_classes(dir, &walk, error);
    return status == VGG_OK ? check_number(dir, options, dataset, error) : status;
}
