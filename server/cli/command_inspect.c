/* vgg inspect: what a model file holds. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer/json.h"
#include "cli/cli.h"
#include "models/model_file.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "vgg_typicality.h"

struct inspect_options {
    bool json;
};

static const struct option options[] = {
    {"json", NULL, OPTION_FLAG, offsetof(struct inspect_options, json), 0, 0, NULL,
     "one JSON object instead of text"},
};

const struct command_usage inspect_usage = {
    .command = "vgg inspect",
    .operands = "[OPTIONS] [MODEL]",
    .summary =
        "Describe a model file, or the model embedded in this program: configuration, layers,\n"
        "parameters, cost, preprocessing, labels, sha256.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

static void print_layers(const struct vgg_model *model)
{
    printf("\n%-10s %7s %7s %7s %12s\n", "layer", "in", "out", "kernel", "parameters");
    for (size_t i = 0; i < vgg_model_layer_count(model); i++) {
        struct vgg_layer_info layer = vgg_model_get_layer(model, i);

        printf("%-10s %7" PRIu32 " %7" PRIu32 " %4" PRIu32 "x%-2" PRIu32 " %12" PRIu64 "%s%s\n",
               layer.name, layer.in, layer.out, layer.kernel, layer.kernel, layer.parameters,
               layer.lrn ? "  LRN" : "", layer.pool ? "  max-pool" : "");
    }
}

static void print_label(const char *id, const char *label)
{
    if (id != NULL) {
        terminal_text(stdout, id, SIZE_MAX);
        fputc(' ', stdout);
    }
    terminal_text(stdout, label, SIZE_MAX);
}

static void print_labels(const struct vgg_model *model, uint32_t classes)
{
    const char *id, *label;

    vgg_model_get_label(model, 0, &id, &label);
    if (label == NULL) {
        printf("labels         none\n");
        return;
    }
    printf("labels         ");
    print_label(id, label);
    if (classes > 1) {
        vgg_model_get_label(model, classes - 1, &id, &label);
        printf(" ... ");
        print_label(id, label);
    }
    printf("\n");
}

static void print_text(const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);

    printf("name           ");
    terminal_text(stdout, info->name, SIZE_MAX);
    printf("\nconfiguration  %s%s%s\n", info->arch, info->batch_norm ? ", batch-norm folded" : "",
           info->trained ? "" : ", untrained");
    printf("version        %s\n", info->version);
    printf("file           %" PRIu64 " bytes, %s\n", info->file_bytes, info->dtype);
    printf("parameters     %" PRIu64 " (%.0f million)\n", info->parameters,
           (double)info->parameters / 1e6);
    printf("classes        %" PRIu32 "\n", info->classes);
    print_labels(model, info->classes);
    printf("crop           %" PRIu32 " pixels\n", info->crop);
    printf("channels       %s\n", info->channels);
    printf("mean           %g %g %g\n", info->mean[0], info->mean[1], info->mean[2]);
    printf("std            %g %g %g\n", info->std[0], info->std[1], info->std[2]);
    if (info->typicality != 0)
        printf("typicality     %" PRIu32 " known distances, unknown below %.4g\n", info->typicality,
               vgg_reject_level(info, 0));
    print_layers(model);
    printf("\n%-10s %10s\n", "scale", "GMAC");
    for (size_t i = 0; i < info->scales_n; i++)
        printf("%-10" PRIu32 " %10.2f\n", info->scales[i],
               (double)vgg_model_view_macs(model, info->scales[i], info->scales[i]) / 1e9);
    printf("(one square view; the mirror image costs as much again)\n");
}

static int print_model(const struct vgg_model *model, bool as_json)
{
    size_t size = 0;
    char *json;

    if (!as_json) {
        print_text(model);
        return 0;
    }
    json = json_inspect(model, &size);
    if (json == NULL) {
        terminal_say("out of memory");
        return 1;
    }
    fwrite(json, 1, size, stdout);
    free(json);
    return 0;
}

int command_inspect(int argc, char **argv)
{
    const struct vgg_load_options load = {.threads = 1}; /* it starts no other */
    struct inspect_options given = {0};
    struct vgg_error error = {0};
    struct vgg_model *model;
    struct operands operands;
    enum options_result result;
    int status;

    result = options_parse(&inspect_usage, argc, argv, &given, &operands);
    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n > 1) {
        terminal_say("inspect takes one model file (see vgg inspect --help)");
        return EXIT_USAGE;
    }
    if (model_open(operands.n == 1 ? operands.items[0] : NULL, &load, NULL, &model, &error) !=
        VGG_OK) {
        resources_explain(&error);
        terminal_say("%s", error.text);
        return EXIT_USAGE;
    }
    status = print_model(model, given.json);
    vgg_model_release(model);
    return status;
}
