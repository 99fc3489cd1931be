/* Predictions: admission, then the steps on workers. */
#include "work/task.h"

#include <stdlib.h>
#include <string.h>

#include "models/model_slot.h"
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

static struct vgg_image_limits image_limits(const struct work *work)
{
    return (struct vgg_image_limits){.pixels_max = work->options->pixels_max};
}

void task_destroy(struct task *task)
{
    if (task == NULL)
        return;
    for (size_t i = 0; i < task->n; i++)
        evaluation_fini(&task->evaluations[i]);
    task->client->data_destroy(task->data);
    vgg_model_release(task->model);
    free(task);
}

struct task *task_create(const struct task_client *client, void *data, struct work *work,
                         struct vgg_model *model, size_t n, uint64_t deadline_ns)
{
    struct task *task = calloc(1, sizeof *task + n * sizeof *task->evaluations);

    if (task == NULL) {
        vgg_model_release(model);
        return NULL;
    }
    task->client = client;
    task->data = data;
    task->work = work;
    task->model = model;
    task->deadline_ns = deadline_ns;
    task->n = n;
    task->item.model = model_key(model);
    task->params.top_k = work->options->top_k;
    task->params.request.flip = work->options->flip;
    return task;
}

/* ---------------------------------------------------------------- admission ------------------ */

/* The cost of one image by which the default limit is measured. */
static uint64_t cost_limit(const struct work_options *options, const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const struct option_scales *own = &options->scales;
    const uint32_t *scales = own->n != 0 ? own->scales : info->scales;
    size_t n = own->n != 0 ? own->n : info->scales_n;
    uint64_t macs = 0;

    if (options->cost_max != 0)
        return options->cost_max;
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
    if (work > task->work->options->pixels_max / SMALL_PARTS)
        item->lane = QUEUE_LARGE;
}

const struct problem *task_problem(const struct task *task)
{
    for (size_t i = 0; i < task->n && !task->several; i++)
        if (task->evaluations[i].failed)
            return &task->evaluations[i].problem;
    return NULL;
}

bool task_check(struct task *task, const struct option_scales *scales, struct problem *problem)
{
    const struct work *work = task->work;
    const struct vgg_image_limits limits = image_limits(work);
    uint64_t limit = cost_limit(work->options, task->model);

    if (!evaluation_params_complete(&task->params, task->model, scales->scales, scales->n, problem))
        return false;
    for (size_t i = 0; i < task->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        evaluation_check(evaluation, task->model, &task->params, &limits,
                         work->options->view_pixels_max);
        if (!evaluation->failed)
            add_cost(task, evaluation);
    }
    if (task_problem(task) != NULL) {
        *problem = *task_problem(task);
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

bool task_try_submit(struct task *task, unsigned *retry_after_s)
{
    task->admitted_ns = now_ns();
    return queue_try_push(task->work->queue, &task->item, retry_after_s);
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

    return task->work->aborting || task->client->gone(task);
}

bool task_dead(const struct queue_item *item)
{
    struct task *task = task_of((struct queue_item *)(uintptr_t)item);

    return is_cancelled(task) || is_late(task);
}

static void on_view(void *user, uint64_t macs)
{
    struct task *task = user;

    queue_progress(task->work->queue, &task->item, macs);
}

/* One of those that hold the task lets go of it; the last one hands it on. */
static void on_done(void *user)
{
    struct task *task = user;

    if (atomic_fetch_sub(&task->pending, 1) == 1)
        queue_computed(task->work->queue, &task->item);
}

/*
 * Is there memory for the decodes under way, each of which may hold its pixels, a turned copy or
 * the coefficients of all its scans? A control group would end the process instead of saying so.
 */
static bool has_room(struct work *work, const struct evaluation *evaluation)
{
    enum { PNG_BYTES = 6, BYTES_MAX = 12 }; /* a pixel */
    uint64_t bytes = strcmp(evaluation->info.format, "png") == 0 ? PNG_BYTES : BYTES_MAX;
    struct memory_room room = memory_room_of("", MEMORY_ROOM_RESIDENT);

    return room.free_bytes / bytes >= budget_used(&work->decodes);
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
    struct work *work = task->work;
    const struct vgg_image_limits limits = image_limits(work);
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
        budget_take(&work->decodes, pixels);
    if (large && !has_room(work, evaluation))
        refuse_decode(evaluation);
    else {
        atomic_fetch_add(&task->pending, 1);
        evaluation_begin(evaluation, work->engine, task->model, &task->params, &limits, &options);
        if (evaluation->failed)
            atomic_fetch_sub(&task->pending, 1);
    }
    if (large)
        budget_give(&work->decodes, pixels);
}

void task_decode(struct queue_item *item)
{
    struct task *task = task_of(item);
    uint64_t start_ns = now_ns();
    bool whole = true;

    task->lane_ns = start_ns - task->admitted_ns;
    task->pending = 1;
    for (size_t i = 0; i < task->n; i++) {
        struct evaluation *evaluation = &task->evaluations[i];

        if (evaluation->failed)
            continue;
        decode(task, evaluation);
        whole = whole && !evaluation->failed;
    }
    queue_decoded(task->work->queue, item, whole ? now_ns() - start_ns : 0);
    on_done(task);
}

/* Stage times of the pictures that got that far. */
static void record(struct task *task)
{
    struct metrics *metrics = task->work->metrics;
    struct task_timing *timing = &task->timing;
    uint64_t wait_ns = 0; /* for the engine */

    for (size_t i = 0; i < task->n; i++) {
        const struct evaluation *evaluation = &task->evaluations[i];

        if (evaluation->failed)
            continue;
        metrics_stage(metrics, STAGE_DECODE, evaluation->decode_ns);
        metrics_stage(metrics, STAGE_RESCALE, evaluation->rescale_ns);
        metrics_stage(metrics, STAGE_INFER, evaluation->infer_ns);
        timing->decode_ns += evaluation->decode_ns;
        timing->rescale_ns += evaluation->rescale_ns;
        timing->infer_ns += evaluation->infer_ns;
        wait_ns = evaluation->wait_ns > wait_ns ? evaluation->wait_ns : wait_ns;
    }
    timing->queue_ns = task->lane_ns + wait_ns;
    metrics_stage(metrics, STAGE_QUEUE, timing->queue_ns);
}

void task_answer(struct queue_item *item)
{
    struct task *task = task_of(item);

    for (size_t i = 0; i < task->n; i++)
        evaluation_end(&task->evaluations[i]);
    record(task);
    task->client->answer(task);
}

void task_finish(struct task *task)
{
    queue_finish(task->work->queue, &task->item);
    task_destroy(task);
}
