/*
 * The executor. Submitting threads append jobs to a queue; one leader thread takes batches of views
 * from it (batch.h says in which order) and runs each through the network together with the pool's
 * other threads.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "eval/batch.h"
#include "eval/maps.h"
#include "eval/posterior.h"
#include "image/image.h"
#include "nn/forward.h"

static const uint64_t VIEW_PIXELS_MAX = 1 << 20; /* the default limit: one view at 1024 x 1024 */

struct vgg_engine {
    struct vgg_engine_options options;
    struct vgg_pool *pool;
    pthread_t leader;
    bool leader_started;

    pthread_mutex_t mutex; /* guards the queue, `stop` and every job in the queue */
    pthread_cond_t wake;
    struct vgg_job *queue;
    uint64_t overtaken_macs; /* by vgg_batch_gather */
    unsigned reserving;      /* callers that want the arena: no pass begins */
    bool stop;

    pthread_mutex_t arena_mutex; /* held during a pass */
    void *arena;
    size_t arena_bytes;
};

/* ---------------------------------------------------------------- arena ---------------------- */

/* Mean logits of a batch, then the forward pass's own memory. */
static size_t scores_bytes(const struct vgg_net *net, size_t views)
{
    size_t bytes = views * net->classes * sizeof(double);

    return (bytes + VGG_ALIGN - 1) / VGG_ALIGN * VGG_ALIGN;
}

static size_t batch_bytes(const struct vgg_engine *engine, const struct vgg_net *net,
                          struct vgg_shape shape)
{
    return scores_bytes(net, shape.n) +
           vgg_forward_arena_bytes(net, shape, engine->options.threads);
}

/* Needs arena_mutex. */
static bool grow_arena(struct vgg_engine *engine, size_t bytes)
{
    void *arena;

    if (bytes <= engine->arena_bytes)
        return true;
    arena = vgg_alloc_aligned(bytes, 1);
    if (arena == NULL)
        return false;
    free(engine->arena);
    engine->arena = arena;
    engine->arena_bytes = bytes;
    return true;
}

/*
 * What the most demanding batch within the limit takes. Maps and scratch never shrink when a side
 * grows, so for each number of views and each width the highest view counts.
 */
static size_t largest_batch_bytes(const struct vgg_engine *engine, const struct vgg_net *net)
{
    uint64_t pixels = engine->options.view_pixels_max, crop = vgg_net_crop(net);
    size_t largest = 0;

    for (uint64_t n = 1; n <= VGG_BATCH_VIEWS_MAX; n++)
        for (uint64_t h = crop; n * h * crop <= pixels; h++) {
            uint64_t w = pixels / n / h;
            struct vgg_shape shape = {(uint32_t)n, 3, (uint32_t)(pixels / n / w), (uint32_t)w};
            size_t bytes = batch_bytes(engine, net, shape);

            h = shape.h;
            if (bytes > largest)
                largest = bytes;
        }
    return largest;
}

/* The leader would take the mutex again before anybody else wakes up. */
static void claim_arena(struct vgg_engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    engine->reserving++;
    pthread_mutex_unlock(&engine->mutex);
    pthread_mutex_lock(&engine->arena_mutex);
}

static void release_arena(struct vgg_engine *engine)
{
    pthread_mutex_unlock(&engine->arena_mutex);
    pthread_mutex_lock(&engine->mutex);
    engine->reserving--;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->mutex);
}

enum vgg_status vgg_engine_reserve(struct vgg_engine *engine, const struct vgg_model *model,
                                   struct vgg_error *error)
{
    size_t bytes = largest_batch_bytes(engine, &model->net);
    bool grown;

    claim_arena(engine);
    grown = grow_arena(engine, bytes);
    release_arena(engine);
    return grown ? VGG_OK
                 : vgg_fail(error, VGG_NO_MEMORY,
                            "out of memory: the largest view needs %zu MiB of working memory",
                            bytes >> 20);
}

uint64_t vgg_engine_reserve_bytes(struct vgg_engine *engine, const struct vgg_model *model)
{
    size_t bytes = largest_batch_bytes(engine, &model->net), have;

    claim_arena(engine);
    have = engine->arena_bytes;
    release_arena(engine);
    return bytes > have ? bytes - have : 0;
}

/* ---------------------------------------------------------------- one pass ------------------- */

/* Run a batch, leave each view's posterior in its job, and fail the jobs that get none. */
static void run_batch(struct vgg_engine *engine, const struct vgg_batch *batch)
{
    const struct vgg_net *net = &batch->model->net;
    size_t classes = net->classes;
    struct vgg_view_pixels pixels[VGG_BATCH_VIEWS_MAX];
    struct vgg_scores scores;
    bool fits;

    for (size_t i = 0; i < batch->n; i++) {
        const struct vgg_views *views = batch->items[i].job->views;
        struct vgg_view view = vgg_views_get(views, batch->items[i].view);
        size_t stride = (size_t)3 * view.image->info.width;
        size_t corner = view.y * stride + (size_t)3 * view.x;

        pixels[i] = (struct vgg_view_pixels){.stride = stride, .mirror = view.mirror};
        if (views->input != NULL)
            pixels[i].input = views->input;
        else
            pixels[i].rgb = view.image->pixels + corner;
    }
    pthread_mutex_lock(&engine->arena_mutex);
    fits = grow_arena(engine, batch_bytes(engine, net, batch->shape));
    if (fits)
        scores = vgg_forward(net, engine->pool, &batch->model->normalisation, pixels, batch->shape,
                             (unsigned char *)engine->arena + scores_bytes(net, batch->n),
                             engine->arena, NULL);
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;
        double *row = job->scores + batch->items[i].view * classes;

        if (!fits) {
            job->status = VGG_NO_MEMORY;
            continue;
        }
        memcpy(row, (double *)engine->arena + i * classes, classes * sizeof *row);
        if (!vgg_softmax(row, classes) ||
            (job->maps != NULL &&
             !vgg_maps_keep(job->maps, batch->items[i].view, pixels[i].mirror, &scores, i)))
            job->status = VGG_BAD_MODEL;
    }
    pthread_mutex_unlock(&engine->arena_mutex);
}

static void average_views(struct vgg_job *job)
{
    size_t classes = job->model->net.classes;

    vgg_mean_rows(job->scores, vgg_views_order(job->views), vgg_views_asked(job->views), classes,
                  job->posterior);
    for (size_t view = 0; view < job->views_n; view++)
        vgg_mean_rows(job->scores + view * classes, NULL, 1, classes,
                      job->posterior + (view + 1) * classes);
}

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

/* Count a batch's views off their jobs and finish those that are complete or failed. */
static void settle_batch(struct vgg_engine *engine, const struct vgg_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;

        job->left--;
        if (job->left == 0 && job->status == VGG_OK)
            average_views(job);
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

/* ---------------------------------------------------------------- the leader ----------------- */

/* Why a job should not go on, or VGG_OK. */
static enum vgg_status verdict(const struct vgg_job *job, uint64_t now_ns)
{
    if (job->options.cancelled != NULL && job->options.cancelled(job->options.user))
        return VGG_CANCELLED;
    if (job->options.deadline_ns != 0 && now_ns >= job->options.deadline_ns)
        return VGG_DEADLINE;
    return VGG_OK;
}

/* Needs the mutex. Drop jobs that nobody waits for any more; no pass is under way. */
static void drop_jobs(struct vgg_engine *engine)
{
    uint64_t now_ns = vgg_now_ns();
    struct vgg_job **link = &engine->queue;

    while (*link != NULL) {
        struct vgg_job *job = *link;

        job->status = verdict(job, now_ns);
        if (job->status == VGG_OK) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        finish_job(job);
    }
}

/* Needs the mutex. Jobs whose last views are being computed leave the queue. */
static void gather(struct vgg_engine *engine, struct vgg_batch *batch)
{
    uint64_t now_ns = vgg_now_ns();

    vgg_batch_gather(batch, vgg_batch_lead(engine->queue, engine->overtaken_macs), engine->queue,
                     engine->options.view_pixels_max, &engine->overtaken_macs);
    for (size_t i = 0; i < batch->n; i++) {
        struct vgg_job *job = batch->items[i].job;

        if (job->started_ns == 0)
            job->started_ns = now_ns;
        if (vgg_job_all_begun(job))
            unlink_job(engine, job);
    }
}

/* Before the jobs finish: whoever waits for them finds the counters moved. */
static void report_batch(struct vgg_engine *engine, const struct vgg_batch *batch,
                         uint64_t duration_ns)
{
    uint64_t macs = 0;

    for (size_t i = 0; i < batch->n; i++) {
        const struct vgg_job *job = batch->items[i].job;
        uint64_t view_macs = job->progress[batch->items[i].view].macs;

        macs += view_macs;
        if (job->options.on_view != NULL)
            job->options.on_view(job->options.user, view_macs);
    }
    if (engine->options.on_batch != NULL)
        engine->options.on_batch(engine->options.user, batch->model, batch->n, macs, duration_ns);
}

static void *leader_main(void *argument)
{
    struct vgg_engine *engine = argument;
    struct vgg_batch batch;

    pthread_mutex_lock(&engine->mutex);
    for (;;) {
        uint64_t start_ns;

        drop_jobs(engine);
        if (engine->queue == NULL) {
            engine->overtaken_macs = 0;
            if (engine->stop)
                break;
        }
        if (engine->queue == NULL || engine->reserving != 0) {
            pthread_cond_wait(&engine->wake, &engine->mutex);
            continue;
        }
        gather(engine, &batch);
        pthread_mutex_unlock(&engine->mutex);

        start_ns = vgg_now_ns();
        run_batch(engine, &batch);
        report_batch(engine, &batch, vgg_now_ns() - start_ns);
        settle_batch(engine, &batch);
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
    if (options != NULL)
        engine->options = *options;
    if (engine->options.threads == 0)
        engine->options.threads = vgg_threads_default();
    if (engine->options.view_pixels_max == 0)
        engine->options.view_pixels_max = VIEW_PIXELS_MAX;
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_mutex_init(&engine->arena_mutex, NULL);
    pthread_cond_init(&engine->wake, NULL);
    status = vgg_pool_create(engine->options.threads, &engine->pool, error);
    if (status == VGG_OK) {
        engine->leader_started = pthread_create(&engine->leader, NULL, leader_main, engine) == 0;
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
    vgg_pool_destroy(engine->pool);
    pthread_cond_destroy(&engine->wake);
    pthread_mutex_destroy(&engine->arena_mutex);
    pthread_mutex_destroy(&engine->mutex);
    free(engine->arena);
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

/* What the scheduler goes by. */
static void predict(struct vgg_job *job, const struct vgg_net *net)
{
    uint64_t macs = 0;

    for (size_t view = 0; view < job->views_n; view++) {
        struct vgg_view part = vgg_views_get(job->views, view);

        job->progress[view].macs = vgg_net_macs(net, part.height, part.width);
        macs += job->progress[view].macs;
    }
    job->rank = job->options.macs > macs ? job->options.macs : macs;
}

/* Takes the views only when it succeeds. */
static struct vgg_job *create_job(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_views *views, const struct vgg_job_options *options)
{
    struct vgg_job *job = vgg_calloc(1, sizeof *job);
    size_t classes = model->net.classes;

    if (job == NULL)
        return NULL;
    job->engine = engine;
    job->views_n = vgg_views_count(views);
    assert(job->views_n >= 1);
    job->left = job->views_n;
    if (options != NULL)
        job->options = *options;
    job->submitted_ns = vgg_now_ns();
    job->progress = vgg_calloc(job->views_n, sizeof *job->progress);
    job->scores = vgg_alloc(job->views_n * classes, sizeof *job->scores);
    job->posterior = vgg_alloc((job->views_n + 1) * classes, sizeof *job->posterior);
    if (job->options.maps)
        job->maps = vgg_maps_create(&model->net, views);
    pthread_cond_init(&job->finished, NULL);
    if (job->progress == NULL || job->scores == NULL || job->posterior == NULL ||
        (job->options.maps && job->maps == NULL)) {
        vgg_job_destroy(job);
        return NULL;
    }
    job->model = vgg_model_retain(model);
    job->views = views;
    predict(job, &model->net);
    return job;
}

enum vgg_status vgg_engine_submit(struct vgg_engine *engine, struct vgg_model *model,
                                  struct vgg_views *views, const struct vgg_job_options *options,
                                  struct vgg_job **out, struct vgg_error *error)
{
    enum vgg_status status = check_views(engine, model, views, error);
    struct vgg_job *job, **tail;

    if (status != VGG_OK)
        return status;
    job = create_job(engine, model, views, options);
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

uint64_t vgg_job_wait_ns(const struct vgg_job *job)
{
    return job->started_ns != 0 ? job->started_ns - job->submitted_ns : 0;
}

uint64_t vgg_job_run_ns(const struct vgg_job *job)
{
    return job->started_ns != 0 ? job->finished_ns - job->started_ns : 0;
}

const float *vgg_job_posterior(const struct vgg_job *job)
{
    return job->posterior;
}

size_t vgg_job_view_count(const struct vgg_job *job)
{
    return vgg_views_asked(job->views);
}

const float *vgg_job_view_posterior(const struct vgg_job *job, size_t view)
{
    return job->posterior + (vgg_views_find(job->views, view) + 1) * job->model->net.classes;
}

const struct vgg_score_map *vgg_job_map(const struct vgg_job *job, size_t view)
{
    return job->maps != NULL ? vgg_maps_get(job->maps, vgg_views_find(job->views, view)) : NULL;
}

void vgg_job_destroy(struct vgg_job *job)
{
    if (job == NULL)
        return;
    vgg_views_destroy(job->views);
    vgg_model_release(job->model);
    pthread_cond_destroy(&job->finished);
    free(job->progress);
    free(job->scores);
    free(job->maps);
    free(job->posterior);
    free(job);
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
