/* Reading the pictures and dividing them, duplicates on one side. */
#include "data/sets.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/duplicates.h"
#include "data/split.h"

enum {
    PICTURES_MIN = 2, /* of a class: one to learn from, one to measure by */
    CLASS_MIN = 30,   /* pictures of a class of which some are set aside */
    PART_MIN = 200    /* pictures set aside: an error of a tenth is then known to 0.02 */
};

static size_t smallest_class(const struct vgg_dataset *dataset)
{
    size_t least = SIZE_MAX, next = 0;

    for (size_t label = 0; label < dataset->classes_n; label++) {
        size_t first = next;

        while (next < dataset->examples_n && dataset->examples[next].label == label)
            next++;
        least = next - first < least ? next - first : least;
    }
    return least;
}

/* Would a part set aside be too small to measure by? */
static bool wants_folds(const struct vgg_sets *sets, double fraction)
{
    return smallest_class(&sets->train) < CLASS_MIN ||
           fraction * (double)sets->train.examples_n < PART_MIN;
}

static size_t count(const struct vgg_sets *sets)
{
    return sets->train.examples_n + sets->validation.examples_n + sets->unknown.examples_n;
}

static enum vgg_status find_duplicates(struct vgg_sets *sets,
                                       const struct vgg_train_options *settings,
                                       struct vgg_team *team, struct vgg_error *error)
{
    const struct vgg_dataset *const all[] = {&sets->train, &sets->validation, &sets->unknown};
    const struct vgg_duplicates_options options = {team, settings->stop, settings->user};

    sets->group = vgg_alloc(count(sets), sizeof *sets->group);
    sets->original = vgg_alloc(count(sets), sizeof *sets->original);
    if (sets->group == NULL || sets->original == NULL)
        return vgg_fail_memory(error);
    return vgg_duplicates_find(all, 3, &options, sets->group, sets->original, error);
}

/* A group's first picture comes before the others, so those of train name none of another set. */
static enum vgg_status make_folds(struct vgg_sets *sets, const struct vgg_train_options *settings,
                                  struct vgg_error *error)
{
    sets->folds_n = vgg_dataset_folds_count(&sets->train, sets->group);
    sets->fold = vgg_alloc(sets->train.examples_n, sizeof *sets->fold);
    if (sets->fold == NULL)
        return vgg_fail_memory(error);
    return vgg_dataset_folds(&sets->train, sets->group, sets->folds_n, settings->seed, sets->fold,
                             error);
}

/* Both parts keep their order, and paths are where they were: place[i] is that of paths[i]. */
static void find_places(const struct vgg_sets *sets, const char *const *paths, size_t *place)
{
    const struct vgg_dataset *train = &sets->train;
    size_t next = 0, aside = train->examples_n, n = aside + sets->validation.examples_n;

    for (size_t i = 0; i < n; i++)
        if (next < train->examples_n && train->examples[next].path == paths[i])
            place[i] = next++;
        else
            place[i] = aside++;
    for (size_t i = n; i < count(sets); i++)
        place[i] = i;
}

/* Those set aside are numbered after the others, and so are groups and originals. */
static enum vgg_status set_aside(struct vgg_sets *sets, const struct vgg_train_options *settings,
                                 struct vgg_error *error)
{
    size_t n = count(sets);
    size_t *place = vgg_alloc(n, sizeof *place);
    const char **paths = vgg_alloc(sets->train.examples_n, sizeof *paths);
    enum vgg_status status = place != NULL && paths != NULL ? VGG_OK : vgg_fail_memory(error);

    for (size_t i = 0; i < sets->train.examples_n && status == VGG_OK; i++)
        paths[i] = sets->train.examples[i].path;
    if (status == VGG_OK)
        status = vgg_dataset_split(&sets->train, settings->validation_fraction, settings->seed,
                                   sets->group, &sets->validation, error);
    if (status == VGG_OK) {
        find_places(sets, paths, place);
        status = vgg_duplicates_renumber(place, n, sets->group, error);
    }
    if (status == VGG_OK)
        status = vgg_duplicates_renumber(place, n, sets->original, error);
    free(place);
    free(paths);
    return status;
}

/* What is unknown there joins the others. */
static enum vgg_status open_validation(struct vgg_sets *sets,
                                       const struct vgg_train_options *settings,
                                       struct vgg_dataset_options *options, struct vgg_team *team,
                                       struct vgg_error *error)
{
    struct vgg_dataset unknown = {0};
    enum vgg_status status;

    options->classes = (const char *const *)sets->train.classes;
    options->classes_n = sets->train.classes_n;
    options->unknown = &unknown;
    status = vgg_dataset_open(settings->validation, options, team, &sets->validation, error);
    if (status == VGG_OK)
        status = vgg_dataset_append(&sets->unknown, &unknown, error);
    vgg_dataset_fini(&unknown);
    return status;
}

enum vgg_status vgg_sets_open(struct vgg_sets *sets, const char *dir,
                              const struct vgg_train_options *settings, bool folds,
                              struct vgg_team *team, struct vgg_error *error)
{
    struct vgg_dataset_options options = {.cache_bytes = settings->cache_bytes,
                                          .pictures_min = PICTURES_MIN,
                                          .unknown = &sets->unknown,
                                          .on_skip = settings->on_skip,
                                          .on_ignore = settings->on_ignore,
                                          .stop = settings->stop,
                                          .user = settings->user};
    enum vgg_status status = vgg_dataset_open(dir, &options, team, &sets->train, error);

    if (status != VGG_OK)
        return status;
    vgg_dataset_digest(&sets->train, sets->digest);
    if (settings->validation != NULL)
        status = open_validation(sets, settings, &options, team, error);
    if (status == VGG_OK)
        status = find_duplicates(sets, settings, team, error);
    if (status != VGG_OK || settings->validation != NULL)
        return status;
    return folds && wants_folds(sets, settings->validation_fraction)
               ? make_folds(sets, settings, error)
               : set_aside(sets, settings, error);
}

uint64_t vgg_sets_bytes(const struct vgg_sets *sets)
{
    return vgg_dataset_bytes(&sets->train) + vgg_dataset_bytes(&sets->validation) +
           vgg_dataset_bytes(&sets->unknown);
}

void vgg_sets_fini(struct vgg_sets *sets)
{
    vgg_dataset_fini(&sets->train);
    vgg_dataset_fini(&sets->validation);
    vgg_dataset_fini(&sets->unknown);
    free(sets->group);
    free(sets->original);
    free(sets->fold);
    *sets = (struct vgg_sets){0};
}
