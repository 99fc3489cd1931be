/*
 * POST /classify: parameters, from the query and from the form's text fields, and the body's
 * pictures, on a network thread (or a parser, where the body was compressed), and the JSON of the
 * answer, on a worker. prediction.c does what is between.
 */
#include "api/classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/json.h"
#include "api/prediction.h"
#include "api/respond.h"
#include "process/clock.h"
#include "text/text.h"

/* ---------------------------------------------------------------- parameters ----------------- */

enum parameter {
    PARAMETER_TOP_K,
    PARAMETER_SCALES,
    PARAMETER_FLIP,
    PARAMETER_VIEWS,
    PARAMETER_MAP,
    PARAMETER_FEATURES,
    PARAMETER_REJECT,
    PARAMETERS_N
};

enum source { SOURCE_NONE, SOURCE_QUERY, SOURCE_FORM };

struct query {
    struct evaluation_params *params;
    struct option_scales scales;
    enum source source; /* what is being read */
    enum source seen[PARAMETERS_N];
    bool valid;
    struct problem *problem; /* where it is not */
};

/* Digits only; more than fits means all classes. */
static bool parse_top_k(const char *text, uint32_t *top_k)
{
    unsigned long long value;

    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    value = strtoull(text, NULL, 10);
    *top_k = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return value >= 1;
}

/* The server's default gives way to the first; more of them, as clients spell a list, add to it. */
static bool add_scales(struct query *query, const char *text, char *reason, size_t reason_size)
{
    struct option_scales more, *scales = &query->scales;
    uint32_t all[2 * VGG_SCALES_MAX];
    size_t n = query->seen[PARAMETER_SCALES] != SOURCE_NONE ? scales->n : 0;

    if (!scales_parse(text, &more, reason, reason_size))
        return false;
    memcpy(all, scales->scales, n * sizeof *all);
    memcpy(all + n, more.scales, more.n * sizeof *all);
    n = vgg_scales_normalise(all, n + more.n);
    snprintf(reason, reason_size, "at most %d scales", VGG_SCALES_MAX);
    if (n > VGG_SCALES_MAX)
        return false;
    scales->n = n;
    memcpy(scales->scales, all, n * sizeof *all);
    return true;
}

static bool set_parameter(struct query *query, enum parameter parameter, const char *value,
                          char *reason, size_t reason_size)
{
    switch (parameter) {
    case PARAMETER_TOP_K:
        snprintf(reason, reason_size, "a whole number, at least 1");
        return parse_top_k(value, &query->params->top_k);
    case PARAMETER_SCALES:
        return add_scales(query, value, reason, reason_size);
    case PARAMETER_FLIP:
        snprintf(reason, reason_size, "on or off");
        return switch_parse_request(value, &query->params->request.flip);
    case PARAMETER_VIEWS:
        snprintf(reason, reason_size, "1 or 0");
        return switch_parse_request(value, &query->params->views);
    case PARAMETER_MAP:
        snprintf(reason, reason_size, "1 or 0");
        return switch_parse_request(value, &query->params->map);
    case PARAMETER_FEATURES:
        snprintf(reason, reason_size, "1 or 0");
        return switch_parse_request(value, &query->params->features);
    case PARAMETER_REJECT:
        snprintf(reason, reason_size, "a number above 0, at most 1, as 0.05");
        return level_parse(value, &query->params->reject);
    case PARAMETERS_N:
        break;
    }
    return false;
}

static const char *const names[PARAMETERS_N] = {
    [PARAMETER_TOP_K] = "top_k",   [PARAMETER_SCALES] = "scales", [PARAMETER_FLIP] = "flip",
    [PARAMETER_VIEWS] = "views",   [PARAMETER_MAP] = "map",       [PARAMETER_FEATURES] = "features",
    [PARAMETER_REJECT] = "reject",
};

static enum parameter find_parameter(const char *name)
{
    size_t i = 0;

    while (i < PARAMETERS_N && strcmp(name, names[i]) != 0)
        i++;
    return (enum parameter)i;
}

static void refuse_unknown(struct query *query, const char *name)
{
    char all[96] = "";

    for (size_t i = 0, length = 0; i < PARAMETERS_N; i++)
        length += (size_t)snprintf(all + length, sizeof all - length, "%s%s",
                                   i == 0                  ? ""
                                   : i == PARAMETERS_N - 1 ? " and "
                                                           : ", ",
                                   names[i]);
    problem_set(query->problem, PROBLEM_BAD_PARAMETER, "unknown %s \"%.40s\": there are %s%s",
                query->source == SOURCE_FORM ? "field" : "parameter",
                text_quote(name, strlen(name)).text, all,
                query->source == SOURCE_FORM ? "; an image has a filename, as with curl -F "
                                               "image=@FILE, or an image's Content-Type"
                                             : "");
}

static bool on_parameter(void *context, const char *name, const char *value)
{
    struct query *query = context;
    enum parameter i = find_parameter(name);
    char reason[160] = "";

    value = value != NULL ? value : "";
    query->valid = false;
    if (i == PARAMETERS_N)
        refuse_unknown(query, name);
    else if (query->seen[i] != SOURCE_NONE && query->seen[i] != query->source)
        problem_set(query->problem, PROBLEM_BAD_PARAMETER,
                    "parameter %s is given both in the query and in the form", name);
    else if (query->seen[i] != SOURCE_NONE && i != PARAMETER_SCALES)
        problem_set(query->problem, PROBLEM_BAD_PARAMETER, "parameter %s is repeated", name);
    else if (!set_parameter(query, i, value, reason, sizeof reason))
        problem_set(query->problem, PROBLEM_BAD_PARAMETER, "%s=%.40s: expected %s", name,
                    text_quote(value, strlen(value)).text, reason);
    else {
        query->seen[i] = query->source;
        query->valid = true;
    }
    return query->valid;
}

/* Query and form over the server's defaults, of which query->scales and query->params are made. */
static bool read_params(struct query *query, const struct http_request *request)
{
    query->valid = true;
    query->source = SOURCE_QUERY;
    http_query(request, on_parameter, query);
    query->source = SOURCE_FORM;
    for (size_t i = 0; i < request->fields_n && query->valid; i++)
        (void)on_parameter(query, request->fields[i].name, request->fields[i].value);
    return query->valid;
}

/* ---------------------------------------------------------------- the request ---------------- */

static bool check_body(const struct server *server, const struct http_request *request,
                       struct problem *problem)
{
    switch (request->body) {
    case HTTP_BODY_PLAIN:
    case HTTP_BODY_MULTIPART:
        return true;
    case HTTP_BODY_BAD:
        problem_set(problem, PROBLEM_BAD_MULTIPART, "%s", request->body_error);
        return false;
    case HTTP_BODY_MANY:
        problem_set(problem, PROBLEM_TOO_MANY_IMAGES,
                    "a request may hold at most %u images (--max-images)",
                    server->options->images_max);
        return false;
    default: /* what cannot be inflated has not come here */
        break;
    }
    problem_set(problem, PROBLEM_NO_MEMORY, "there is no memory for the body now");
    return false;
}

static char *encode(const struct task *task, struct http_request *request, size_t *size)
{
    const struct json_answer answer = {
        .request_id = request->id,
        .model = task->model,
        .params = &task->params,
        .evaluations = task->evaluations,
        .evaluations_n = task->n,
        .several = task->several,
        .queue_ns = task->lane_ns,
        .total_ns = now_ns() - request->received_ns,
    };

    return json_answer(&answer, size);
}

static const struct prediction_kind kind = {encode, free};

/* A task ready to be queued, or NULL with the problem. */
static struct task *make_task(struct server *server, struct http_request *request,
                              struct problem *problem)
{
    struct query query = {.scales = server->options->work.scales, .problem = problem};
    struct task *task;

    if (!prediction_welcome(server, request, problem) || !check_body(server, request, problem))
        return NULL;
    task = prediction_create(&kind, NULL, server, request, model_slot_get(&server->model),
                             request->parts_n);
    if (task == NULL) {
        problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
        return NULL;
    }
    task->several = task->n > 1;
    for (size_t i = 0; i < task->n; i++) {
        task->evaluations[i].bytes = request->parts[i].bytes;
        task->evaluations[i].size = request->parts[i].size;
    }
    query.params = &task->params;
    if (read_params(&query, request) && prediction_check(task, &query.scales, problem))
        return task;
    task_destroy(task);
    return NULL;
}

bool classify_check(struct server *server, const struct http_request *request,
                    struct problem *problem)
{
    struct evaluation_params params = {0};
    struct query query = {.params = &params, .problem = problem};

    return prediction_welcome(server, request, problem) && read_params(&query, request);
}

void classify_handle(struct server *server, struct http_request *request)
{
    struct problem problem;
    struct task *task = make_task(server, request, &problem);

    if (task == NULL) {
        respond_problem(server, request, &problem, 0);
        return;
    }
    http_defer(request);
    prediction_submit(task);
}
