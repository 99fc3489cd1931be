/* The thread that reloads. */
#include "models/reload.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/evaluation.h"
#include "ops/log.h"
#include "process/clock.h"
#include "process/memory_room.h"

/* Of one core, while requests are in the engine; the machine is all ours when there are none. */
enum { SHARE = 8 };

struct job {
    enum reload_kind kind;
    char *path; /* NULL: the path in use */
    bool if_changed;
    struct reload_client client; /* zeros: nobody waits */
};

struct reloader {
    struct reloader_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, up to the counts */
    pthread_cond_t wake;
    bool busy; /* with `job` */
    bool refresh;
    struct job job;
    uint64_t counts[2];
    atomic_bool stop;
    /* The thread's own. */
    struct model_file file, previous; /* what serves, what served before */
    bool has_previous;
    char previous_version[MODEL_VERSION_BYTES];
    uint64_t worked_ns, paused_ns; /* CPU time of the thread, and the time, at the last pause */
};

/* A model on its way to the slot. */
struct candidate {
    const struct reload_client *client;
    struct model_file file;
    struct vgg_model *model;
    double load_s;
};

/* ---------------------------------------------------------------- pace ----------------------- */

static uint64_t thread_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static bool given_up(const struct reloader *reloader)
{
    return reloader->stop || !reloader->options.serving(reloader->options.user);
}

/*
 * Called between pieces of work of some milliseconds. A nice value would not do: it is no bound on
 * an idle core beside a busy one, nothing to rely on in a crowd, and cannot be taken back.
 */
static bool pace(void *user)
{
    struct reloader *reloader = user;
    bool busy = reloader->options.busy(reloader->options.user);
    uint64_t due_ns = (thread_ns() - reloader->worked_ns) * SHARE;
    uint64_t spent_ns = now_ns() - reloader->paused_ns;

    if (busy && due_ns > spent_ns && !given_up(reloader)) {
        uint64_t ns = due_ns - spent_ns < NS_PER_S ? due_ns - spent_ns : NS_PER_S;
        const struct timespec pause = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

        (void)nanosleep(&pause, NULL);
    }
    reloader->worked_ns = thread_ns();
    reloader->paused_ns = now_ns();
    return !given_up(reloader);
}

/* ---------------------------------------------------------------- a candidate ---------------- */

static void candidate_fini(struct candidate *candidate)
{
    model_file_close(&candidate->file);
    vgg_model_release(candidate->model);
}

/* Say what there was no room beside. */
static enum vgg_status explain_memory(const struct model_slot *slot, const struct memory_room *room,
                                      struct vgg_error *error)
{
    const struct vgg_error reason = *error;
    const struct vgg_model_info *serving = vgg_model_get_info(slot->model);

    *error = (struct vgg_error){0};
    return vgg_fail(error, VGG_NO_MEMORY,
                    "%.230s beside the %" PRIu64 " MiB of the model that serves (%s, %" PRIu64
                    " MiB)",
                    reason.text, serving->memory_bytes >> 20, room->limit, room->limit_bytes >> 20);
}

static enum vgg_status load(struct reloader *reloader, struct candidate *candidate,
                            struct vgg_error *error)
{
    const struct memory_room room = memory_room_get("");
    const struct vgg_load_options options = {
        .threads = 1,
        .precision = reloader->options.precision,
        .fc_half = reloader->options.fc_half,
        .memory_max = room.free_bytes != 0 ? room.free_bytes : 1,
        .on_chunk = pace,
        .user = reloader,
    };
    uint64_t start_ns = now_ns();
    enum vgg_status status;

    reloader->worked_ns = thread_ns();
    reloader->paused_ns = start_ns;
    status = model_file_load(&candidate->file, &options, &candidate->model, error);
    candidate->load_s = (double)(now_ns() - start_ns) / NS_PER_S;
    return status != VGG_NO_MEMORY ? status : explain_memory(reloader->options.slot, &room, error);
}

/* Working memory for the largest view. */
static enum vgg_status reserve(const struct reloader_options *options,
                               const struct candidate *candidate, struct vgg_error *error)
{
    const struct memory_room room = memory_room_get("");
    uint64_t bytes = vgg_engine_reserve_bytes(options->engine, candidate->model);
    enum vgg_status status;

    if (bytes > room.free_bytes)
        status = vgg_fail(error, VGG_NO_MEMORY,
                          "its largest view takes %" PRIu64 " MiB more of working memory, and "
                          "%" PRIu64 " MiB are free",
                          (bytes + (1 << 20) - 1) >> 20, room.free_bytes >> 20);
    else
        status = vgg_engine_reserve(options->engine, candidate->model, error);
    return status != VGG_NO_MEMORY ? status : explain_memory(options->slot, &room, error);
}

static enum vgg_status check_scales(const struct option_scales *scales,
                                    const struct vgg_model *model, struct vgg_error *error)
{
    struct evaluation_params params = {.top_k = 1};
    struct problem problem;

    if (evaluation_params_complete(&params, model, scales->scales, scales->n, &problem))
        return VGG_OK;
    return vgg_fail(error, VGG_BAD_ARGUMENT, "--scales: %s", problem.detail);
}

/* Everything up to the point where nothing can go wrong any more. */
static enum vgg_status prepare(struct reloader *reloader, struct candidate *candidate,
                               const char *version, struct vgg_error *error)
{
    const struct reloader_options *options = &reloader->options;
    const struct reload_client *client = candidate->client;
    enum vgg_status status = load(reloader, candidate, error);

    if (status == VGG_OK && version != NULL &&
        strcmp(version, vgg_model_get_info(candidate->model)->version) != 0)
        return vgg_fail(error, VGG_BAD_MODEL, "%s is not what it was: it was %s and is %s now",
                        model_file_name(&candidate->file), version,
                        vgg_model_get_info(candidate->model)->version);
    if (status == VGG_OK)
        status = check_scales(&options->scales, candidate->model, error);
    if (status == VGG_OK)
        status = reserve(options, candidate, error);
    if (status == VGG_OK)
        status = vgg_engine_canary(options->engine, candidate->model, error);
    if (status == VGG_OK && given_up(reloader))
        return vgg_fail(error, VGG_CANCELLED, "the server is shutting down");
    if (status == VGG_OK && client->prepare != NULL &&
        !client->prepare(client->user, candidate->model))
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    return status;
}

/* ---------------------------------------------------------------- replacing ------------------ */

/* A version loaded once more does not take the place of an older one to go back to. */
static void remember(struct reloader *reloader, struct candidate *candidate, const char *version)
{
    bool same = strcmp(version, vgg_model_get_info(candidate->model)->version) == 0;

    if (same && reloader->has_previous)
        model_file_close(&reloader->file);
    else {
        if (reloader->has_previous)
            model_file_close(&reloader->previous);
        reloader->previous = reloader->file;
        reloader->has_previous = true;
        snprintf(reloader->previous_version, sizeof reloader->previous_version, "%s", version);
    }
    reloader->file = candidate->file;
    candidate->file = (struct model_file){.fd = -1};
}

static void replace(struct reloader *reloader, struct candidate *candidate)
{
    struct model_slot *slot = reloader->options.slot;
    const struct vgg_model_info *info = vgg_model_get_info(candidate->model);

    remember(reloader, candidate, vgg_model_get_info(slot->model)->version);
    log_event("info", "model %s loaded in %.2f s", model_file_name(&reloader->file),
              candidate->load_s);
    reload_log_model(info);
    reloader->options.replacing(reloader->options.user, candidate->model);
    model_slot_replace(slot, candidate->model, candidate->load_s);
    candidate->model = NULL;
}

/* ---------------------------------------------------------------- jobs ----------------------- */

static enum vgg_status reload_file(struct reloader *reloader, const char *path,
                                   struct candidate *candidate, struct vgg_error *error)
{
    enum vgg_status status =
        model_file_open(path != NULL ? path : reloader->file.path, &candidate->file, error);

    return status == VGG_OK ? prepare(reloader, candidate, NULL, error) : status;
}

/* What is rolled back from can be rolled back to. */
static enum vgg_status roll_back(struct reloader *reloader, struct candidate *candidate,
                                 struct vgg_error *error)
{
    enum vgg_status status;

    candidate->file = reloader->previous;
    status = prepare(reloader, candidate, reloader->previous_version, error);
    if (status == VGG_OK)
        reloader->has_previous = false;
    else
        candidate->file = (struct model_file){.fd = -1};
    return status;
}

static void count(struct reloader *reloader, bool good)
{
    pthread_mutex_lock(&reloader->mutex);
    reloader->counts[good]++;
    pthread_mutex_unlock(&reloader->mutex);
}

/* Another one may begin; this one has still to be answered. */
static void end_job(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->mutex);
    reloader->busy = false;
    pthread_mutex_unlock(&reloader->mutex);
}

static void run(struct reloader *reloader, const struct job *job)
{
    struct candidate candidate = {.client = &job->client, .file = {.fd = -1}};
    struct vgg_error error = {0};
    enum reload_end end = RELOAD_NO_PREVIOUS;
    enum vgg_status status;

    if (job->kind == RELOAD_FILE || reloader->has_previous) {
        status = job->kind == RELOAD_FILE ? reload_file(reloader, job->path, &candidate, &error)
                                          : roll_back(reloader, &candidate, &error);
        end = status == VGG_OK ? RELOAD_REPLACED : RELOAD_FAILED;
        if (status == VGG_OK)
            replace(reloader, &candidate);
        else
            log_event("error", "%s failed, the old model serves on: %s",
                      job->kind == RELOAD_ROLLBACK ? "rollback" : "reload", error.text);
        count(reloader, status == VGG_OK);
    }
    end_job(reloader);
    if (job->client.done != NULL)
        job->client.done(job->client.user, end, &error);
    candidate_fini(&candidate);
}

/* ---------------------------------------------------------------- the thread ----------------- */

/* The next job, or false: stop. */
static bool take_job(struct reloader *reloader, struct job *job)
{
    pthread_mutex_lock(&reloader->mutex);
    while (!reloader->stop && !reloader->busy && !reloader->refresh)
        pthread_cond_wait(&reloader->wake, &reloader->mutex);
    if (!reloader->busy) {
        reloader->job = (struct job){.kind = RELOAD_FILE, .if_changed = true};
        reloader->busy = !reloader->stop;
        reloader->refresh = false;
    }
    *job = reloader->job;
    pthread_mutex_unlock(&reloader->mutex);
    return job->client.done != NULL || !reloader->stop;
}

static void *reloader_main(void *argument)
{
    struct reloader *reloader = argument;
    struct job job;

    while (take_job(reloader, &job)) {
        if (job.if_changed && model_file_unchanged(&reloader->file)) {
            log_event("info", "model %s is unchanged", model_file_name(&reloader->file));
            end_job(reloader);
        } else
            run(reloader, &job);
        free(job.path);
    }
    return NULL;
}

enum vgg_status reloader_create(const struct reloader_options *options, struct model_file *file,
                                struct reloader **out, struct vgg_error *error)
{
    struct reloader *reloader = calloc(1, sizeof *reloader);

    if (reloader != NULL) {
        pthread_mutex_init(&reloader->mutex, NULL);
        pthread_cond_init(&reloader->wake, NULL);
        reloader->options = *options;
        reloader->file = *file;
        if (pthread_create(&reloader->thread, NULL, reloader_main, reloader) == 0) {
            *file = (struct model_file){.fd = -1};
            *out = reloader;
            return VGG_OK;
        }
        pthread_cond_destroy(&reloader->wake);
        pthread_mutex_destroy(&reloader->mutex);
        free(reloader);
    }
    return vgg_fail(error, VGG_NO_MEMORY, "cannot start the thread that reloads models");
}

void reloader_stop(struct reloader *reloader)
{
    if (reloader == NULL)
        return;
    pthread_mutex_lock(&reloader->mutex);
    reloader->stop = true;
    pthread_cond_signal(&reloader->wake);
    pthread_mutex_unlock(&reloader->mutex);
    pthread_join(reloader->thread, NULL);
}

void reloader_destroy(struct reloader *reloader)
{
    if (reloader == NULL)
        return;
    model_file_close(&reloader->file);
    if (reloader->has_previous)
        model_file_close(&reloader->previous);
    pthread_cond_destroy(&reloader->wake);
    pthread_mutex_destroy(&reloader->mutex);
    free(reloader);
}

bool reloader_begin(struct reloader *reloader, enum reload_kind kind, char *path,
                    const struct reload_client *client)
{
    bool begun;

    pthread_mutex_lock(&reloader->mutex);
    begun = !reloader->busy && !reloader->stop;
    if (begun) {
        reloader->job = (struct job){.kind = kind, .path = path, .client = *client};
        reloader->busy = true;
        pthread_cond_signal(&reloader->wake);
    }
    pthread_mutex_unlock(&reloader->mutex);
    return begun;
}

void reloader_refresh(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->mutex);
    reloader->refresh = true;
    pthread_cond_signal(&reloader->wake);
    pthread_mutex_unlock(&reloader->mutex);
}

void reloader_get_counts(struct reloader *reloader, uint64_t counts[2])
{
    pthread_mutex_lock(&reloader->mutex);
    memcpy(counts, reloader->counts, sizeof reloader->counts);
    pthread_mutex_unlock(&reloader->mutex);
}

void reload_log_model(const struct vgg_model_info *info)
{
    log_event("info", "model %s: configuration %s, %" PRIu64 " parameters, %s", info->name,
              info->arch, info->parameters, info->version);
    if (!info->trained)
        log_event("warning", "model %s is untrained: its answers mean nothing", info->name);
}
