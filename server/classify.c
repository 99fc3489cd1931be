/*
 * POST /classify: parameters and the body's pictures, on a network thread, and the JSON of the
 * answer, on a worker. task.c does what is between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "task.h"

/* ---------------------------------------------------------------- parameters ----------------- */

enum parameter {
    PARAMETER_TOP_K,
    PARAMETER_SCALES,
    PARAMETER_FLIP,
    PARAMETER_VIEWS,
    PARAMETER_MAP,
    PARAMETER_FEATURES,
    PARAMETERS_N
};

struct query {
    struct evaluation_params *params;
    struct option_scales scales;
    bool seen[PARAMETERS_N];
    bool valid;
    struct problem problem;
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

/* Queries spell a switch as flags do, as 1 and 0, or as JSON does. */
static bool parse_switch(const char *text, bool *value)
{
    if (switch_parse(text, value))
        return true;
    *value = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    return *value || strcmp(text, "0") == 0 || strcmp(text, "false") == 0;
}

static bool set_parameter(struct query *query, enum parameter parameter, const char *value,
                          char *reason, size_t reason_size)
{
    switch (parameter) {
    case PARAMETER_TOP_K:
        snprintf(reason, reason_size, "a whole number, at least 1");
        return parse_top_k(value, &query->params->top_k);
    case PARAMETER_SCALES:
        return scales_parse(value, &query->scales, reason, reason_size);
    case PARAMETER_FLIP:
        snprintf(reason, reason_size, "on or off");
        return parse_switch(value, &query->params->request.flip);
    case PARAMETER_VIEWS:
        snprintf(reason, reason_size, "1 or 0");
        return parse_switch(value, &query->params->views);
    case PARAMETER_MAP:
        snprintf(reason, reason_size, "1 or 0");
        return parse_switch(value, &query->params->map);
    case PARAMETER_FEATURES:
        snprintf(reason, reason_size, "1 or 0");
        return parse_switch(value, &query->params->features);
    case PARAMETERS_N:
        break;
    }
    return false;
}

static bool on_parameter(void *context, const char *name, const char *value)
{
    static const char *const names[PARAMETERS_N] = {"top_k", "scales", "flip",
                                                    "views", "map",    "features"};
    struct query *query = context;
    char reason[160] = "";
    size_t i = 0;

    while (i < PARAMETERS_N && strcmp(name, names[i]) != 0)
        i++;
    query->valid = false;
    if (i == PARAMETERS_N)
        problem_set(
            &query->problem, PROBLEM_BAD_PARAMETER,
            "unknown parameter \"%.40s\": there are top_k, scales, flip, views, map and features",
            name);
    else if (query->seen[i])
        problem_set(&query->problem, PROBLEM_BAD_PARAMETER, "parameter %s is repeated", name);
    else if (!set_parameter(query, (enum parameter)i, value != NULL ? value : "", reason,
                            sizeof reason))
        problem_set(&query->problem, PROBLEM_BAD_PARAMETER, "%s=%.40s: expected %s", name,
                    value != NULL ? value : "", reason);
    else
        query->valid = query->seen[i] = true;
    return query->valid;
}

/* The query over the server's defaults. */
static bool read_params(struct task *task, struct option_scales *scales, struct problem *problem)
{
    struct query query = {
        .params = &task->params, .scales = task->server->options->scales, .valid = true};

    http_query(task->request, on_parameter, &query);
    *scales = query.scales;
    if (!query.valid)
        *problem = query.problem;
    return query.valid;
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
    case HTTP_BODY_NO_MEMORY:
        break;
    }
    problem_set(problem, PROBLEM_NO_MEMORY, "there is no memory for the body now");
    return false;
}

static char *encode(struct task *task, size_t *size)
{
    const struct json_answer answer = {
        .request_id = task->request->id,
        .model = task->model,
        .params = &task->params,
        .evaluations = task->evaluations,
        .evaluations_n = task->n,
        .several = task->several,
        .queue_ns = task->queue_ns,
        .total_ns = now_ns() - task->request->received_ns,
    };

    return json_answer(&answer, size);
}

static const struct task_kind kind = {encode, free};

/* A task ready to be queued, or NULL with the problem. */
static struct task *make_task(struct server *server, struct http_request *request,
                              struct problem *problem)
{
    struct option_scales scales;
    struct task *task;

    if (!task_welcome(server, request, problem) || !check_body(server, request, problem))
        return NULL;
    task =
        task_create(&kind, server, request, model_slot_get(&server->model), request->parts_n, NULL);
    if (task == NULL) {
        problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
        return NULL;
    }
    task->several = task->n > 1;
    for (size_t i = 0; i < task->n; i++) {
        task->evaluations[i].bytes = request->parts[i].bytes;
        task->evaluations[i].size = request->parts[i].size;
    }
    if (read_params(task, &scales, problem) && task_check(task, &scales, problem))
        return task;
    task_destroy(task);
    return NULL;
}

void classify_handle(struct server *server, struct http_request *request)
{
    struct problem problem;
    struct task *task = make_task(server, request, &problem);

    if (task == NULL) {
        server_respond_problem(server, request, &problem, 0);
        return;
    }
    http_defer(request);
    task_submit(task);
}
