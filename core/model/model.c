/* Models: opening the file, its metadata, the public accessors and the reference count. */
#include "model/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "model/known.h"
#include "model/labels.h"

enum { IMAGENET_CLASSES = 1000 };

uint32_t vgg_net_crop(const struct vgg_net *net)
{
    return net->positions_kernel * VGG_STRIDE;
}

/* ---------------------------------------------------------------- preprocessing -------------- */

static enum vgg_status read_triple(const struct vgg_header *header, const char *key,
                                   double values[3], struct vgg_error *error)
{
    const char *json = vgg_header_get(header, key);
    enum vgg_status status;
    double parsed[3];
    size_t n;

    if (json == NULL)
        return VGG_OK;
    status = vgg_json_numbers(json, parsed, 3, &n, NULL);
    if (status == VGG_NO_MEMORY)
        return vgg_fail_memory(error);
    if (status != VGG_OK || n != 3)
        return vgg_fail(error, VGG_BAD_MODEL, "%s must be a list of three numbers", key);
    memcpy(values, parsed, sizeof parsed);
    return VGG_OK;
}

/* (pixel / 255 - mean) / std for each of the 256 pixel values, rounded once. */
static enum vgg_status fill_normalisation(struct vgg_model *model, struct vgg_error *error)
{
    const struct vgg_model_info *info = &model->info;
    bool bgr = strcmp(info->channels, "BGR") == 0;

    for (unsigned c = 0; c < 3; c++) {
        model->normalisation.source[c] = bgr ? 2 - c : c;
        for (unsigned v = 0; v < 256; v++) {
            float value = (float)(((double)v / 255.0 - info->mean[c]) / info->std[c]);

            if (!isfinite(value) || !(info->std[c] > 0))
                return vgg_fail(error, VGG_BAD_MODEL,
                                "vgg.mean and vgg.std do not give finite inputs");
            model->normalisation.table[c][v] = value;
        }
    }
    return VGG_OK;
}

static enum vgg_status read_preprocessing(struct vgg_model *model, const struct vgg_header *header,
                                          struct vgg_error *error)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    const char *channels = vgg_header_get(header, "vgg.channels");
    enum vgg_status status;

    memcpy(model->info.mean, mean, sizeof mean);
    memcpy(model->info.std, std, sizeof std);
    model->info.channels = "RGB";
    if (channels != NULL && strcmp(channels, "BGR") == 0)
        model->info.channels = "BGR";
    else if (channels != NULL && strcmp(channels, "RGB") != 0)
        return vgg_fail(error, VGG_BAD_MODEL, "vgg.channels \"%.40s\" is neither RGB nor BGR",
                        channels);
    status = read_triple(header, "vgg.mean", model->info.mean, error);
    if (status == VGG_OK)
        status = read_triple(header, "vgg.std", model->info.std, error);
    return status == VGG_OK ? fill_normalisation(model, error) : status;
}

/* ---------------------------------------------------------------- other metadata ------------- */

/* The paper's {256, 384, 512}, without those below the crop; then the crop itself. */
static void default_scales(struct vgg_model_info *info)
{
    static const uint32_t scales[] = {256, 384, 512};

    info->scales_n = 0;
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (scales[i] >= info->crop)
            info->scales[info->scales_n++] = scales[i];
    if (info->scales_n == 0)
        info->scales[info->scales_n++] = info->crop;
}

static enum vgg_status read_scales(struct vgg_model_info *info, const struct vgg_header *header,
                                   struct vgg_error *error)
{
    const char *json = vgg_header_get(header, "vgg.scales");
    double values[VGG_SCALES_MAX];
    enum vgg_status status;

    if (json == NULL) {
        default_scales(info);
        return VGG_OK;
    }
    status = vgg_json_numbers(json, values, VGG_SCALES_MAX, &info->scales_n, NULL);
    if (status == VGG_NO_MEMORY)
        return vgg_fail_memory(error);
    if (status != VGG_OK || info->scales_n == 0)
        return vgg_fail(error, VGG_BAD_MODEL, "vgg.scales must be a list of 1 to %d numbers",
                        VGG_SCALES_MAX);
    for (size_t i = 0; i < info->scales_n; i++) {
        if (!(values[i] >= info->crop && values[i] <= VGG_SCALE_MAX) ||
            floor(values[i]) != values[i])
            return vgg_fail(error, VGG_BAD_MODEL,
                            "vgg.scales: %g is not a whole number from %" PRIu32 " to %d",
                            values[i], info->crop, VGG_SCALE_MAX);
        info->scales[i] = (uint32_t)values[i];
    }
    info->scales_n = vgg_scales_normalise(info->scales, info->scales_n);
    return VGG_OK;
}

static enum vgg_status read_labels(struct vgg_model *model, const struct vgg_header *header,
                                   struct vgg_error *error)
{
    const char *json = vgg_header_get(header, "vgg.labels");
    enum vgg_status status;

    if (json == NULL)
        return model->net.classes == IMAGENET_CLASSES ? vgg_labels_imagenet(&model->labels, error)
                                                      : VGG_OK;
    status = vgg_json_labels(json, &model->labels, error);
    if (status == VGG_OK && model->labels.items_n != model->net.classes)
        return vgg_fail(error, VGG_BAD_MODEL, "vgg.labels has %zu labels for %" PRIu32 " classes",
                        model->labels.items_n, model->net.classes);
    return status;
}

/* One name where all weights agree. */
static const char *weights_dtype(const struct vgg_header *header)
{
    const char *dtype = NULL;
    enum vgg_known known;

    for (size_t i = 0; i < header->tensors_n; i++) {
        const struct vgg_tensor *tensor = &header->tensors[i];

        if (tensor->dtype == VGG_DTYPE_I64 || vgg_known_is(tensor, &known))
            continue;
        if (dtype != NULL && strcmp(dtype, vgg_dtype_name(tensor->dtype)) != 0)
            return "mixed";
        dtype = vgg_dtype_name(tensor->dtype);
    }
    return dtype;
}

/* ---------------------------------------------------------------- loading -------------------- */

static enum vgg_status describe(struct vgg_model *model, const struct vgg_loaded *loaded,
                                const char *name, struct vgg_error *error)
{
    const struct vgg_header *header = &loaded->header;
    const char *own_name = vgg_header_get(header, "vgg.name");
    const char *trained = vgg_header_get(header, "vgg.trained");
    const char *precision = vgg_precision_name(model->net.kernels->precision);
    enum vgg_status status;

    model->name = strdup(own_name != NULL ? own_name : name);
    if (model->name == NULL)
        return vgg_fail_memory(error);
    snprintf(model->version, sizeof model->version, "sha256:%s", loaded->sha256);
    model->info = (struct vgg_model_info){
        .name = model->name,
        .arch = model->net.arch->name,
        .version = model->version,
        .trained = trained == NULL || strcmp(trained, "false") != 0,
        .batch_norm = loaded->batch_norm,
        .dtype = weights_dtype(header),
        .classes = model->net.classes,
        .features = vgg_net_features(&model->net),
        .crop = vgg_net_crop(&model->net),
        .parameters = vgg_net_parameters(&model->net),
        .file_bytes = loaded->file_bytes,
        .memory_bytes = vgg_net_bytes(&model->net) + vgg_typicality_bytes(&model->typicality),
        .kernel = model->net.kernels->name,
        .precision = precision,
        .fc_weights = model->net.layers[model->net.layers_n - 1].conv.half ? "f16" : precision,
        .typicality = (uint32_t)model->typicality.known_n,
        .reject = model->typicality.reject,
    };
    status = read_preprocessing(model, header, error);
    if (status == VGG_OK)
        status = read_scales(&model->info, header, error);
    if (status == VGG_OK && vgg_net_is_whole(&model->net))
        status = read_labels(model, header, error);
    return status;
}

/* `kernels` of NULL: those of the options. */
static enum vgg_status load(const struct vgg_source *source, const char *name,
                            const struct vgg_kernels *kernels, unsigned blocks,
                            const struct vgg_load_options *options, struct vgg_model **out,
                            struct vgg_error *error)
{
    struct vgg_model *model;
    struct vgg_loaded loaded;
    enum vgg_status status;

    if (kernels == NULL)
        kernels = vgg_load_kernels(options, error);
    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    model = vgg_calloc(1, sizeof *model);
    if (model == NULL)
        return vgg_fail_memory(error);
    atomic_init(&model->references, 1);
    status = vgg_load(source, kernels, blocks, options, &loaded, error);
    if (status != VGG_OK) {
        free(model);
        return status;
    }
    model->net = loaded.net;
    loaded.net = (struct vgg_net){0};
    model->typicality = loaded.typicality;
    loaded.typicality = (struct vgg_typicality){0};
    status = describe(model, &loaded, name, error);
    vgg_loaded_fini(&loaded);
    if (status != VGG_OK) {
        vgg_model_release(model);
        return status;
    }
    *out = model;
    return VGG_OK;
}

enum vgg_status vgg_model_load_memory(const void *bytes, size_t size, const char *name,
                                      const struct vgg_load_options *options,
                                      struct vgg_model **model, struct vgg_error *error)
{
    struct vgg_source source = {.fd = -1, .bytes = bytes, .size = size};

    if (name == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a model in memory needs a name");
    return load(&source, name, NULL, 0, options, model, error);
}

/* The file's own name without directory and ".safetensors". */
static void base_name(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    char *suffix;

    snprintf(name, size, "%s", slash != NULL ? slash + 1 : path);
    suffix = strstr(name, ".safetensors");
    if (suffix != NULL && suffix != name)
        *suffix = '\0';
}

static enum vgg_status load_file(const struct vgg_source *source, const char *path,
                                 const struct vgg_kernels *kernels, unsigned blocks,
                                 const struct vgg_load_options *options, struct vgg_model **model,
                                 struct vgg_error *error)
{
    enum vgg_status status;
    char name[256];

    base_name(path, name, sizeof name);
    status = load(source, name, kernels, blocks, options, model, error);
    if (source->fd < 0 || vgg_source_unchanged(source))
        return status;
    /* Whatever was found in a file that is being written is not worth reporting. */
    if (status == VGG_OK)
        vgg_model_release(*model);
    *model = NULL;
    if (error != NULL)
        *error = (struct vgg_error){0};
    return vgg_fail(error, VGG_IO, "it changed while it was read");
}

enum vgg_status vgg_model_load_fd(int fd, const char *path, const struct vgg_load_options *options,
                                  struct vgg_model **model, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct vgg_source source;
    enum vgg_status status;

    if (path == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "no model file was named");
    status = vgg_source_from_fd(fd, &source, &reason);
    if (status == VGG_OK)
        status = load_file(&source, path, NULL, 0, options, model, &reason);
    return status == VGG_OK ? status : vgg_fail(error, status, "model %s: %s", path, reason.text);
}

enum vgg_status vgg_model_load_source(const struct vgg_source *source, const char *path,
                                      const struct vgg_kernels *kernels, unsigned blocks,
                                      const struct vgg_load_options *options,
                                      struct vgg_model **model, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = load_file(source, path, kernels, blocks, options, model, &reason);

    return status == VGG_OK ? status : vgg_fail(error, status, "model %s: %s", path, reason.text);
}

enum vgg_status vgg_model_load_kernels(const char *path, const struct vgg_kernels *kernels,
                                       const struct vgg_load_options *options,
                                       struct vgg_model **model, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct vgg_source source;
    enum vgg_status status;

    if (path == NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "no model file was named");
    status = vgg_source_open(path, &source, &reason);
    if (status == VGG_OK) {
        status = load_file(&source, path, kernels, 0, options, model, &reason);
        close(source.fd);
    }
    return status == VGG_OK ? status : vgg_fail(error, status, "model %s: %s", path, reason.text);
}

enum vgg_status vgg_model_load(const char *path, const struct vgg_load_options *options,
                               struct vgg_model **model, struct vgg_error *error)
{
    return vgg_model_load_kernels(path, NULL, options, model, error);
}

/* ---------------------------------------------------------------- accessors ------------------ */

struct vgg_model *vgg_model_retain(struct vgg_model *model)
{
    if (model != NULL)
        atomic_fetch_add(&model->references, 1);
    return model;
}

void vgg_model_release(struct vgg_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->references, 1) != 1)
        return;
    vgg_net_fini(&model->net);
    vgg_typicality_fini(&model->typicality);
    vgg_labels_fini(&model->labels);
    free(model->name);
    free(model);
}

const struct vgg_model_info *vgg_model_get_info(const struct vgg_model *model)
{
    return &model->info;
}

void vgg_model_get_label(const struct vgg_model *model, uint32_t index, const char **id,
                         const char **label)
{
    *id = NULL;
    *label = NULL;
    if (index < model->labels.items_n) {
        *id = model->labels.items[index].id;
        *label = model->labels.items[index].label;
    }
}

size_t vgg_model_layer_count(const struct vgg_model *model)
{
    return model->net.layers_n;
}

struct vgg_layer_info vgg_model_get_layer(const struct vgg_model *model, size_t index)
{
    const struct vgg_layer *layer;

    if (index >= model->net.layers_n)
        return (struct vgg_layer_info){0};
    layer = &model->net.layers[index];
    return (struct vgg_layer_info){
        .name = layer->name,
        .in = layer->conv.in,
        .out = layer->conv.out,
        .kernel = layer->conv.kernel,
        .lrn = layer->conv.lrn,
        .pool = layer->conv.pool,
        .parameters = vgg_layer_weights(layer) + layer->conv.out,
    };
}

uint64_t vgg_model_view_macs(const struct vgg_model *model, uint32_t width, uint32_t height)
{
    return vgg_net_macs(&model->net, height, width);
}
