/*
 * The last layer on frozen features: the pictures through the base once, then a convex fit that
 * pictures left out judge, then what is typical of the known classes, then the file.
 */
#include "train/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/replace.h"
#include "blas/gemm.h"
#include "data/statistics.h"
#include "frozen/cache.h"
#include "train/graft.h"
#include "train/output.h"
#include "train/transfer_state.h"

/* ---------------------------------------------------------------- options -------------------- */

static enum vgg_status check_options(const struct vgg_train_options *options,
                                     struct vgg_error *error)
{
    static const char *const reason = "the last layer alone is fitted to convergence: ";

    if (options->base == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "frozen features need a base");
    if (options->init_from != NULL || options->batch_norm)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%sit begins with nothing but its base", reason);
    if (options->resume)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%sthere is nothing to resume, a features cache keeps the rest", reason);
    if (options->teacher != NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%sit has no use for a teacher", reason);
    if (options->no_mirror)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%swith the mirror images that will be served, so they cannot be left out",
                        reason);
    if (options->turn || options->squeeze != 0 || options->erase != 0 || options->mixup != 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%swhat frozen layers see is not turned, squeezed, erased or mixed",
                        reason);
    if (options->scales_n > VGG_SCALES_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "more than %d test scales", VGG_SCALES_MAX);
    if (!(options->validation_fraction >= 0 && options->validation_fraction < 1))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "the validation fraction must be from 0 to 1");
    return VGG_OK;
}

/* Is every tensor of the base in half precision, so that the file's last layer may be? */
static enum vgg_status check_half(const struct vgg_transfer *transfer, struct vgg_error *error)
{
    const char *dtype = transfer->base.model->info.dtype;

    if (!transfer->settings.half || strcmp(dtype, "F16") == 0)
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_ARGUMENT,
                    "the weights of base %s are %s and stay so: F16 needs a base in F16",
                    transfer->base.name, dtype);
}

static enum vgg_status take_scales(struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_model_info *info = &transfer->base.model->info;
    struct vgg_train_options *settings = &transfer->settings;

    if (settings->scales_n == 0) {
        memcpy(settings->scales, info->scales, sizeof settings->scales);
        settings->scales_n = info->scales_n;
    }
    settings->scales_n = vgg_scales_normalise(settings->scales, settings->scales_n);
    for (size_t i = 0; i < settings->scales_n; i++)
        if (settings->scales[i] < info->crop || settings->scales[i] > VGG_SCALE_MAX)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "test scale %" PRIu32 " is not from the crop of the base (%" PRIu32
                            ") to %d",
                            settings->scales[i], info->crop, VGG_SCALE_MAX);
    return VGG_OK;
}

/* ---------------------------------------------------------------- opening -------------------- */

static enum vgg_status try_path(const char *path, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = path != NULL ? vgg_replace_try(path, &reason) : VGG_OK;

    return status == VGG_OK ? VGG_OK : vgg_fail(error, status, "%s: %s", path, reason.text);
}

/* Every path is tried before anything is computed. */
static enum vgg_status try_paths(const struct vgg_train_options *settings, struct vgg_error *error)
{
    const char *const paths[] = {settings->output, settings->log, settings->validation_list};
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < sizeof paths / sizeof *paths && status == VGG_OK; i++)
        status = try_path(paths[i], error);
    if (status == VGG_OK && settings->features_cache != NULL)
        status = vgg_cache_open(settings->features_cache, error);
    return status;
}

static enum vgg_status open_base(struct vgg_transfer *transfer, struct vgg_error *error)
{
    struct vgg_train_options *settings = &transfer->settings;
    struct vgg_base *base = &transfer->base;
    enum vgg_status status = vgg_base_open(base, settings, error);

    if (status == VGG_OK)
        status = vgg_base_check(base, settings, true, error);
    if (status == VGG_OK)
        status = vgg_base_load(base, 0, settings, error);
    if (status == VGG_OK)
        status = check_half(transfer, error);
    if (status == VGG_OK)
        status = take_scales(transfer, error);
    if (status != VGG_OK)
        return status;
    snprintf(transfer->base_name, sizeof transfer->base_name, "%s", base->model->info.name);
    memcpy(transfer->base_version, base->model->info.version, sizeof transfer->base_version);
    return VGG_OK;
}

static size_t append(struct vgg_transfer *transfer, size_t n, const struct vgg_dataset *dataset)
{
    for (size_t i = 0; i < dataset->examples_n; i++)
        transfer->pictures[n++] = &dataset->examples[i];
    return n;
}

static enum vgg_status list_pictures(struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_sets *sets = &transfer->sets;
    size_t n = sets->train.examples_n + sets->validation.examples_n;

    transfer->pictures = vgg_alloc(n + sets->unknown.examples_n, sizeof *transfer->pictures);
    transfer->labels = vgg_alloc(n, sizeof *transfer->labels);
    if (transfer->pictures == NULL || transfer->labels == NULL)
        return vgg_fail_memory(error);
    transfer->known_n = append(transfer, append(transfer, 0, &sets->train), &sets->validation);
    transfer->pictures_n = append(transfer, transfer->known_n, &sets->unknown);
    for (size_t i = 0; i < n; i++)
        transfer->labels[i] = transfer->pictures[i]->label;
    return VGG_OK;
}

/* In each set a class weighs as much as any other, whatever the number of its pictures. */
static enum vgg_status balance(struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_sets *sets = &transfer->sets;
    const struct vgg_dataset *const known[] = {&sets->train, &sets->validation};
    size_t n = 0;
    double *of_class;

    if (!transfer->settings.balance)
        return VGG_OK;
    of_class = vgg_alloc(sets->train.classes_n, sizeof *of_class);
    transfer->weights = vgg_alloc(transfer->known_n, sizeof *transfer->weights);
    if (of_class == NULL || transfer->weights == NULL) {
        free(of_class);
        return vgg_fail_memory(error);
    }
    for (size_t set = 0; set < sizeof known / sizeof *known; set++) {
        vgg_dataset_class_weights(known[set], of_class);
        for (size_t i = 0; i < known[set]->examples_n; i++)
            transfer->weights[n++] = of_class[known[set]->examples[i].label];
    }
    free(of_class);
    return VGG_OK;
}

static enum vgg_status check_room(const struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_graft graft = {.base = &transfer->base,
                                    .classes = (uint32_t)transfer->sets.train.classes_n,
                                    .half = transfer->settings.half};

    return vgg_graft_room(transfer->settings.output, &graft, error);
}

/* Of a part that is set aside; folds are all of the pictures. */
static enum vgg_status list_validation(const struct vgg_transfer *transfer, struct vgg_error *error)
{
    const char *path = transfer->settings.validation_list;

    if (path == NULL)
        return VGG_OK;
    if (transfer->sets.fold != NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "no list of validation pictures can be written: of so few none are set "
                        "aside, but all are left out in turn");
    return vgg_output_list(path, &transfer->sets.validation, error);
}

static enum vgg_status open_all(struct vgg_transfer *transfer, const char *dir,
                                struct vgg_error *error)
{
    const struct vgg_train_options *settings = &transfer->settings;
    enum vgg_status status = try_paths(settings, error);

    if (status == VGG_OK)
        status = open_base(transfer, error);
    if (status == VGG_OK)
        status = vgg_team_create(settings->threads, &transfer->team, error);
    if (status == VGG_OK)
        status = vgg_sets_open(&transfer->sets, dir, settings, true, transfer->team, error);
    if (status == VGG_OK)
        status = list_validation(transfer, error);
    if (status == VGG_OK)
        status = check_room(transfer, error);
    if (status == VGG_OK)
        status = list_pictures(transfer, error);
    return status == VGG_OK ? balance(transfer, error) : status;
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* Pictures [first, first + n) and all their views. */
static struct vgg_fit_set rows_of(const struct vgg_transfer *transfer, size_t first, size_t n)
{
    const struct vgg_frozen *frozen = &transfer->frozen;

    return (struct vgg_fit_set){
        .rows = frozen->values + first * frozen->views * frozen->floats,
        .pictures = n,
        .views = frozen->views,
        .dims = frozen->floats,
        .labels = transfer->labels + first,
        .classes = (uint32_t)transfer->sets.train.classes_n,
        .weights = transfer->weights != NULL ? transfer->weights + first : NULL,
    };
}

/*
 * The part that was set aside has chosen strength and temperature; the layer that is served has
 * learnt from it too.
 */
static enum vgg_status fit_again(struct vgg_transfer *transfer,
                                 const struct vgg_fit_options *options, struct vgg_error *error)
{
    const struct vgg_fit_set all = rows_of(transfer, 0, transfer->known_n);
    const struct vgg_fit_head measured = transfer->head;
    const struct vgg_fit_options given = {.team = options->team,
                                          .strength = measured.strength,
                                          .temperature = measured.temperature,
                                          .stop = options->stop,
                                          .user = options->user};
    struct vgg_fit_head served;
    enum vgg_status status = vgg_fit_head(&all, &given, &served, error);

    if (status != VGG_OK)
        return status;
    transfer->head.weights = served.weights;
    transfer->head.bias = served.bias;
    free(measured.weights);
    free(measured.bias);
    return VGG_OK;
}

static enum vgg_status fit(struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_sets *sets = &transfer->sets;
    const struct vgg_train_options *settings = &transfer->settings;
    const size_t n = sets->train.examples_n;
    const struct vgg_fit_set train = rows_of(transfer, 0, n),
                             validation = rows_of(transfer, n, sets->validation.examples_n);
    const struct vgg_fit_options options = {.team = transfer->team,
                                            .folds = sets->fold,
                                            .folds_n = sets->folds_n,
                                            .validation = sets->fold == NULL ? &validation : NULL,
                                            .stop = settings->stop,
                                            .user = settings->user};
    enum vgg_status status = vgg_fit_head(&train, &options, &transfer->head, error);

    if (status == VGG_OK && sets->fold == NULL && settings->validation == NULL)
        status = fit_again(transfer, &options, error);
    return status;
}

/* The features are frozen, so every picture can be left out, also those set aside. */
static enum vgg_status find_typical(struct vgg_transfer *transfer, struct vgg_error *error)
{
    const struct vgg_typicality_set known = {
        .features = (uint32_t)transfer->frozen.floats,
        .classes = (uint32_t)transfer->sets.train.classes_n,
        .n = transfer->known_n,
        .rows = transfer->means,
        .labels = transfer->labels,
        .groups = transfer->sets.group,
    };
    const struct vgg_typicality_options options = {
        .team = transfer->team,
        .unknown = transfer->means + transfer->known_n * transfer->frozen.floats,
        .unknown_n = transfer->pictures_n - transfer->known_n,
    };

    return vgg_typicality_fit(&known, &options, &transfer->typicality, &transfer->found, error);
}

/* ---------------------------------------------------------------- all of it ------------------ */

static void fill_result(const struct vgg_transfer *transfer, struct vgg_train_result *result)
{
    const struct vgg_sets *sets = &transfer->sets;
    const struct vgg_fit_head *head = &transfer->head;

    *result = (struct vgg_train_result){
        .best_error = -1,
        .measured = sets->fold != NULL ? sets->train.examples_n : sets->validation.examples_n,
        .error = head->error,
        .nll = {head->nll[0], head->nll[1]},
        .ece = {head->ece[0], head->ece[1]},
        .ece_noise = head->ece_noise,
        .temperature = head->temperature,
        .strength = head->strength,
        .typicality = transfer->typicality.known_n,
        .unknown = sets->unknown.examples_n,
        .unknown_auroc = transfer->found.auroc,
        .unknown_caught = transfer->found.caught,
        .reject = transfer->typicality.reject,
    };
    snprintf(result->typicality_reason, sizeof result->typicality_reason, "%s",
             transfer->found.reason);
}

/* What was measured is told also where the file cannot be written. */
static enum vgg_status train(struct vgg_transfer *transfer, const char *dir,
                             struct vgg_train_result *result, struct vgg_error *error)
{
    enum vgg_status status = open_all(transfer, dir, error);

    if (status == VGG_OK && !vgg_gemm_start())
        status = vgg_fail_memory(error);
    if (status == VGG_OK)
        status = vgg_transfer_compute(transfer, error);
    if (status == VGG_OK)
        status = fit(transfer, error);
    if (status == VGG_OK)
        status = find_typical(transfer, error);
    if (status != VGG_OK)
        return status;
    fill_result(transfer, result);
    return vgg_transfer_write(transfer, error);
}

static void fini(struct vgg_transfer *transfer)
{
    vgg_typicality_found_fini(&transfer->found);
    vgg_typicality_fini(&transfer->typicality);
    vgg_fit_head_fini(&transfer->head);
    vgg_frozen_fini(&transfer->frozen);
    vgg_sets_fini(&transfer->sets);
    vgg_base_fini(&transfer->base);
    vgg_team_destroy(transfer->team);
    free(transfer->pictures);
    free(transfer->means);
    free(transfer->labels);
    free(transfer->weights);
    free(transfer);
}

enum vgg_status vgg_train_features(const char *dir, const struct vgg_train_options *options,
                                   struct vgg_train_result *result, struct vgg_error *error)
{
    enum vgg_status status = check_options(options, error);
    struct vgg_transfer *transfer;

    if (status != VGG_OK)
        return status;
    transfer = vgg_calloc(1, sizeof *transfer);
    if (transfer == NULL)
        return vgg_fail_memory(error);
    transfer->settings = *options;
    if (options->threads == 0)
        transfer->settings.threads = vgg_threads_default();
    if (options->validation_fraction == 0)
        transfer->settings.validation_fraction = 0.1;
    status = train(transfer, dir, result, error);
    if (status == VGG_OK)
        vgg_transfer_report(transfer);
    fini(transfer);
    return status;
}
