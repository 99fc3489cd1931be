/* What a fit on frozen features leaves behind: the model file, the log, a word on each picture. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/known.h"
#include "train/graft.h"
#include "train/output.h"
#include "train/transfer_state.h"

enum { METADATA_MAX = 12, TEXT_BYTES = 512, NUMBER_BYTES = 32 };

/* ---------------------------------------------------------------- the file ------------------- */

/* Of the new file, and the texts that it points to. */
struct metadata {
    struct vgg_metadata items[METADATA_MAX];
    size_t n;
    char name[NUMBER_BYTES], scales[VGG_OUTPUT_SCALES_BYTES], settings[TEXT_BYTES],
        result[TEXT_BYTES], reject[NUMBER_BYTES];
    char *labels; /* owned */
};

static void add(struct metadata *metadata, const char *key, const char *value)
{
    metadata->items[metadata->n++] = (struct vgg_metadata){(char *)key, (char *)value};
}

static void format_result(const struct vgg_transfer *transfer, char text[TEXT_BYTES])
{
    const struct vgg_sets *sets = &transfer->sets;
    const struct vgg_fit_head *head = &transfer->head;

    snprintf(text, TEXT_BYTES,
             "{\"measured\":%zu,\"folds\":%" PRIu32 ",\"error\":%.6f,\"nll\":[%.6f,%.6f],"
             "\"ece\":[%.6f,%.6f],\"ece_noise\":%.6f,\"temperature\":%.6f,\"strength\":%g}",
             sets->fold != NULL ? sets->train.examples_n : sets->validation.examples_n,
             sets->folds_n, head->error, head->nll[0], head->nll[1], head->ece[0], head->ece[1],
             head->ece_noise, head->temperature, head->strength);
}

static void describe(const struct vgg_transfer *transfer, struct metadata *metadata)
{
    const struct vgg_train_options *settings = &transfer->settings;

    snprintf(metadata->name, sizeof metadata->name, "%s-%" PRIu32, transfer->base.net.arch->name,
             transfer->base.net.layers[0].conv.out);
    vgg_output_scales(metadata->scales, settings->scales, settings->scales_n);
    snprintf(metadata->settings, sizeof metadata->settings,
             "freeze=features classes=%zu balance=%s validation=%s seed=%" PRIu64,
             transfer->sets.train.classes_n, settings->balance ? "on" : "off",
             transfer->sets.fold != NULL    ? "folds"
             : settings->validation != NULL ? "directory"
                                            : "part",
             settings->seed);
    format_result(transfer, metadata->result);
    add(metadata, "vgg.name", settings->name != NULL ? settings->name : metadata->name);
    add(metadata, "vgg.labels", metadata->labels);
    add(metadata, "vgg.scales", metadata->scales);
    add(metadata, "vgg.trained", "true");
    add(metadata, "vgg.base", transfer->base_name);
    add(metadata, "vgg.base.sha256", strchr(transfer->base_version, ':') + 1);
    add(metadata, "vgg.training", metadata->settings);
    add(metadata, "vgg.training.result", metadata->result);
    add(metadata, "vgg.training.data", transfer->sets.digest);
    if (transfer->typicality.known_n == 0)
        return;
    snprintf(metadata->reject, sizeof metadata->reject, "%.17g", transfer->typicality.reject);
    add(metadata, VGG_KNOWN_REJECT, metadata->reject);
}

static enum vgg_status write_log(const struct vgg_train_options *settings, const char *result,
                                 struct vgg_error *error)
{
    char line[TEXT_BYTES + 1];

    if (settings->log == NULL)
        return VGG_OK;
    snprintf(line, sizeof line, "%s\n", result);
    return vgg_output_log(settings->log, line, error);
}

enum vgg_status vgg_transfer_write(const struct vgg_transfer *transfer, struct vgg_error *error)
{
    struct metadata metadata = {.labels = vgg_output_labels(&transfer->sets.train)};
    struct vgg_graft graft = {
        .base = &transfer->base,
        .classes = (uint32_t)transfer->sets.train.classes_n,
        .weights = transfer->head.weights,
        .bias = transfer->head.bias,
        .half = transfer->settings.half,
        .typicality = &transfer->typicality,
        .metadata = metadata.items,
    };
    enum vgg_status status;

    if (metadata.labels == NULL)
        return vgg_fail_memory(error);
    describe(transfer, &metadata);
    graft.metadata_n = metadata.n;
    status = vgg_graft_write(transfer->settings.output, &graft, error);
    if (status == VGG_OK)
        status = write_log(&transfer->settings, metadata.result, error);
    free(metadata.labels);
    return status;
}

/* ---------------------------------------------------------------- the pictures --------------- */

/* The posterior of a picture by a layer that has not seen it; false: there is none. */
static bool find_posterior(const struct vgg_transfer *transfer, size_t picture, float *posterior)
{
    const struct vgg_sets *sets = &transfer->sets;
    size_t n = sets->train.examples_n, classes = sets->train.classes_n;
    size_t row = sets->fold != NULL ? picture : picture - n;

    if (picture >= transfer->known_n || (sets->fold == NULL && picture < n))
        return false;
    for (size_t i = 0; i < classes; i++)
        posterior[i] = (float)transfer->head.posteriors[row * classes + i];
    return true;
}

static double find_typicality(const struct vgg_transfer *transfer, size_t picture)
{
    if (transfer->typicality.known_n == 0)
        return -1;
    return picture < transfer->known_n ? transfer->found.known[picture]
                                       : transfer->found.unknown[picture - transfer->known_n];
}

void vgg_transfer_report(const struct vgg_transfer *transfer)
{
    const struct vgg_train_options *settings = &transfer->settings;
    const struct vgg_sets *sets = &transfer->sets;
    float *posterior = vgg_alloc(sets->train.classes_n, sizeof *posterior);

    if (settings->on_classes != NULL)
        settings->on_classes(settings->user, (const char *const *)sets->train.classes,
                             sets->train.classes_n);
    for (size_t i = 0; i < transfer->pictures_n && settings->on_picture != NULL; i++) {
        const struct vgg_train_picture picture = {
            .path = transfer->pictures[i]->path,
            .label = transfer->pictures[i]->label,
            .validation = i >= sets->train.examples_n && i < transfer->known_n,
            .posterior =
                posterior != NULL && find_posterior(transfer, i, posterior) ? posterior : NULL,
            .typicality = find_typicality(transfer, i),
            .group = sets->group[i],
            .copy = sets->original[i] != i,
        };

        settings->on_picture(settings->user, &picture);
    }
    free(posterior);
}
