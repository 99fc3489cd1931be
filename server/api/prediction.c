/* Requests for predictions, from HTTP to the queue and back. */
#include "api/prediction.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/respond.h"
#include "ops/statistics.h"
#include "process/clock.h"

/* On whose behalf a task is. */
struct prediction {
    struct server *server;
    struct http_request *request;
    const struct prediction_kind *kind;
    void *data; /* the kind's, owned */
};

static const struct prediction *prediction_of(const struct task *task)
{
    return task->data;
}

void *prediction_data(const struct task *task)
{
    return prediction_of(task)->data;
}

/* A request that is over; `pictures` were answered. */
static void count(const struct task *task, size_t pictures)
{
    const struct prediction *prediction = prediction_of(task);
    const struct http_request *request = prediction->request;
    const struct statistics_sample sample = {
        .model = task->item.model,
        .pictures = pictures,
        .total_ns = now_ns() - request->received_ns,
        .queue_ns = request->timing.queue_ns,
        .input_ns = request->timing.decode_ns + request->timing.rescale_ns,
        .infer_ns = request->timing.infer_ns,
        .output_ns = request->timing.encode_ns,
    };

    statistics_count(prediction->server->statistics, &sample);
}

/* Of the pictures that were answered. */
static void count_typicalities(const struct task *task)
{
    for (size_t i = 0; i < task->n; i++)
        if (task->evaluations[i].typicality.p != 0)
            metrics_typicality(task->work->metrics, task->evaluations[i].typicality.known);
}

/* ---------------------------------------------------------------- to the queue --------------- */

bool prediction_welcome(const struct server *server, const struct http_request *request,
                        struct problem *problem)
{
    if (server->phase >= SERVER_CLOSING && !request->first)
        problem_set(problem, PROBLEM_DRAINING, "the server is shutting down");
    else if (request->timeout_invalid)
        problem_set(problem, PROBLEM_BAD_PARAMETER,
                    "X-Request-Timeout-Ms: expected a whole number of milliseconds, at least 1");
    else
        return true;
    return false;
}

bool prediction_check(struct task *task, const struct option_scales *scales,
                      struct problem *problem)
{
    bool good = task_check(task, scales, problem);

    if (!good)
        count(task, 0);
    return good;
}

void prediction_submit(struct task *task)
{
    struct prediction prediction = *prediction_of(task);
    unsigned retry_after_s = 0;
    struct problem problem;

    if (task_try_submit(task, &retry_after_s))
        return;
    count(task, 0);
    task_destroy(task);
    problem_set(&problem, PROBLEM_QUEUE_FULL,
                "the work ahead would take too long; try again in %us", retry_after_s);
    respond_problem(prediction.server, prediction.request, &problem, retry_after_s);
}

/* ---------------------------------------------------------------- the answer ----------------- */

static bool is_gone(const struct task *task)
{
    return http_gone(prediction_of(task)->request);
}

/* Was any of it dropped, its client having gone? */
static bool was_dropped(const struct task *task)
{
    bool dropped = false;

    for (size_t i = 0; i < task->n; i++)
        dropped = dropped || (task->evaluations[i].failed &&
                              task->evaluations[i].problem.kind == PROBLEM_DRAINING);
    return dropped && is_gone(task);
}

/* Had any of it a pass, be it one that was given up? */
static bool was_begun(const struct task *task)
{
    for (size_t i = 0; i < task->n; i++)
        if (task->evaluations[i].infer_ns != 0)
            return true;
    return false;
}

static size_t count_answered(const struct task *task)
{
    size_t n = 0;

    for (size_t i = 0; i < task->n; i++)
        n += !task->evaluations[i].failed;
    return n;
}

/* For the request's line in the log and the metrics. */
static void describe(const struct task *task, struct http_request *request)
{
    request->timing.queue_ns = task->timing.queue_ns;
    request->timing.decode_ns = task->timing.decode_ns;
    request->timing.rescale_ns = task->timing.rescale_ns;
    request->timing.infer_ns = task->timing.infer_ns;
    snprintf(request->model_version, sizeof request->model_version, "%s",
             vgg_model_get_info(task->model)->version);
    request->dropped = was_dropped(task);
    request->begun = was_begun(task);
}

static char *encode(const struct task *task, size_t *size)
{
    const struct prediction *prediction = prediction_of(task);
    struct http_request *request = prediction->request;
    uint64_t start_ns = now_ns();
    char *text = prediction->kind->encode(task, request, size);

    request->timing.encode_ns = now_ns() - start_ns;
    metrics_stage(task->work->metrics, STAGE_ENCODE, request->timing.encode_ns);
    return text;
}

static void answer(struct task *task)
{
    struct server *server = prediction_of(task)->server;
    struct http_request *request = prediction_of(task)->request;
    const struct problem *found = task_problem(task);
    struct problem problem;
    size_t size = 0;
    char *text = NULL;

    describe(task, request);
    if (found != NULL)
        problem = *found;
    else if (!request->dropped)
        text = encode(task, &size);
    count(task, text != NULL ? count_answered(task) : 0);
    if (text != NULL)
        count_typicalities(task);
    task_finish(task);
    if (request->dropped)
        http_respond(request);
    else if (found != NULL)
        respond_problem(server, request, &problem, 0);
    else
        respond_bytes(server, request, 200,
                      request->response.type != NULL ? request->response.type : "application/json",
                      text, size);
}

static void destroy(void *data)
{
    struct prediction *prediction = data;

    prediction->kind->data_destroy(prediction->data);
    free(prediction);
}

struct task *prediction_create(const struct prediction_kind *kind, void *data,
                               struct server *server, struct http_request *request,
                               struct vgg_model *model, size_t n)
{
    static const struct task_client client = {is_gone, answer, destroy};
    struct prediction *prediction = malloc(sizeof *prediction);
    struct task *task;

    if (prediction == NULL) {
        vgg_model_release(model);
        return NULL;
    }
    *prediction = (struct prediction){server, request, kind, data};
    task = task_create(&client, prediction, &server->work, model, n, request->deadline_ns);
    if (task == NULL)
        free(prediction);
    return task;
}
