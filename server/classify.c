/*
 * POST /classify. On a network thread: parameters, headers of the images, cost, admission. On a
 * worker: decode, rescale, submit to the engine. When the engine is done, on another: encode the
 * answer.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "evaluate.h"
#include "json.h"
#include "server.h"

enum {
    /*
     * What decoding a picture costs beside its pixels, in pixels: without it a lot of tiny pictures
     * would make large ones seem slow.
     */
    DECODE_OVERHEAD = 50000,
    SMALL_PARTS = 16 /* of --max-pixels: as much is decoded in little time */
};

/* A request on its way. It belongs to whoever has popped its item, then to its unfinished jobs. */
struct task {
    struct queue_item item; /* first */
    struct server *server;
    struct http_request *request;
    struct vgg_model *model; /* one reference */
    struct evaluation_params params;
    uint64_t admitted_ns;
    uint64_t queue_ns;     /* from there to its decoding */
    atomic_size_t pending; /* jobs not finished, and whoever submits them */
    bool several;
    size_t n;
    struct evaluation evaluations[];
};

uint64_t classify_model_key(const struct vgg_model *model)
{
    const char *digits = strchr(vgg_model_get_info(model)->version, ':');
    char first[17] = "";

    if (digits != NULL)
        snprintf(first, sizeof first, "%s", digits + 1);
    return strtoull(first, NULL, 16);
}

static struct vgg_image_limits image_limits(const struct server *server)
{
    return (struct vgg_image_limits){.pixels_max = server->options->pixels_max};
}

static void task_destroy(struct task *task)
{
    if (task == NULL)
        return;
    for (size_t i = 0; i < task->n; i++)
        evaluation_fini(&task->evaluations[i]);
    vgg_model_release(task->model);
    free(task);
}

/* ---------------------------------------------------------------- parameters ----------------- */

enum parameter {
    PARAMETER_TOP_K,
    PARAMETER_SCALES,
    PARAMETER_FLIP,
    PARAMETER_VIEWS,
    PARAMETER_MAP,
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
    case PARAMETERS_N:
        break;
    }
    return false;
}

static bool on_parameter(void *context, const char *name, const char *value)
{
    static const char *const names[PARAMETERS_N] = {"top_k", "scales", "flip", "views", "map"};
    struct query *query = context;
    char reason[160] = "";
    size_t i = 0;

    while (i < PARAMETERS_N && strcmp(name, names[i]) != 0)
        i++;
    query->valid = false;
    if (i == PARAMETERS_N)
        problem_set(&query->problem, PROBLEM_BAD_PARAMETER,
                    "unknown parameter \"%.40s\": there are top_k, scales, flip, views and map",
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
static bool read_params(const struct server *server, const struct http_request *request,
                        struct task *task, struct problem *problem)
{
    struct query query = {
        .params = &task->params, .scales = server->options->scales, .valid = true};

    task->params.top_k = server->options->top_k;
    task->params.request.flip = server->options->flip;
    http_query(request, on_parameter, &query);
    if (!query.valid) {
        *problem = query.problem;
        return false;
    }
    return evaluation_params_complete(&task->params, task->model, query.scales.scales,
                                      query.scales.n, problem);
}

/* ---------------------------------------------------------------- admission ------------------ */

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

/* The cost of one image by which the default limit is measured. */
static uint64_t cost_limit(const struct server *server, const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const struct option_scales *own = &server->options->scales;
    const uint32_t *scales = own->n != 0 ? own->scales : info->scales;
    size_t n = own->n != 0 ? own->n : info->scales_n;
    uint64_t macs = 0;

    if (server->options->cost_max != 0)
        return server->options->cost_max;
    for (size_t i = 0; i < n; i++)
        macs += vgg_model_view_macs(model, scales[i], scales[i]);
    return 4 * 2 * macs; /* four images and their mirrors */
}

static void add_cost(const struct server *server, struct queue_item *item,
                     const struct evaluation *evaluation)
{
    uint64_t pixels = (uint64_t)evaluation->info.width * evaluation->info.height;

    item->macs += evaluation->macs;
    item->decode += pixels + DECODE_OVERHEAD;
    item->bytes += 3 * evaluation->view_pixels;
    if (pixels > server->options->pixels_max / SMALL_PARTS)
        item->lane = QUEUE_LARGE;
}

/* Look at every image's header; the sum of their costs must stay under the limit. */
static bool check_images(struct server *server, struct task *task, struct problem *problem)
{
    const struct vgg_image_limits limits = image_limits(server);
    uint64_t limit = cost_limit(server, task->model);

    for (size_t i = 0; i < task->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        evaluation->bytes = task->request->parts[i].bytes;
        evaluation->size = task->request->parts[i].size;
        evaluation_check(evaluation, task->model, &task->params, &limits,
                         server->options->view_pixels_max);
        if (!evaluation->failed)
            add_cost(server, &task->item, evaluation);
    }
    if (!task->several && task->evaluations[0].failed) {
        *problem = task->evaluations[0].problem;
        return false;
    }
    if (task->item.macs <= limit)
        return true;
    problem_set(problem, PROBLEM_TOO_COSTLY,
                "the request needs %.3g GMAC, over the limit of %.3g (--max-cost): ask for fewer "
                "or smaller scales, flip=off, or fewer images",
                (double)task->item.macs / 1e9, (double)limit / 1e9);
    return false;
}

/* A task ready to be queued, or NULL with the problem. */
static struct task *make_task(struct server *server, struct http_request *request,
                              struct problem *problem)
{
    struct task *task;

    if (request->timeout_invalid) {
        problem_set(problem, PROBLEM_BAD_PARAMETER,
                    "X-Request-Timeout-Ms: expected a whole number of milliseconds, at least 1");
        return NULL;
    }
    if (!check_body(server, request, problem))
        return NULL;
    task = calloc(1, sizeof *task + request->parts_n * sizeof *task->evaluations);
    if (task == NULL) {
        problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
        return NULL;
    }
    task->server = server;
    task->request = request;
    task->n = request->parts_n;
    task->several = task->n > 1;
    task->model = model_slot_get(&server->model);
    task->item.model = classify_model_key(task->model);
    if (read_params(server, request, task, problem) && check_images(server, task, problem))
        return task;
    task_destroy(task);
    return NULL;
}

void classify_handle(struct server *server, struct http_request *request)
{
    unsigned retry_after_s = 0;
    struct problem problem;
    struct task *task;

    if (server->phase >= PHASE_CLOSING && !request->first) {
        problem_set(&problem, PROBLEM_DRAINING, "the server is shutting down");
        server_respond_problem(server, request, &problem, 0);
        return;
    }
    task = make_task(server, request, &problem);
    if (task == NULL) {
        server_respond_problem(server, request, &problem, 0);
        return;
    }
    http_defer(request);
    task->admitted_ns = now_ns();
    if (queue_try_push(server->queue, &task->item, &retry_after_s))
        return;
    task_destroy(task);
    problem_set(&problem, PROBLEM_QUEUE_FULL,
                "the work ahead would take too long; try again in %us", retry_after_s);
    server_respond_problem(server, request, &problem, retry_after_s);
}

/* ---------------------------------------------------------------- on workers ---------------- */

static struct task *task_of(struct queue_item *item)
{
    return (struct task *)(void *)item;
}

static bool is_late(const struct task *task)
{
    return now_ns() >= task->request->deadline_ns;
}

static bool is_cancelled(void *user)
{
    const struct task *task = user;

    return task->server->phase == PHASE_ABORTING || http_gone(task->request);
}

bool classify_dead(const struct queue_item *item)
{
    struct task *task = task_of((struct queue_item *)(uintptr_t)item);

    return is_cancelled(task) || is_late(task);
}

static void on_view(void *user, uint64_t macs)
{
    struct task *task = user;

    queue_progress(task->server->queue, &task->item, macs);
}

/* One of those that hold the task lets go of it; the last one hands it on. */
static void on_done(void *user)
{
    struct task *task = user;

    if (atomic_fetch_sub(&task->pending, 1) == 1)
        queue_computed(task->server->queue, &task->item);
}

/* Nothing is computed for a request whose deadline has passed, or whose client has gone. */
static void drop(struct task *task, struct evaluation *evaluation)
{
    evaluation->failed = true;
    if (is_cancelled(task))
        problem_set(&evaluation->problem, PROBLEM_DRAINING, "dropped while it was queued");
    else
        problem_set(&evaluation->problem, PROBLEM_DEADLINE,
                    "the deadline passed while the request was queued");
}

static void decode(struct task *task, struct evaluation *evaluation)
{
    struct server *server = task->server;
    const struct vgg_image_limits limits = image_limits(server);
    const struct vgg_job_options options = {.deadline_ns = task->request->deadline_ns,
                                            .macs = task->item.macs,
                                            .cancelled = is_cancelled,
                                            .on_view = on_view,
                                            .on_done = on_done,
                                            .user = task};
    uint64_t pixels = (uint64_t)evaluation->info.width * evaluation->info.height;
    bool large = task->item.lane == QUEUE_LARGE;

    if (large)
        budget_take(&server->decode_budget, pixels);
    atomic_fetch_add(&task->pending, 1);
    evaluation_begin(evaluation, server->engine, task->model, &task->params, &limits, &options);
    if (evaluation->failed)
        atomic_fetch_sub(&task->pending, 1);
    if (large)
        budget_give(&server->decode_budget, pixels);
}

void classify_decode(struct server *server, struct queue_item *item)
{
    struct task *task = task_of(item);
    uint64_t start_ns = now_ns();
    bool whole = true;

    task->queue_ns = start_ns - task->admitted_ns;
    task->pending = 1;
    for (size_t i = 0; i < task->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        if (evaluation->failed)
            continue;
        whole = !classify_dead(item);
        if (whole)
            decode(task, evaluation);
        else
            drop(task, evaluation);
    }
    queue_decoded(server->queue, item, whole ? now_ns() - start_ns : 0);
    on_done(task);
}

/* Stage times of the images that got that far. */
static void record(struct server *server, struct task *task)
{
    struct http_timing *timing = &task->request->timing;
    uint64_t wait_ns = 0; /* for the engine */

    for (size_t i = 0; i < task->n; i++) {
        const struct evaluation *evaluation = &task->evaluations[i];

        if (evaluation->failed)
            continue;
        metrics_stage(server->metrics, STAGE_DECODE, evaluation->decode_ns);
        metrics_stage(server->metrics, STAGE_RESCALE, evaluation->rescale_ns);
        metrics_stage(server->metrics, STAGE_INFER, evaluation->infer_ns);
        timing->decode_ns += evaluation->decode_ns;
        timing->rescale_ns += evaluation->rescale_ns;
        timing->infer_ns += evaluation->infer_ns;
        wait_ns = evaluation->wait_ns > wait_ns ? evaluation->wait_ns : wait_ns;
    }
    timing->queue_ns = task->queue_ns + wait_ns;
    metrics_stage(server->metrics, STAGE_QUEUE, timing->queue_ns);
}

static char *encode(struct server *server, struct task *task, size_t *size)
{
    uint64_t start_ns = now_ns();
    const struct json_answer answer = {
        .request_id = task->request->id,
        .model = task->model,
        .params = &task->params,
        .evaluations = task->evaluations,
        .evaluations_n = task->n,
        .several = task->several,
        .queue_ns = task->queue_ns,
        .total_ns = start_ns - task->request->received_ns,
    };
    char *json = json_answer(&answer, size);

    task->request->timing.encode_ns = now_ns() - start_ns;
    metrics_stage(server->metrics, STAGE_ENCODE, task->request->timing.encode_ns);
    return json;
}

/* Was any of it dropped, its client having gone? */
static bool was_dropped(const struct task *task)
{
    bool dropped = false;

    for (size_t i = 0; i < task->n; i++)
        dropped = dropped || (task->evaluations[i].failed &&
                              task->evaluations[i].problem.kind == PROBLEM_DRAINING);
    return dropped && http_gone(task->request);
}

void classify_answer(struct server *server, struct queue_item *item)
{
    struct task *task = task_of(item);
    struct http_request *request = task->request;
    struct problem problem;
    size_t size = 0;
    char *json = NULL;
    bool failed;

    for (size_t i = 0; i < task->n; i++)
        evaluation_end(&task->evaluations[i]);
    record(server, task);
    snprintf(request->model_version, sizeof request->model_version, "%s",
             vgg_model_get_info(task->model)->version);
    request->dropped = was_dropped(task);
    request->begun = item->begun;
    failed = !task->several && task->evaluations[0].failed;
    if (failed)
        problem = task->evaluations[0].problem;
    else if (!request->dropped)
        json = encode(server, task, &size);
    queue_finish(server->queue, item);
    task_destroy(task);
    if (request->dropped)
        http_respond(request);
    else if (failed)
        server_respond_problem(server, request, &problem, 0);
    else
        server_respond_json(server, request, 200, json, size);
}
