/*
 * The executor. Submitting threads append jobs to a queue; one leader thread takes batches of views
 * from it (batch.h says in which order) and runs each through the network together with the team's
 * other threads. Between two layers it looks at the queue again: much smaller jobs have their
 * passes there and then.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/arena.h"
#include "engine/batch.h"
#include "engine/compute.h"
#include "engine/footprint.h"
#include "image/image.h"

struct vgg_engine {
    struct vgg_engine_options options;
    struct vgg_team *team;
    pthread_t leader;
    bool leader_started;

    pthread_mutex_t mutex; /* guards the queue, `stop` and every job in the queue */
    pthread_cond_t wake;
    struct vgg_job *queue;
    uint64_t overtaken_macs; /* by vgg_batch_gather */
    unsigned reserving;      /* callers that want the arenas: no pass begins */
    bool stop;

    pthread_mutex_t arena_mutex; /* held during a pass */
    struct vgg_arena arenas[2];  /* of a pass, and of those between its layers */
};

/* A pass: a batch of views on its way through the network. */
struct pass {
    struct vgg_engine *engine;
    struct vgg_batch batch;
    struct pass *around; /* the one between whose layers it runs, or NULL */
    uint64_t macs;
    uint64_t between_macs, between_ns; /* of the passes between its layers */
    bool given_up;                     /* nobody waits for it any more */
};

/* ---------------------------------------------------------------- working memory ------------- */

/* The leader would take the mutex again before anybody else wakes up. */
static void claim_arenas(struct vgg_engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    engine->reserving++;
    pthread_mutex_unlock(&engine->mutex);
    pthread_mutex_lock(&engine->arena_mutex);
}

static void release_arenas(struct vgg_engine *engine)
{
    pthread_mutex_unlock(&engine->arena_mutex);
    pthread_mutex_lock(&engine->mutex);
    engine->reserving--;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->mutex);
}

/* Bytes that each arena needs for any batch on `net`. True: they have them. */
static bool demand(const struct vgg_engine *engine, const struct vgg_net *net, size_t bytes[2])
{
    vgg_engine_demand(&engine->options, net, bytes);
    return bytes[0] <= engine->arenas[0].bytes && bytes[1] <= engine->arenas[1].bytes;
}

enum vgg_status vgg_engine_reserve(struct vgg_engine *engine, const struct vgg_model *model,
                                   struct vgg_error *error)
{
    size_t bytes[2];
    bool grown;

    if (!vgg_kernels_start(model->net.kernels))
        return vgg_fail_memory(error);
    if (demand(engine, &model->net, bytes))
        return VGG_OK;
    claim_arenas(engine);
    grown = vgg_arena_grow(&engine->arenas[0], bytes[0]) &&
            vgg_arena_grow(&engine->arenas[1], bytes[1]);
    release_arenas(engine);
    return grown ? VGG_OK
                 : vgg_fail(error, VGG_NO_MEMORY,
                            "out of memory: the largest view needs %zu MiB of working memory",
                            (bytes[0] + bytes[1]) >> 20);
}

uint64_t vgg_engine_reserve_bytes(struct vgg_engine *engine, const struct vgg_model *model)
{
    uint64_t missing = 0;
    size_t bytes[2];

    (void)demand(engine, &model->net, bytes);
    for (size_t i = 0; i < 2; i++) {
        size_t have = engine->arenas[i].bytes;

        missing += bytes[i] > have ? bytes[i] - have : 0;
    }
    return missing;
}

/* ---------------------------------------------------------------- one pass ------------------- */

static bool between_layers(void *user);

/* Needs the engine's mutex. The job belongs to its waiter afterwards. */
static void finish_job(struct vgg_job *job)
{
    job->done = true;
    job->finished_ns = vgg_now_ns();
    pthread_cond_signal(&job->finished);
    if (job->options.on_done != NULL)
        job->options.on_done(job->options.user);
}

/* Needs the engine's mutex. */
static void unlink_job(struct vgg_engine *engine, struct vgg_job *job)
{
    struct vgg_job **link = &engine->queue;

    while (*link != NULL && *link != job)
        link = &(*link)->next;
    if (*link == job)
        *link = job->next;
}

/* Count a batch's views off their jobs and finish those that are complete or have failed. */
static void settle_batch(struct vgg_engine *engine, const struct vgg_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;

        job->left--;
        if (job->left == 0 && job->status == VGG_OK)
            vgg_job_average(job);
    }
    pthread_mutex_lock(&engine->mutex);
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;
        bool last = true; /* item of this job in the batch: nothing may touch it after that */

        for (size_t j = i + 1; j < batch->n; j++)
            last = last && batch->items[j].job != job;
        if (!last || (job->left != 0 && job->status == VGG_OK))
            continue;
        unlink_job(engine, job);
        finish_job(job);
    }
    pthread_mutex_unlock(&engine->mutex);
}

/* Before the jobs finish: whoever waits for them finds the counters moved. */
static void report_batch(const struct pass *pass, uint64_t duration_ns)
{
    const struct vgg_engine_options *options = &pass->engine->options;
    const struct vgg_batch *batch = &pass->batch;

    for (size_t i = 0; i < batch->n; i++) {
        const struct vgg_job *job = batch->items[i].job;

        if (job->options.on_view != NULL)
            job->options.on_view(job->options.user, job->progress[batch->items[i].view].macs);
    }
    if (options->on_batch != NULL)
        options->on_batch(options->user, batch->model, batch->n, pass->macs, duration_ns);
}

static void run_pass(struct pass *pass)
{
    struct vgg_engine *engine = pass->engine;
    struct vgg_arena *arena = &engine->arenas[pass->around != NULL];
    uint64_t start_ns = vgg_now_ns();
    bool computed = vgg_batch_compute(&pass->batch, engine->team, arena, between_layers, pass);

    if (computed)
        report_batch(pass, vgg_now_ns() - start_ns - pass->between_ns);
    settle_batch(engine, &pass->batch);
    if (pass->around != NULL) {
        pass->around->between_macs += computed ? pass->macs : 0;
        pass->around->between_ns += vgg_now_ns() - start_ns;
    }
}

/* ---------------------------------------------------------------- choosing ------------------- */

/* Needs the mutex. Drop jobs that nobody waits for any more, unless they are in a pass. */
static void drop_jobs(struct vgg_engine *engine)
{
    uint64_t now_ns = vgg_now_ns();
    struct vgg_job **link = &engine->queue;

    while (*link != NULL) {
        struct vgg_job *job = *link;
        bool in_pass = job->left != job->views_n - job->begun;

        if (!in_pass)
            job->status = vgg_job_verdict(&job->options, now_ns);
        if (in_pass || job->status == VGG_OK) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        finish_job(job);
    }
}

/* Needs the mutex. Jobs whose last views are being computed leave the queue. False: none fits. */
static bool gather(struct pass *pass, const struct vgg_batch_limits *limits)
{
    struct vgg_engine *engine = pass->engine;
    struct vgg_batch *batch = &pass->batch;
    uint64_t now_ns = vgg_now_ns();
    struct vgg_job *lead;

    drop_jobs(engine);
    lead = vgg_batch_lead(engine->queue, limits, engine->overtaken_macs);
    if (lead == NULL)
        return false;
    vgg_batch_gather(batch, lead, engine->queue, limits, &engine->overtaken_macs);
    pass->macs = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;

        pass->macs += job->progress[batch->items[i].view].macs;
        if (job->started_ns == 0)
            job->started_ns = now_ns;
        if (vgg_job_all_begun(job))
            unlink_job(engine, job);
    }
    return true;
}

/* Needs the mutex. Give a pass up if every job in it has lost its client or missed its deadline. */
static void give_up(struct pass *pass)
{
    enum vgg_status verdicts[VGG_BATCH_VIEWS_MAX];
    uint64_t now_ns = vgg_now_ns();

    for (size_t i = 0; i < pass->batch.n; i++) {
        verdicts[i] = vgg_job_verdict(&pass->batch.items[i].job->options, now_ns);
        if (verdicts[i] == VGG_OK)
            return;
    }
    pass->given_up = true;
    for (size_t i = 0; i < pass->batch.n; i++)
        pass->batch.items[i].job->status = verdicts[i];
}

/*
 * What may run between the layers of a pass, in half the memory: jobs of at most half the rank
 * (predicted work, struct vgg_job) of each job in the pass. So the jobs in the pass do not qualify.
 */
static struct vgg_batch_limits limits_between(const struct pass *pass)
{
    uint64_t pixels_max = pass->engine->options.view_pixels_max;
    struct vgg_batch_limits limits = {UINT64_MAX, pixels_max / VGG_BETWEEN_PART, pixels_max};

    for (size_t i = 0; i < pass->batch.n; i++)
        if (pass->batch.items[i].job->rank / 2 < limits.rank)
            limits.rank = pass->batch.items[i].job->rank / 2;
    return limits;
}

/*
 * Needs the mutex, and lets go of it meanwhile. Much smaller jobs that have come during a pass have
 * passes of their own, until they have done VGG_BATCH_PAST times its work.
 */
static void run_between(struct pass *pass)
{
    struct vgg_engine *engine = pass->engine;
    const struct vgg_batch_limits limits = limits_between(pass);

    while (engine->reserving == 0 && pass->between_macs / VGG_BATCH_PAST < pass->macs) {
        struct pass inner = {.engine = engine, .around = pass};

        if (!gather(&inner, &limits))
            break;
        pthread_mutex_unlock(&engine->mutex);
        run_pass(&inner);
        pthread_mutex_lock(&engine->mutex);
    }
}

/* Between two layers of a pass, on the leader's thread. False: the pass is not worth going on with.
 */
static bool between_layers(void *user)
{
    struct pass *pass = user;

    pthread_mutex_lock(&pass->engine->mutex);
    if (pass->around == NULL)
        run_between(pass);
    give_up(pass);
    pthread_mutex_unlock(&pass->engine->mutex);
    return !pass->given_up;
}

static void *leader_main(void *argument)
{
    struct vgg_engine *engine = argument;
    const uint64_t pixels_max = engine->options.view_pixels_max;
    const struct vgg_batch_limits limits = {UINT64_MAX, pixels_max, pixels_max};

    pthread_mutex_lock(&engine->mutex);
    for (;;) {
        struct pass pass = {.engine = engine};

        if (engine->reserving != 0 || !gather(&pass, &limits)) {
            if (engine->queue == NULL) {
                engine->overtaken_macs = 0;
                if (engine->stop)
                    break;
            }
            pthread_cond_wait(&engine->wake, &engine->mutex);
            continue;
        }
        pthread_mutex_unlock(&engine->mutex);
        pthread_mutex_lock(&engine->arena_mutex);
        run_pass(&pass);
        pthread_mutex_unlock(&engine->arena_mutex);
        pthread_mutex_lock(&engine->mutex);
    }
    pthread_mutex_unlock(&engine->mutex);
    return NULL;
}

/* ---------------------------------------------------------------- the engine ----------------- */

enum vgg_status vgg_engine_create(const struct vgg_engine_options *options, struct vgg_engine **out,
                                  struct vgg_error *error)
{
    struct vgg_engine *engine = vgg_calloc(1, sizeof *engine);
    enum vgg_status status;

    if (engine == NULL)
        return vgg_fail_memory(error);
    engine->options = vgg_engine_complete(options);
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_mutex_init(&engine->arena_mutex, NULL);
    pthread_cond_init(&engine->wake, NULL);
    status = vgg_team_create(engine->options.threads, &engine->team, error);
    if (status == VGG_OK) {
        engine->leader_started = vgg_thread_start(&engine->leader, leader_main, engine) == 0;
        if (!engine->leader_started)
            status = vgg_fail(error, VGG_NO_MEMORY, "cannot start the engine's thread");
    }
    if (status != VGG_OK) {
        vgg_engine_destroy(engine);
        return status;
    }
    *out = engine;
    return VGG_OK;
}

void vgg_engine_destroy(struct vgg_engine *engine)
{
    if (engine == NULL)
        return;
    pthread_mutex_lock(&engine->mutex);
    assert(engine->queue == NULL);
    engine->stop = true;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->mutex);
    if (engine->leader_started)
        pthread_join(engine->leader, NULL);
    vgg_team_destroy(engine->team);
    pthread_cond_destroy(&engine->wake);
    pthread_mutex_destroy(&engine->arena_mutex);
    pthread_mutex_destroy(&engine->mutex);
    for (size_t i = 0; i < 2; i++)
        vgg_arena_fini(&engine->arenas[i]);
    free(engine);
}

/* ---------------------------------------------------------------- jobs ----------------------- */

static enum vgg_status check_views(const struct vgg_engine *engine, const struct vgg_model *model,
                                   const struct vgg_views *views, struct vgg_error *error)
{
    uint32_t crop = vgg_net_crop(&model->net);

    for (size_t i = 0; i < vgg_views_count(views); i++) {
        struct vgg_view view = vgg_views_get(views, i);

        if (view.width < crop || view.height < crop ||
            (uint64_t)view.width * view.height > engine->options.view_pixels_max)
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "a view of %" PRIu32 "x%" PRIu32
                            " is below the model's crop of %" PRIu32
                            " or over the engine's limit of %" PRIu64 " pixels",
                            view.width, view.height, crop, engine->options.view_pixels_max);
    }
    return VGG_OK;
}

enum vgg_status vgg_engine_submit(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_views *views, const struct vgg_job_options *options,
                                  struct vgg_job **out, struct vgg_error *error)
{
    enum vgg_status status = check_views(engine, model, views, error);
    struct vgg_job *job, **tail;

    if (status != VGG_OK)
        return status;
    job = vgg_job_create(engine, model, views, options);
    if (job == NULL)
        return vgg_fail_memory(error);
    pthread_mutex_lock(&engine->mutex);
    assert(!engine->stop);
    for (tail = &engine->queue; *tail != NULL; tail = &(*tail)->next)
        ;
    *tail = job;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->mutex);
    *out = job;
    return VGG_OK;
}

enum vgg_status vgg_job_wait(struct vgg_job *job, struct vgg_error *error)
{
    pthread_mutex_lock(&job->engine->mutex);
    while (!job->done)
        pthread_cond_wait(&job->finished, &job->engine->mutex);
    pthread_mutex_unlock(&job->engine->mutex);
    if (job->status == VGG_BAD_MODEL)
        return vgg_fail(error, VGG_BAD_MODEL, "the model's scores for this image are not finite");
    return job->status == VGG_OK ? VGG_OK
                                 : vgg_fail(error, job->status, "%s", vgg_status_text(job->status));
}

/* A pattern with edges and gradients of every colour. */
static struct vgg_image *canary_image(uint32_t side)
{
    struct vgg_image *image = vgg_image_create("canary", side, side);

    for (uint32_t i = 0; image != NULL && i < side * side * 3; i++)
        image->pixels[i] = (uint8_t)(i * 7 ^ i / side);
    return image;
}

/* The model's first scale, as its pictures will have it: a lone crop is mostly overhead. */
static uint32_t canary_side(const struct vgg_engine *engine, const struct vgg_model *model)
{
    uint64_t side = model->info.scales[0];

    return side * side <= engine->options.view_pixels_max ? (uint32_t)side
                                                          : vgg_net_crop(&model->net);
}

enum vgg_status vgg_engine_canary(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_error *error)
{
    struct vgg_request request = {.scales = {canary_side(engine, model)}, .scales_n = 1};
    struct vgg_image *image = canary_image(request.scales[0]);
    struct vgg_views *views = NULL;
    struct vgg_job *job = NULL;
    enum vgg_status status = VGG_OK;

    if (image == NULL)
        return vgg_fail_memory(error);
    status = vgg_views_create(image, &request, &views, error);
    vgg_image_destroy(image);
    if (status == VGG_OK)
        status = vgg_engine_submit(engine, model, views, NULL, &job, error);
    if (status != VGG_OK) {
        vgg_views_destroy(views);
        return status;
    }
    status = vgg_job_wait(job, error);
    vgg_job_destroy(job);
    return status;
}
