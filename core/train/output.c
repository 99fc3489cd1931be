/* The files of a training, but for the checkpoint. */
#include "train/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/replace.h"
#include "model/lists.h"
#include "model/names.h"
#include "model/write.h"
#include "train/graft.h"

enum {
    METADATA_MAX = 14,
    NUMBERS_BYTES = 96, /* three doubles of 17 digits */
    NAME_BYTES = 64,
    RESULT_BYTES = 256
};

/* A file about to be written: the tensors, and the texts that the metadata points to. */
struct output {
    struct vgg_plan plan;
    struct vgg_metadata metadata[METADATA_MAX];
    size_t metadata_n;
    char mean[NUMBERS_BYTES], std[NUMBERS_BYTES], scales[VGG_OUTPUT_SCALES_BYTES], name[NAME_BYTES],
        result[RESULT_BYTES];
    char *labels; /* owned */
};

static void add(struct output *output, const char *key, const char *value)
{
    output->metadata[output->metadata_n++] = (struct vgg_metadata){(char *)key, (char *)value};
}

static void format_numbers(char text[NUMBERS_BYTES], const double numbers[3])
{
    snprintf(text, NUMBERS_BYTES, "[%.17g, %.17g, %.17g]", numbers[0], numbers[1], numbers[2]);
}

char *vgg_output_labels(const struct vgg_dataset *dataset)
{
    struct vgg_labels labels = {.items = vgg_calloc(dataset->classes_n, sizeof *labels.items),
                                .items_n = dataset->classes_n};
    char *text = NULL;

    if (labels.items == NULL)
        return NULL;
    for (size_t i = 0; i < dataset->classes_n; i++)
        labels.items[i].label = dataset->classes[i];
    text = vgg_labels_format(&labels);
    free(labels.items);
    return text;
}

/* What every reader of the weights needs. */
static enum vgg_status plan(struct output *output, const struct vgg_network *network,
                            const struct vgg_dataset *train, enum vgg_dtype dtype,
                            struct vgg_error *error)
{
    memset(output, 0, sizeof *output);
    vgg_names_plan(&network->net, dtype, &output->plan);
    format_numbers(output->mean, train->mean);
    format_numbers(output->std, train->std);
    output->labels = vgg_output_labels(train);
    if (output->labels == NULL)
        return vgg_fail_memory(error);
    add(output, "vgg.labels", output->labels);
    add(output, "vgg.trained", "true");
    if (network->frozen != 0) /* then the base says the rest */
        return VGG_OK;
    add(output, "vgg.arch", network->net.arch->name);
    add(output, "vgg.mean", output->mean);
    add(output, "vgg.std", output->std);
    return VGG_OK;
}

static const struct vgg_header *header_of(struct output *output)
{
    output->plan.header.metadata = output->metadata;
    output->plan.header.metadata_n = output->metadata_n;
    return &output->plan.header;
}

enum vgg_status vgg_output_load(struct vgg_network *network, const struct vgg_dataset *train,
                                unsigned threads, struct vgg_model **model, struct vgg_error *error)
{
    const struct vgg_load_options options = {.threads = threads};
    struct output *output = vgg_alloc(1, sizeof *output);
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum vgg_status status;

    if (output == NULL)
        return vgg_fail_memory(error);
    status = plan(output, network, train, VGG_DTYPE_F32, error);
    if (status == VGG_OK)
        status = vgg_file_write_memory(header_of(output), vgg_network_fill, network, &bytes, &size,
                                       error);
    if (status == VGG_OK)
        status = vgg_model_load_memory(bytes, size, "training", &options, model, error);
    free(bytes);
    free(output->labels);
    free(output);
    return status;
}

void vgg_output_scales(char text[VGG_OUTPUT_SCALES_BYTES], const uint32_t *scales, size_t n)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, VGG_OUTPUT_SCALES_BYTES - used, "%s%" PRIu32,
                                 i == 0 ? "[" : ", ", scales[i]);
    snprintf(text + used, VGG_OUTPUT_SCALES_BYTES - used, "]");
}

static void add_scales(struct output *output, const struct vgg_train_options *settings)
{
    if (settings->scales_n == 0)
        return;
    vgg_output_scales(output->scales, settings->scales, settings->scales_n);
    add(output, "vgg.scales", output->scales);
}

static struct vgg_graft graft_of(struct vgg_network *network, const struct vgg_base *base,
                                 const struct vgg_train_options *settings)
{
    return (struct vgg_graft){.base = base, .network = network, .half = settings->half};
}

static enum vgg_dtype dtype_of(const struct vgg_train_options *settings)
{
    return settings->half ? VGG_DTYPE_F16 : VGG_DTYPE_F32;
}

enum vgg_status vgg_output_room(struct vgg_network *network, const struct vgg_base *base,
                                const struct vgg_train_options *settings, struct vgg_error *error)
{
    const struct vgg_graft graft = graft_of(network, base, settings);
    struct vgg_plan *plan;
    uint64_t bytes;

    if (network->frozen != 0)
        return vgg_graft_room(settings->output, &graft, error);
    plan = vgg_calloc(1, sizeof *plan);
    if (plan == NULL)
        return vgg_fail_memory(error);
    vgg_names_plan(&network->net, dtype_of(settings), plan);
    bytes = plan->header.tensors[plan->header.tensors_n - 1].end;
    free(plan);
    return vgg_replace_room(settings->output, bytes, error);
}

static enum vgg_status write_graft(struct vgg_network *network, const struct vgg_base *base,
                                   const struct vgg_train_options *settings,
                                   const struct output *output, struct vgg_error *error)
{
    struct vgg_graft graft = graft_of(network, base, settings);

    graft.metadata = output->metadata;
    graft.metadata_n = output->metadata_n;
    return vgg_graft_write(settings->output, &graft, error);
}

enum vgg_status vgg_output_write(struct vgg_network *network, const struct vgg_dataset *train,
                                 const struct vgg_base *base,
                                 const struct vgg_train_options *settings,
                                 const struct vgg_train_epoch *epoch, const char *settings_text,
                                 const char *data, struct vgg_error *error)
{
    struct output *output = vgg_alloc(1, sizeof *output);
    enum vgg_status status;

    if (output == NULL)
        return vgg_fail_memory(error);
    status = plan(output, network, train, dtype_of(settings), error);
    if (status == VGG_OK) {
        snprintf(output->name, sizeof output->name, "%s-%" PRIu32, settings->arch, settings->width);
        snprintf(output->result, sizeof output->result,
                 "{\"epoch\":%" PRIu32 ",\"validation_error\":%.6f,\"validation_loss\":%.6f}",
                 epoch->epoch, epoch->validation_error, epoch->validation_loss);
        add(output, "vgg.name", settings->name != NULL ? settings->name : output->name);
        add_scales(output, settings);
        add(output, "vgg.training", settings_text);
        add(output, "vgg.training.result", output->result);
        add(output, "vgg.training.data", data);
        if (settings->base != NULL) {
            add(output, "vgg.base", base->title);
            add(output, "vgg.base.sha256", base->sha256);
        }
        if (network->frozen != 0)
            status = write_graft(network, base, settings, output, error);
        else
            status = vgg_file_write(settings->output, header_of(output), vgg_network_fill, network,
                                    error);
    }
    free(output->labels);
    free(output);
    return status;
}

/* ---------------------------------------------------------------- text ----------------------- */

static enum vgg_status write_lines(void *user, int fd, struct vgg_error *error)
{
    const char *lines = user;

    return vgg_write_all(fd, lines, strlen(lines), error);
}

static enum vgg_status write_paths(void *user, int fd, struct vgg_error *error)
{
    const struct vgg_dataset *dataset = user;
    enum vgg_status status = VGG_OK;

    for (size_t i = 0; i < dataset->examples_n && status == VGG_OK; i++) {
        const char *path = dataset->examples[i].path;

        status = vgg_write_all(fd, path, strlen(path), error);
        if (status == VGG_OK)
            status = vgg_write_all(fd, "\n", 1, error);
    }
    return status;
}

static enum vgg_status replace(const char *path, vgg_contents_fn *contents, const void *user,
                               struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = vgg_replace(path, contents, (void *)user, &reason);

    return status == VGG_OK ? status : vgg_fail(error, status, "%s: %s", path, reason.text);
}

enum vgg_status vgg_output_list(const char *path, const struct vgg_dataset *dataset,
                                struct vgg_error *error)
{
    return replace(path, write_paths, dataset, error);
}

enum vgg_status vgg_output_log(const char *path, const char *lines, struct vgg_error *error)
{
    return replace(path, write_lines, lines, error);
}
