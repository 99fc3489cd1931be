/*
 * Networks from model files. The configuration is found by trying each column of the paper's table
 * 1 on the names, with and without batch-norm, until one accounts for every 4-dimensional tensor
 * under "features".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "oracle_file.h"

/* The columns of table 1: kernel sides of the convolutions, M for a pool. */
static const struct column {
    const char *arch;
    const char *layers;
} columns[] = {
    {"A", "3M3M33M33M33M"},      {"B", "33M33M33M33M33M"},       {"C", "33M33M331M331M331M"},
    {"D", "33M33M333M333M333M"}, {"E", "33M33M3333M3333M3333M"},
};

static const char *const fc_names[2][3] = {
    {"classifier.0", "classifier.3", "classifier.6"},
    {"pre_logits.fc1", "pre_logits.fc2", "head.fc"},
};

/* Whether the names are those of a column: one [.][.][k][k] tensor for each of its convolutions. */
static bool column_matches(struct oracle_file *file, const struct column *column, bool batch_norm)
{
    size_t convs = 0;
    size_t index = 0;
    for (const char *layer = column->layers; *layer; layer++) {
        if (*layer == 'M') {
            index++;
            continue;
        }
        char stem[32];
        snprintf(stem, sizeof(stem), "features.%zu", index);
        const struct oracle_tensor *weight = oracle_file_find(file, stem, "weight");
        size_t kernel = (size_t)(*layer - '0');
        if (!weight || weight->rank != 4 || weight->shape[2] != kernel ||
            weight->shape[3] != kernel) {
            return false;
        }
        convs++;
        index += batch_norm ? 3 : 2;
    }
    for (size_t i = 0; i < file->tensors_n; i++) {
        const struct oracle_tensor *tensor = &file->tensors[i];
        if (tensor->rank == 4 && strncmp(tensor->name, "features.", 9) == 0) {
            convs--;
        }
    }
    return convs == 0;
}

/* Add a layer of `in` channels from `stem`.weight and .bias. */
static const char *add_layer(struct oracle_file *file, struct oracle_net *net, const char *stem,
                             size_t in, size_t kernel, size_t pad)
{
    const struct oracle_tensor *weight = oracle_file_find(file, stem, "weight");
    if (!weight || weight->rank < 2) {
        return oracle_wrong("no weight", stem);
    }
    struct oracle_layer *layer = &net->layers[net->layers_n++];
    *layer = (struct oracle_layer){
        .in = in, .out = weight->shape[0], .kernel = kernel, .pad = pad, .relu = true};
    if (!oracle_file_take(file, stem, "weight", layer->out * in * kernel * kernel,
                          &layer->weight) ||
        !oracle_file_take(file, stem, "bias", layer->out, &layer->bias)) {
        return oracle_wrong("weight or bias of another shape", stem);
    }
    return NULL;
}

static const char *add_batch_norm(struct oracle_file *file, struct oracle_layer *layer,
                                  const char *stem)
{
    if (!oracle_file_take(file, stem, "weight", layer->out, &layer->gamma) ||
        !oracle_file_take(file, stem, "bias", layer->out, &layer->beta) ||
        !oracle_file_take(file, stem, "running_mean", layer->out, &layer->mean) ||
        !oracle_file_take(file, stem, "running_var", layer->out, &layer->var)) {
        return oracle_wrong("incomplete batch-norm", stem);
    }
    return NULL;
}

static const char *add_features(struct oracle_file *file, struct oracle_net *net,
                                const struct column *column, bool batch_norm)
{
    size_t channels = 3;
    size_t index = 0;
    for (const char *layer = column->layers; *layer; layer++) {
        if (*layer == 'M') {
            net->layers[net->layers_n - 1].pool = true;
            index++;
            continue;
        }
        char stem[32];
        size_t kernel = (size_t)(*layer - '0');
        snprintf(stem, sizeof(stem), "features.%zu", index);
        const char *error = add_layer(file, net, stem, channels, kernel, kernel / 2);
        if (!error && batch_norm) {
            snprintf(stem, sizeof(stem), "features.%zu", index + 1);
            error = add_batch_norm(file, &net->layers[net->layers_n - 1], stem);
        }
        if (error) {
            return error;
        }
        channels = net->layers[net->layers_n - 1].out;
        index += batch_norm ? 3 : 2;
    }
    return NULL;
}

/* The first FC layer covers k x k positions of the last map: k from the size of its weight. */
static const char *add_classifier(struct oracle_file *file, struct oracle_net *net)
{
    const char *const *names = fc_names[oracle_file_find(file, "head.fc", "weight") ? 1 : 0];
    size_t channels = net->layers[net->layers_n - 1].out;
    const struct oracle_tensor *first = oracle_file_find(file, names[0], "weight");
    size_t side = 1;
    while (first && first->rank > 1 && first->shape[0] * channels * side * side < first->count) {
        side++;
    }
    for (size_t i = 0; i < 3; i++) {
        const char *error = add_layer(file, net, names[i], channels, i == 0 ? side : 1, 0);
        if (error) {
            return error;
        }
        channels = net->layers[net->layers_n - 1].out;
    }
    net->layers[net->layers_n - 1].relu = false;
    net->classes = channels;
    net->crop = 32 * side;
    return NULL;
}

/* ---------------------------------------------------------------- metadata ------------------- */

/* Three numbers from a string of JSON text; an absent one leaves them alone. */
static bool get_triple(const json_t *metadata, const char *key, double *triple)
{
    const char *text = json_string_value(json_object_get(metadata, key));
    if (!text) {
        return true;
    }
    json_t *array = json_loads(text, 0, NULL);
    bool good = json_array_size(array) == 3;
    for (size_t i = 0; good && i < 3; i++) {
        good = json_is_number(json_array_get(array, i));
        triple[i] = json_number_value(json_array_get(array, i));
    }
    json_decref(array);
    return good;
}

static const char *read_metadata(struct oracle_file *file, struct oracle_net *net)
{
    static const double mean[3] = {0.485, 0.456, 0.406};
    static const double std[3] = {0.229, 0.224, 0.225};
    memcpy(net->mean, mean, sizeof(mean));
    memcpy(net->std, std, sizeof(std));
    const json_t *metadata = json_object_get(file->header, "__metadata__");
    const char *arch = json_string_value(json_object_get(metadata, "vgg.arch"));
    const char *channels = json_string_value(json_object_get(metadata, "vgg.channels"));
    net->bgr = channels && strcmp(channels, "BGR") == 0;
    if (arch && strcmp(arch, "A-LRN") == 0 && strcmp(net->arch, "A") == 0) {
        strcpy(net->arch, "A-LRN");
        net->layers[0].lrn = true;
    }
    if (!get_triple(metadata, "vgg.mean", net->mean) ||
        !get_triple(metadata, "vgg.std", net->std)) {
        return oracle_wrong("vgg.mean and vgg.std take three numbers", "metadata");
    }
    return arch && strcmp(arch, net->arch) != 0 ? oracle_wrong("is not the file's", arch) : NULL;
}

/* ---------------------------------------------------------------- the whole ------------------ */

static const char *build(struct oracle_file *file, struct oracle_net *net)
{
    for (size_t i = 0; i < 2 * sizeof(columns) / sizeof(columns[0]); i++) {
        const struct column *column = &columns[i / 2];
        bool batch_norm = i % 2 == 1;
        if (!column_matches(file, column, batch_norm)) {
            continue;
        }
        strcpy(net->arch, column->arch);
        const char *error = add_features(file, net, column, batch_norm);
        if (!error) {
            error = add_classifier(file, net);
        }
        return error ? error : read_metadata(file, net);
    }
    return oracle_wrong("not a column of table 1", "features");
}

const char *oracle_net_load(const char *path, struct oracle_net *net)
{
    memset(net, 0, sizeof(*net));
    struct oracle_file *file;
    const char *error = oracle_file_read(path, &file);
    if (!error) {
        error = build(file, net);
    }
    for (size_t i = 0; !error && i < file->tensors_n; i++) {
        if (file->tensors[i].data) {
            error = oracle_wrong("no layer takes this tensor", file->tensors[i].name);
        }
    }
    oracle_file_free(file);
    if (error) {
        oracle_net_free(net);
    }
    return error;
}

void oracle_net_free(struct oracle_net *net)
{
    for (size_t i = 0; i < net->layers_n; i++) {
        struct oracle_layer *layer = &net->layers[i];
        double *arrays[] = {layer->weight, layer->bias, layer->gamma,
                            layer->beta,   layer->mean, layer->var};
        for (size_t j = 0; j < sizeof(arrays) / sizeof(arrays[0]); j++) {
            free(arrays[j]);
        }
    }
    memset(net, 0, sizeof(*net));
}
