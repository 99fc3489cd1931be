/* Writing the answers of the v2 protocol. */
#include "v2/v2_text.h"

#include <stdlib.h>

#include "answer/top.h"
#include "text/text.h"

enum { FLOAT_DIGITS = 9 }; /* read back as the same float */

/* Binary data is little-endian, and so are floats in memory here. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are sent as they are");

char *v2_text_server(size_t *size)
{
    struct text text = {0};

    text_print(&text, "{\"name\":\"vgg\",\"version\":\"" VGG_VERSION "\",\"extensions\":["
                      "\"classification\",\"binary_tensor_data\",\"parameters\","
                      "\"model_configuration\",\"statistics\"]}\n");
    return text_take(&text, size);
}

char *v2_text_health(const char *name, bool value, size_t *size)
{
    struct text text = {0};

    text_print(&text, "{\"%s\":%s}\n", name, value ? "true" : "false");
    return text_take(&text, size);
}

/* What metadata, or Triton's configuration, say of the outputs. */
static void print_outputs(struct text *text, const struct vgg_model_info *info, bool config)
{
    const uint32_t widths[V2_OUTPUTS_N] = {info->classes, info->features, 1, 1};
    size_t n = info->typicality != 0 ? V2_OUTPUTS_N : V2_OUTPUT_TYPICALITY;

    for (size_t i = 0; i < n; i++) {
        const char *name = v2_output_names[i], *type = i == V2_OUTPUT_KNOWN ? "BOOL" : "FP32";

        text_print(text, "%s{\"name\":\"%s\",", i != 0 ? "," : "", name);
        if (config)
            text_print(text, "\"data_type\":\"TYPE_%s\",\"dims\":[%u]}", type, widths[i]);
        else
            text_print(text, "\"datatype\":\"%s\",\"shape\":[-1,%u]}", type, widths[i]);
    }
}

char *v2_text_model(const struct vgg_model *model, size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    struct text text = {0};

    text_print(&text, "{\"name\":");
    text_json(&text, info->name);
    text_print(&text, ",\"versions\":[\"" V2_VERSION "\"],\"platform\":\"vgg\",\"inputs\":[");
    text_print(&text, "{\"name\":\"" V2_IMAGE "\",\"datatype\":\"BYTES\",\"shape\":[-1]},"
                      "{\"name\":\"" V2_PIXELS "\",\"datatype\":\"FP32\",\"shape\":[-1,3,-1,-1]}],"
                      "\"outputs\":[");
    print_outputs(&text, info, false);
    text_print(&text, "],\"parameters\":{\"precision\":\"%s\"}}\n", info->precision);
    return text_take(&text, size);
}

/* Dimensions without the batch's; a picture is [1], so that [N,1] is right as [N] is. */
char *v2_text_config(const struct vgg_model *model, uint32_t batch_max, size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    struct text text = {0};

    text_print(&text, "{\"name\":");
    text_json(&text, info->name);
    text_print(&text,
               ",\"platform\":\"vgg\",\"backend\":\"vgg\","
               "\"version_policy\":{\"latest\":{\"num_versions\":1}},\"max_batch_size\":%u,",
               batch_max);
    text_print(&text, "\"input\":["
                      "{\"name\":\"" V2_IMAGE "\",\"data_type\":\"TYPE_STRING\",\"dims\":[1],"
                      "\"optional\":true},"
                      "{\"name\":\"" V2_PIXELS "\",\"data_type\":\"TYPE_FP32\","
                      "\"format\":\"FORMAT_NCHW\",\"dims\":[3,-1,-1],\"optional\":true}],"
                      "\"output\":[");
    print_outputs(&text, info, true);
    text_print(&text,
               "],\"parameters\":{\"version\":{\"string_value\":\"%s\"},"
               "\"kernel\":{\"string_value\":\"%s\"},"
               "\"precision\":{\"string_value\":\"%s\"}}}\n",
               info->version, info->kernel, info->precision);
    return text_take(&text, size);
}

char *v2_text_model_ready(const struct vgg_model *model, bool ready, size_t *size)
{
    struct text text = {0};

    text_print(&text, "{\"name\":");
    text_json(&text, vgg_model_get_info(model)->name);
    text_print(&text, ",\"ready\":%s}\n", ready ? "true" : "false");
    return text_take(&text, size);
}

char *v2_text_index(const struct vgg_model *model, bool ready, size_t *size)
{
    struct text text = {0};

    text_print(&text, "[{\"name\":");
    text_json(&text, vgg_model_get_info(model)->name);
    text_print(&text, ",\"version\":\"" V2_VERSION "\",\"state\":\"%s\",\"reason\":\"%s\"}]\n",
               ready ? "READY" : "UNAVAILABLE", ready ? "" : "shutting down");
    return text_take(&text, size);
}

/* ---------------------------------------------------------------- infer ---------------------- */

/* One answer being written: its JSON, and the bytes behind it. */
struct writer {
    const struct v2_request *request;
    const struct vgg_model *model;
    const struct evaluation *evaluations;
    const struct v2_output *output; /* that is being written */
    struct text json, binary;
};

/* Values are to follow, `width` for each picture. */
static void begin_tensor(struct writer *writer, const char *datatype, size_t width)
{
    text_print(&writer->json, "\"datatype\":\"%s\",\"shape\":[%zu,%zu],%s", datatype,
               writer->request->n, width, writer->output->binary ? "" : "\"data\":[");
}

/* A row of n floats for each picture. */
static void write_floats(struct writer *writer, const float *(*row)(const struct vgg_job *job),
                         uint32_t n)
{
    bool binary = writer->output->binary;

    begin_tensor(writer, "FP32", n);
    for (size_t i = 0; i < writer->request->n; i++) {
        const float *values = row(writer->evaluations[i].job);

        if (binary)
            text_append(&writer->binary, values, n * sizeof *values);
        for (size_t j = 0; j < n && !binary; j++)
            text_print(&writer->json, "%s%.*g", i + j != 0 ? "," : "", FLOAT_DIGITS,
                       (double)values[j]);
    }
}

/* "score:index:label" in `element`, without a label where the model has none. */
static void write_class(struct writer *writer, const char *separator, float score, uint32_t index)
{
    struct text element = {0};
    const char *id, *label;
    char *bytes;
    size_t size;

    vgg_model_get_label(writer->model, index, &id, &label);
    text_print(&element, "%.*g:%u%s%s", FLOAT_DIGITS, (double)score, index,
               label != NULL ? ":" : "", label != NULL ? label : "");
    text_append(&element, "", 1);
    bytes = text_take(&element, &size);
    if (bytes == NULL)
        writer->json.failed = true;
    else if (writer->output->binary) {
        const uint32_t length = (uint32_t)size - 1;

        text_append(&writer->binary, &length, sizeof length);
        text_append(&writer->binary, bytes, length);
    } else {
        text_print(&writer->json, "%s", separator);
        text_json(&writer->json, bytes);
    }
    free(bytes);
}

/* The k best of picture `i`; the first ones say the shape. */
static void write_classes(struct writer *writer, size_t i)
{
    const float *posterior = vgg_job_posterior(writer->evaluations[i].job);
    size_t k;
    uint32_t *top = top_classes(writer->model, posterior, writer->output->classification, &k);

    if (top == NULL) {
        writer->json.failed = true;
        return;
    }
    if (i == 0)
        begin_tensor(writer, "BYTES", k);
    for (size_t rank = 0; rank < k; rank++)
        write_class(writer, i + rank != 0 ? "," : "", posterior[top[rank]], top[rank]);
    free(top);
}

/* One of each picture. */
static void write_typicalities(struct writer *writer)
{
    begin_tensor(writer, "FP32", 1);
    for (size_t i = 0; i < writer->request->n; i++) {
        const float p = (float)writer->evaluations[i].typicality.p;

        if (writer->output->binary)
            text_append(&writer->binary, &p, sizeof p);
        else
            text_print(&writer->json, "%s%.*g", i != 0 ? "," : "", FLOAT_DIGITS, (double)p);
    }
}

/* Likewise; a byte each where it is binary. */
static void write_known(struct writer *writer)
{
    begin_tensor(writer, "BOOL", 1);
    for (size_t i = 0; i < writer->request->n; i++) {
        const bool known = writer->evaluations[i].typicality.known;

        if (writer->output->binary)
            text_append(&writer->binary, &known, sizeof known);
        else
            text_print(&writer->json, "%s%s", i != 0 ? "," : "", known ? "true" : "false");
    }
}

static void write_posteriors(struct writer *writer)
{
    if (writer->output->classification == 0)
        write_floats(writer, vgg_job_posterior, vgg_model_get_info(writer->model)->classes);
    else
        for (size_t i = 0; i < writer->request->n; i++)
            write_classes(writer, i);
}

static void write_features(struct writer *writer)
{
    write_floats(writer, vgg_job_features, vgg_model_get_info(writer->model)->features);
}

/* The writer's output. */
static void write_output(struct writer *writer)
{
    static void (*const write[V2_OUTPUTS_N])(struct writer * writer) = {
        [V2_OUTPUT_POSTERIORS] = write_posteriors,
        [V2_OUTPUT_FEATURES] = write_features,
        [V2_OUTPUT_TYPICALITY] = write_typicalities,
        [V2_OUTPUT_KNOWN] = write_known,
    };
    const struct v2_output *output = writer->output;
    size_t before = writer->binary.size;

    text_print(&writer->json, "{\"name\":\"%s\",", v2_output_names[output->kind]);
    write[output->kind](writer);
    if (output->binary)
        text_print(&writer->json, "\"parameters\":{\"binary_data_size\":%zu}}",
                   writer->binary.size - before);
    else
        text_print(&writer->json, "]}");
}

char *v2_text_answer(const struct v2_request *request, const struct vgg_model *model,
                     const struct evaluation *evaluations, size_t *size, size_t *json_size)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    struct writer writer = {request, model, evaluations, NULL, {0}, {0}};
    struct text *json = &writer.json;
    bool any_binary = false;
    size_t binary_size;
    char *binary;

    text_print(json, "{\"model_name\":");
    text_json(json, info->name);
    text_print(json, ",\"model_version\":\"" V2_VERSION "\",");
    if (request->id.bytes != NULL) {
        text_print(json, "\"id\":");
        text_append(json, request->id.bytes, request->id.size);
        text_print(json, ",");
    }
    text_print(json, "\"parameters\":{\"version\":\"%s\",\"kernel\":\"%s\",\"precision\":\"%s\"",
               info->version, info->kernel, info->precision);
    if (v2_request_wants(request, V2_OUTPUT_KNOWN))
        text_print(json, ",\"reject\":%.*g", FLOAT_DIGITS, evaluations[0].typicality.reject);
    text_print(json, "},\"outputs\":[");
    for (size_t i = 0; i < request->outputs_n; i++) {
        writer.output = &request->outputs[i];
        any_binary = any_binary || writer.output->binary;
        text_print(json, "%s", i != 0 ? "," : "");
        write_output(&writer);
    }
    text_print(json, any_binary ? "]}" : "]}\n");
    *json_size = any_binary ? json->size : 0;
    json->failed = json->failed || writer.binary.failed;
    binary = text_take(&writer.binary, &binary_size);
    if (binary != NULL)
        text_append(json, binary, binary_size);
    free(binary);
    return text_take(json, size);
}
