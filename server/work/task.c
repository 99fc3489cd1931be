/* Requests for predictions: admission, then the steps on workers. */
#include "work/task.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/statistics.h"
#include "process/clock.h"
#include "process/memory_room.h"

enum {
    /*
     * What decoding a picture costs beside its predicted work, in the same unit: without it a lot
     * of tiny pictures would make large ones seem slow.
     */
    DECODE_OVERHEAD = 50000,
    RESCALE_PART = 3, /* pixels that are rescaled to one scale for a unit */
    SMALL_PARTS = 16  /* of the work of --max-pixels: as much is decoded in little time */
};

uint64_t task_model_key(const struct vgg_model *model)
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

void task_destroy(struct task *task)
{
    if (task == NULL)
        return;
    for (size_t i = 0; i < task->n; i++)
        evaluation_fini(&task->evaluations[i]);
    task->kind->data_destroy(task->data);
    vgg_model_release(task->model);
    free(task);
}

struct task *task_create(const struct task_kind *kind, struct server *server,
                         struct http_request *request, struct vgg_model *model, size_t n,
                         void *data)
{
    struct task *task = calloc(1, sizeof *task + n * sizeof *task->evaluations);

    if (task == NULL) {
        vgg_model_release(model);
        return NULL;
    }
    task->kind = kind;
    task->server = server;
    task->request = request;
    task->model = model;
    task->data = data;
    task->deadline_ns = request->deadline_ns;
    task->n = n;
    task->item.model = task_model_key(model);
    task->params.top_k = server->options->top_k;
    task->params.request.flip = server->options->flip;
    return task;
}

/* One that is over; `pictures` were answered. */
static void count(const struct task *task, size_t pictures)
{
    const struct http_request *request = task->request;
    const struct statistics_sample sample = {
        .model = task->item.model,
        .pictures = pictures,
        .total_ns = now_ns() - request->received_ns,
        .queue_ns = request->timing.queue_ns,
        .input_ns = request->timing.decode_ns + request->timing.rescale_ns,
        .infer_ns = request->timing.infer_ns,
        .output_ns = request->timing.encode_ns,
    };

    statistics_count(task->server->statistics, &sample);
}

/* ---------------------------------------------------------------- admission ------------------ */

bool task_welcome(const struct server *server, const struct http_request *request,
                  struct problem *problem)
{
    if (server->phase >= PHASE_CLOSING && !request->first)
        problem_set(problem, PROBLEM_DRAINING, "the server is shutting down");
    else if (request->timeout_invalid)
        problem_set(problem, PROBLEM_BAD_PARAMETER,
                    "X-Request-Timeout-Ms: expected a whole number of milliseconds, at least 1");
    else
        return true;
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

static void add_cost(struct task *task, const struct evaluation *evaluation)
{
    const struct vgg_image_info *info = &evaluation->info;
    uint64_t pixels = (uint64_t)info->width * info->height;
    struct queue_item *item = &task->item;
    uint64_t work = info->work + DECODE_OVERHEAD;

    if (evaluation->pixels == NULL)
        work += task->params.request.scales_n * pixels / RESCALE_PART;
    item->macs += evaluation->macs;
    item->decode += work;
    item->bytes += 3 * evaluation->view_pixels;
    if (work > task->server->options->pixels_max / SMALL_PARTS)
        item->lane = QUEUE_LARGE;
}

/* What fails the whole request, or NULL. */
static const struct problem *problem_of(const struct task *task)
{
    for (size_t i = 0; i < task->n && !task->several; i++)
        if (task->evaluations[i].failed)
            return &task->evaluations[i].problem;
    return NULL;
}

static bool check(struct task *task, const struct option_scales *scales, struct problem *problem)
{
    struct server *server = task->server;
    const struct vgg_image_limits limits = image_limits(server);
    uint64_t limit = cost_limit(server, task->model);

    if (!evaluation_params_complete(&task->params, task->model, scales->scales, scales->n, problem))
        return false;

    for (size_t i = 0; i < task->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        evaluation_check(evaluation, task->model, &task->params, &limits,
                         server->options->view_pixels_max);
        if (!evaluation->failed)
            add_cost(task, evaluation);
    }
    if (problem_of(task) != NULL) {
        *problem = *problem_of(task);
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

bool task_check(struct task *task, const struct option_scales *scales, struct problem *problem)
{
    bool good = check(task, scales, problem);

    if (!good)
        count(task, 0);
    return good;
}

void task_submit(struct task *task)
{
    struct http_request *request = task->request;
    struct server *server = task->server;
    unsigned retry_after_s = 0;
    struct problem problem;

    task->admitted_ns = now_ns();
    if (queue_try_push(server->queue, &task->item, &retry_after_s))
        return;
    count(task, 0);
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
    return now_ns() >= task->deadline_ns;
}

static bool is_cancelled(void *user)
{
    const struct task *task = user;

    return task->server->phase == PHASE_ABORTING || http_gone(task->request);
}

bool task_dead(const struct queue_item *item)
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

/*
 * Is there memory for the decodes under way, each of which may hold its pixels, a turned copy or
 * the coefficients of all its scans? A control group would end the process instead of saying so.
 */
static bool has_room(struct server *server, const struct evaluation *evaluation)
{
    enum { PNG_BYTES = 6, BYTES_MAX = 12 }; /* a pixel */
    uint64_t bytes = strcmp(evaluation->info.format, "png") == 0 ? PNG_BYTES : BYTES_MAX;
    struct memory_room room = memory_room_of("", MEMORY_ROOM_RESIDENT);

    return room.free_bytes / bytes >= budget_used(&server->decode_budget);
}

static void refuse_decode(struct evaluation *evaluation)
{
    evaluation->failed = true;
    problem_set(&evaluation->problem, PROBLEM_NO_MEMORY,
                "there is no memory now to decode a picture of %ux%u pixels",
                evaluation->info.width, evaluation->info.height);
}

static void decode(struct task *task, struct evaluation *evaluation)
{
    struct server *server = task->server;
    const struct vgg_image_limits limits = image_limits(server);
    const struct vgg_job_options options = {.deadline_ns = task->deadline_ns,
                                            .macs = task->item.macs,
                                            .cancelled = is_cancelled,
                                            .on_view = on_view,
                                            .on_done = on_done,
                                            .user = task};
    /* It bounds memory, so by pixels whatever their work is. */
    uint64_t pixels = (uint64_t)evaluation->info.width * evaluation->info.height;
    /* What is dead will not be decoded, so it does not wait for room either. */
    bool large = task->item.lane == QUEUE_LARGE && !task_dead(&task->item);

    if (large)
        budget_take(&server->decode_budget, pixels);
    if (large && !has_room(server, evaluation))
        refuse_decode(evaluation);
    else {
        atomic_fetch_add(&task->pending, 1);
        evaluation_begin(evaluation, server->engine, task->model, &task->params, &limits, &options);
        if (evaluation->failed)
            atomic_fetch_sub(&task->pending, 1);
    }
    if (large)
        budget_give(&server->decode_budget, pixels);
}

void task_decode(struct server *server, struct queue_item *item)
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
        decode(task, evaluation);
        whole = whole && !evaluation->failed;
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

/* Was any of it dropped, its client having gone? */
static bool was_dropped(const struct task *task)
{
    bool dropped = false;

    for (size_t i = 0; i < task->n; i++)
        dropped = dropped || (task->evaluations[i].failed &&
                              task->evaluations[i].problem.kind == PROBLEM_DRAINING);
    return dropped && http_gone(task->request);
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

static char *encode(struct task *task, size_t *size)
{
    uint64_t start_ns = now_ns();
    char *text = task->kind->encode(task, size);

    task->request->timing.encode_ns = now_ns() - start_ns;
    metrics_stage(task->server->metrics, STAGE_ENCODE, task->request->timing.encode_ns);
    return text;
}

void task_answer(struct server *server, struct queue_item *item)
{
    struct task *task = task_of(item);
    struct http_request *request = task->request;
    const struct problem *found;
    struct problem problem;
    size_t size = 0;
    char *text = NULL;

    for (size_t i = 0; i < task->n; i++)
        evaluation_end(&task->evaluations[i]);
    record(server, task);
    snprintf(request->model_version, sizeof request->model_version, "%s",
             vgg_model_get_info(task->model)->version);
    request->dropped = was_dropped(task);
    request->begun = was_begun(task);
    found = problem_of(task);
    if (found != NULL)
        problem = *found;
    else if (!request->dropped)
        text = encode(task, &size);
    count(task, text != NULL ? count_answered(task) : 0);
    queue_finish(server->queue, item);
    task_destroy(task);
    if (request->dropped)
        http_respond(request);
    else if (found != NULL)
        server_respond_problem(server, request, &problem, 0);
    else
        server_respond(server, request, 200,
                       request->response.type != NULL ? request->response.type : "application/json",
                       text, size);
}
