/* Building JSON. jansson's setters take NULL and fail, so a chain needs one check at its end. */
#include "answer/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/top.h"
#include "text/utf8.h"
#include "vgg_typicality.h"

enum {
    FLOAT_DIGITS = 9, /* read back as the same float */
    METHOD_LOGGED_MAX = 32,
    PATH_LOGGED_MAX = 512
};

/* Milliseconds to the microsecond. */
static json_t *milliseconds(uint64_t ns)
{
    return json_real(round((double)ns / 1e3) / 1e3);
}

/* A JSON string of any bytes: those that are not UTF-8 become "?". NULL when out of memory. */
static json_t *string_of(const char *text)
{
    char *clean = strdup(text), *end;
    json_t *string;

    if (clean == NULL)
        return NULL;
    end = clean + strlen(clean);
    for (char *at = clean; at < end;) {
        size_t length = utf8_length(at, (size_t)(end - at));

        if (length == 0) {
            *at = '?';
            length = 1;
        }
        at += length;
    }
    string = json_string_nocheck(clean);
    free(clean);
    return string;
}

/* A value all of whose parts could be set, else NULL. */
static json_t *complete(json_t *value, int failed)
{
    if (failed == 0)
        return value;
    json_decref(value);
    return NULL;
}

/* NULL is left out. */
static int set_string(json_t *object, const char *key, const char *value)
{
    return value != NULL ? json_object_set_new(object, key, string_of(value)) : 0;
}

/* Print and release. `failed` is the sum of the setters' results. */
static char *finish(json_t *root, int failed, size_t *size)
{
    static const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(FLOAT_DIGITS);
    size_t length = root != NULL && failed == 0 ? json_dumpb(root, NULL, 0, flags) : 0;
    /* A block of our own: json_dumps drops what it has no memory for. */
    char *line = length != 0 ? malloc(length + 2) : NULL;

    if (line != NULL && json_dumpb(root, line, length, flags) != length) {
        free(line);
        line = NULL;
    }
    json_decref(root);
    if (line != NULL) {
        memcpy(line + length, "\n", 2);
        *size = length + 1;
    }
    return line;
}

/* ---------------------------------------------------------------- answers -------------------- */

static json_t *scales_array(const uint32_t *scales, size_t n)
{
    json_t *array = json_array();
    int failed = 0;

    for (size_t i = 0; i < n; i++)
        failed += json_array_append_new(array, json_integer(scales[i]));
    return complete(array, failed);
}

/* What the model calls a class. */
static int set_names(json_t *entry, const struct vgg_model *model, uint32_t index)
{
    const char *id, *label;

    vgg_model_get_label(model, index, &id, &label);
    return set_string(entry, "id", id) + set_string(entry, "label", label);
}

static json_t *ranked_class(const struct vgg_model *model, size_t rank, uint32_t index, float score)
{
    json_t *entry = json_object();
    int failed = 0;

    failed += json_object_set_new(entry, "rank", json_integer((json_int_t)rank + 1));
    failed += json_object_set_new(entry, "index", json_integer(index));
    failed += set_names(entry, model, index);
    failed += json_object_set_new(entry, "score", json_real((double)score));
    return complete(entry, failed);
}

static json_t *top_array(const struct vgg_model *model, const float *posterior, uint32_t top_k)
{
    size_t k;
    uint32_t *top = top_classes(model, posterior, top_k, &k);
    json_t *array = top != NULL ? json_array() : NULL;
    int failed = 0;

    if (array == NULL) {
        free(top);
        return NULL;
    }
    for (size_t rank = 0; rank < k && failed == 0; rank++)
        failed += json_array_append_new(array,
                                        ranked_class(model, rank, top[rank], posterior[top[rank]]));
    free(top);
    return complete(array, failed);
}

static json_t *views_array(const struct json_answer *answer, const struct evaluation *evaluation)
{
    const struct vgg_request *request = &answer->params->request;
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < vgg_job_view_count(evaluation->job) && failed == 0; i++) {
        json_t *view = json_object();

        failed += json_object_set_new(view, "scale",
                                      json_integer(request->scales[request->flip ? i / 2 : i]));
        failed += json_object_set_new(view, "flip", json_boolean(request->flip && i % 2 == 1));
        failed +=
            json_object_set_new(view, "top",
                                top_array(answer->model, vgg_job_view_posterior(evaluation->job, i),
                                          answer->params->top_k));
        failed += json_array_append_new(array, view);
    }
    return complete(array, failed);
}

static json_t *floats_array(const float *floats, size_t n)
{
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < n && failed == 0; i++)
        failed += json_array_append_new(array, json_real((double)floats[i]));
    return complete(array, failed);
}

static json_t *log_sums_array(const struct vgg_score_map *map)
{
    size_t positions = (size_t)map->rows * map->columns;
    float *sums = malloc(positions * sizeof *sums);
    json_t *array = NULL;

    if (sums != NULL) {
        vgg_score_map_log_sums(map, sums);
        array = floats_array(sums, positions);
    }
    free(sums);
    return array;
}

/* The logits of the classes top[k]. */
static json_t *class_maps_array(const struct vgg_score_map *map, const uint32_t *top, size_t k)
{
    size_t positions = (size_t)map->rows * map->columns;
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < k && failed == 0; i++)
        failed += json_array_append_new(
            array,
            json_pack("{s:I, s:I, s:o}", "rank", (json_int_t)i + 1, "index", (json_int_t)top[i],
                      "values", floats_array(map->logits + top[i] * positions, positions)));
    return complete(array, failed);
}

/* The score map of the top-k, view by view. */
static json_t *map_array(const struct json_answer *answer, const struct vgg_job *job)
{
    const struct vgg_request *request = &answer->params->request;
    size_t k;
    uint32_t *top = top_classes(answer->model, vgg_job_posterior(job), answer->params->top_k, &k);
    json_t *array = json_array();
    int failed = array == NULL || top == NULL;

    for (size_t i = 0; i < vgg_job_view_count(job) && failed == 0; i++) {
        const struct vgg_score_map *map = vgg_job_map(job, i);

        failed += json_array_append_new(
            array, json_pack("{s:I, s:b, s:I, s:I, s:{s:f, s:f, s:f, s:f, s:f, s:f}, s:o, s:o}",
                             "scale", (json_int_t)request->scales[request->flip ? i / 2 : i],
                             "flip", request->flip && i % 2 == 1, "rows", (json_int_t)map->rows,
                             "columns", (json_int_t)map->columns, "region", "x", map->x, "y",
                             map->y, "width", map->width, "height", map->height, "step_x",
                             map->step_x, "step_y", map->step_y, "log_sums", log_sums_array(map),
                             "classes", class_maps_array(map, top, k)));
    }
    free(top);
    return complete(array, failed);
}

static json_t *model_object(const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    json_t *object = json_object();

    int failed = set_string(object, "name", info->name) + set_string(object, "arch", info->arch) +
                 set_string(object, "version", info->version) +
                 set_string(object, "kernel", info->kernel) +
                 set_string(object, "precision", info->precision);

    /* What the precision says goes without saying. */
    if (strcmp(info->fc_weights, info->precision) != 0)
        failed += set_string(object, "fc_weights", info->fc_weights);
    return complete(object, failed);
}

static json_t *timing_object(const struct json_answer *answer, const struct evaluation *evaluation)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "queue",
                     milliseconds(answer->queue_ns + evaluation->wait_ns), "decode",
                     milliseconds(evaluation->decode_ns), "rescale",
                     milliseconds(evaluation->rescale_ns), "infer",
                     milliseconds(evaluation->infer_ns), "total", milliseconds(answer->total_ns));
}

static int set_problem(json_t *object, const struct problem *problem)
{
    return set_string(object, "type", problem_type(problem->kind)) +
           set_string(object, "title", problem_title(problem->kind)) +
           json_object_set_new(object, "status", json_integer(problem_status(problem->kind))) +
           set_string(object, "detail", problem->detail);
}

static int set_typicality(json_t *object, const struct evaluation_typicality *typicality)
{
    if (typicality->p == 0)
        return 0;
    return json_object_set_new(object, "typicality", json_real(typicality->p)) +
           json_object_set_new(object, "reject", json_real(typicality->reject)) +
           json_object_set_new(object, "known", json_boolean(typicality->known));
}

/* The fields of one image's answer, or of its problem. */
static int set_evaluation(json_t *object, const struct json_answer *answer,
                          const struct evaluation *evaluation)
{
    const struct vgg_request *request = &answer->params->request;
    int failed = 0;

    if (evaluation->failed)
        return set_problem(object, &evaluation->problem);
    failed += json_object_set_new(object, "model", model_object(answer->model));
    failed += json_object_set_new(object, "image",
                                  json_pack("{s:s, s:I, s:I}", "format", evaluation->info.format,
                                            "width", (json_int_t)evaluation->info.width, "height",
                                            (json_int_t)evaluation->info.height));
    failed +=
        json_object_set_new(object, "scales", scales_array(request->scales, request->scales_n));
    failed += json_object_set_new(object, "flip", json_boolean(request->flip));
    failed += json_object_set_new(
        object, "top",
        top_array(answer->model, vgg_job_posterior(evaluation->job), answer->params->top_k));
    failed += set_typicality(object, &evaluation->typicality);
    if (answer->params->views)
        failed += json_object_set_new(object, "views", views_array(answer, evaluation));
    if (answer->params->map)
        failed += json_object_set_new(object, "map", map_array(answer, evaluation->job));
    if (answer->params->features)
        failed += json_object_set_new(object, "features",
                                      floats_array(vgg_job_features(evaluation->job),
                                                   vgg_model_get_info(answer->model)->features));
    failed += json_object_set_new(object, "timing_ms", timing_object(answer, evaluation));
    return failed;
}

char *json_answer(const struct json_answer *answer, size_t *size)
{
    json_t *root = json_object(), *results;
    int failed = set_string(root, "file", answer->file);

    failed += set_string(root, "request_id", answer->request_id);
    if (!answer->several)
        return finish(root, failed + set_evaluation(root, answer, &answer->evaluations[0]), size);
    results = json_array();
    for (size_t i = 0; i < answer->evaluations_n && failed == 0; i++) {
        json_t *element = json_object();

        failed += set_evaluation(element, answer, &answer->evaluations[i]);
        failed += json_array_append_new(results, element);
    }
    failed += json_object_set_new(root, "results", results);
    return finish(root, failed, size);
}

char *json_problem(const struct problem *problem, const char *request_id, const char *file,
                   size_t *size)
{
    json_t *root = json_object();
    int failed = set_string(root, "file", file) + set_problem(root, problem) +
                 set_string(root, "request_id", request_id);

    return finish(root, failed, size);
}

char *json_status(const char *text, size_t *size)
{
    return finish(json_pack("{s:s}", "status", text), 0, size);
}

/* ---------------------------------------------------------------- models --------------------- */

static json_t *triple(const double values[3])
{
    return json_pack("[f, f, f]", values[0], values[1], values[2]);
}

static json_t *preprocessing_object(const struct vgg_model_info *info)
{
    return json_pack("{s:o, s:o, s:s}", "mean", triple(info->mean), "std", triple(info->std),
                     "channels", info->channels);
}

/* How many known pictures it goes by, and the level without a request's; left out of a model that
 * has none. */
static int set_known(json_t *root, const struct vgg_model_info *info)
{
    if (info->typicality == 0)
        return 0;
    return json_object_set_new(root, "typicality",
                               json_pack("{s:I, s:f}", "known", (json_int_t)info->typicality,
                                         "reject", vgg_reject_level(info, 0)));
}

static int set_model(json_t *root, const struct vgg_model_info *info, const uint32_t *scales,
                     size_t scales_n)
{
    int failed = 0;

    failed += set_string(root, "name", info->name);
    failed += set_string(root, "arch", info->arch);
    failed += set_string(root, "version", info->version);
    failed += json_object_set_new(root, "trained", json_boolean(info->trained));
    failed += json_object_set_new(root, "classes", json_integer(info->classes));
    failed += json_object_set_new(root, "features", json_integer(info->features));
    failed += json_object_set_new(root, "parameters", json_integer((json_int_t)info->parameters));
    failed += json_object_set_new(root, "crop", json_integer(info->crop));
    failed += json_object_set_new(root, "scales", scales_array(scales, scales_n));
    failed += json_object_set_new(root, "preprocessing", preprocessing_object(info));
    failed += set_string(root, "kernel", info->kernel);
    failed += set_string(root, "precision", info->precision);
    failed += set_string(root, "fc_weights", info->fc_weights);
    return failed + set_known(root, info);
}

static json_t *names_array(const struct vgg_model *model)
{
    json_t *array = json_array();
    int failed = array == NULL;

    for (uint32_t i = 0; i < vgg_model_get_info(model)->classes && failed == 0; i++) {
        json_t *entry = json_object();

        failed += set_names(entry, model, i);
        failed += json_array_append_new(array, complete(entry, failed));
    }
    return complete(array, failed);
}

char *json_model(const struct vgg_model *model, const uint32_t *scales, size_t scales_n, bool flip,
                 bool labels, size_t *size)
{
    json_t *root = json_object();
    int failed = set_model(root, vgg_model_get_info(model), scales, scales_n);

    failed += json_object_set_new(root, "flip", json_boolean(flip));
    if (labels)
        failed += json_object_set_new(root, "labels", names_array(model));
    return finish(root, failed, size);
}

static json_t *layers_array(const struct vgg_model *model)
{
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < vgg_model_layer_count(model) && failed == 0; i++) {
        struct vgg_layer_info layer = vgg_model_get_layer(model, i);

        failed += json_array_append_new(
            array, json_pack("{s:s, s:I, s:I, s:I, s:b, s:b, s:I}", "name", layer.name, "in",
                             (json_int_t)layer.in, "out", (json_int_t)layer.out, "kernel",
                             (json_int_t)layer.kernel, "lrn", layer.lrn, "pool", layer.pool,
                             "parameters", (json_int_t)layer.parameters));
    }
    return complete(array, failed);
}

static json_t *labels_array(const struct vgg_model *model)
{
    json_t *array = json_array();
    int failed = array == NULL;

    for (uint32_t i = 0; i < vgg_model_get_info(model)->classes && failed == 0; i++) {
        const char *id, *label;

        vgg_model_get_label(model, i, &id, &label);
        if (label == NULL)
            break;
        failed += json_array_append_new(
            array,
            id != NULL ? json_pack("[o, o]", string_of(id), string_of(label)) : string_of(label));
    }
    return complete(array, failed);
}

static json_t *costs_array(const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < info->scales_n && failed == 0; i++)
        failed += json_array_append_new(
            array,
            json_pack("{s:I, s:I}", "scale", (json_int_t)info->scales[i], "macs",
                      (json_int_t)vgg_model_view_macs(model, info->scales[i], info->scales[i])));
    return complete(array, failed);
}

char *json_inspect(const struct vgg_model *model, size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    json_t *root = json_object();
    int failed = set_model(root, info, info->scales, info->scales_n);

    failed += json_object_set_new(root, "bytes", json_integer((json_int_t)info->file_bytes));
    failed += set_string(root, "dtype", info->dtype);
    failed += json_object_set_new(root, "batch_norm", json_boolean(info->batch_norm));
    failed += json_object_set_new(root, "layers", layers_array(model));
    failed += json_object_set_new(root, "macs", costs_array(model));
    failed += json_object_set_new(root, "labels", labels_array(model));
    return finish(root, failed, size);
}

/* ---------------------------------------------------------------- log ------------------------ */

/* An empty one is left out too. */
static int set_text(json_t *object, const char *key, const char *value)
{
    return set_string(object, key, value != NULL && value[0] != '\0' ? value : NULL);
}

static int set_line(json_t *object, const char *key, const char *value, size_t max)
{
    char text[PATH_LOGGED_MAX];

    snprintf(text, max, "%s", value != NULL ? value : "");
    return set_string(object, key, text);
}

char *json_access(const struct json_access *access, size_t *size)
{
    json_t *root = json_object();
    int failed = set_string(root, "time", access->time);

    failed += set_string(root, "event", "request");
    failed += set_text(root, "id", access->id);
    failed += set_text(root, "traceparent", access->traceparent);
    failed += set_string(root, "client", access->client);
    failed += set_line(root, "method", access->method, METHOD_LOGGED_MAX);
    failed += set_line(root, "path", access->path, PATH_LOGGED_MAX);
    failed += set_string(root, "route", access->route);
    failed += json_object_set_new(root, "status", json_integer(access->status));
    failed += set_string(root, "type", access->type);
    failed += set_text(root, "detail", access->detail);
    failed += json_object_set_new(root, "bytes_in", json_integer((json_int_t)access->bytes_in));
    failed += json_object_set_new(root, "bytes_out", json_integer((json_int_t)access->bytes_out));
    failed += json_object_set_new(
        root, "ms",
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "queue", milliseconds(access->queue_ns),
                  "decode", milliseconds(access->decode_ns), "rescale",
                  milliseconds(access->rescale_ns), "infer", milliseconds(access->infer_ns),
                  "encode", milliseconds(access->encode_ns), "total",
                  milliseconds(access->total_ns)));
    failed += set_text(root, "model", access->model);
    return finish(root, failed, size);
}

char *json_event(const char *time, const char *level, const char *message, size_t *size)
{
    json_t *root = json_object();
    int failed = set_string(root, "time", time) + set_string(root, "event", level) +
                 set_string(root, "message", message);

    return finish(root, failed, size);
}
