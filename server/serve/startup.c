/* Starting the parts of a server, and stopping them. */
#include "serve/startup.h"

#include <string.h>

#include "answer/evaluation.h"
#include "api/cors.h"
#include "api/openapi.h"
#include "models/reload.h"
#include "ops/signals.h"
#include "ops/statistics.h"
#include "process/clock.h"
#include "process/resources.h"
#include "serve/routes.h"
#include "work/parsers.h"
#include "work/task.h"
#include "work/workers.h"

enum {
    VIEWS_HELD = 16,        /* largest views that the requests of a lane may hold */
    OTHER_THREADS = 16,     /* beside the engine's and those that decode */
    OTHER_BYTES = 32 << 20, /* beside the model and the engine: some ordinary requests */
    BODIES_HELD = 16        /* largest bodies that all requests together may hold */
};

/* ---------------------------------------------------------------- sockets -------------------- */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0;
}

static enum vgg_status open_endpoint(const char *option, const char *address,
                                     struct endpoint *endpoint, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    enum vgg_status status = endpoint_open(address, endpoint, &reason);

    if (status == VGG_IO) /* not by what was written */
        return vgg_fail(error, status, "%s: choose another address with %s ADDR:PORT (port 0: any)",
                        reason.text, option);
    return status == VGG_OK ? status : vgg_fail(error, status, "%s: %s", option, reason.text);
}

static enum vgg_status open_endpoints(struct startup *startup, const struct serve_options *given,
                                      struct vgg_error *error)
{
    enum vgg_status status =
        open_endpoint("--listen", given->listen, &startup->endpoints[0], error);

    if (status == VGG_OK)
        status =
            open_endpoint("--admin-listen", given->admin_listen, &startup->endpoints[1], error);
    if (status == VGG_OK && given->secrets.tokens[1] == NULL &&
        !is_loopback(startup->endpoints[1].address))
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "--admin-listen %s can be reached from outside: it needs "
                        "--admin-token-file",
                        given->admin_listen);
    return status == VGG_OK ? secrets_init(&startup->server.secrets, &given->secrets, error)
                            : status;
}

/* ---------------------------------------------------------------- the model ------------------ */

/* A model may take seconds to load. */
static bool goes_on(void *unused)
{
    (void)unused;
    return !signals_ended();
}

/* Before the model is loaded: is there enough of everything? */
static enum vgg_status check_resources(const struct model_file *file,
                                       const struct vgg_load_options *load,
                                       const struct serve_options *given, struct vgg_error *error)
{
    const struct vgg_engine_options engine = {.threads = given->threads,
                                              .view_pixels_max = given->work.view_pixels_max};
    struct resources_need need = {.bytes = OTHER_BYTES,
                                  .descriptors = given->connections_max + STARTUP_DESCRIPTORS};
    struct vgg_footprint footprint;
    unsigned workers[2];
    enum vgg_status status = model_file_predict(file, load, &engine, &footprint, error);

    if (status != VGG_OK)
        return status;
    workers_plan(given->threads, workers);
    need.threads = workers[0] + workers[1] + OTHER_THREADS;
    resources_add_model(&need, &footprint, &engine);
    return resources_check(&need, "", error);
}

static enum vgg_status open_model(struct startup *startup, const struct serve_options *given,
                                  struct vgg_error *error)
{
    struct evaluation_params params = {.top_k = 1};
    struct problem problem = {0};
    struct vgg_model *model;
    const struct vgg_load_options load = {.threads = given->threads,
                                          .precision = given->precision,
                                          .fc_half = given->fc_half,
                                          .on_chunk = goes_on};
    uint64_t start_ns = now_ns();
    const char *remark;
    enum vgg_status status = model_file_open(given->model, &startup->model, error);

    if (status == VGG_OK)
        status = check_resources(&startup->model, &load, given, error);
    if (status == VGG_OK)
        status = model_file_load(&startup->model, &load, &model, error);
    if (status != VGG_OK)
        return status;
    model_slot_init(&startup->server.model, model, (double)(now_ns() - start_ns) / NS_PER_S);
    startup->slot_ready = true;
    remark = model_remark(&load, model);
    if (remark != NULL)
        log_event("warning", "%s", remark);
    if (!evaluation_params_complete(&params, model, given->work.scales.scales, given->work.scales.n,
                                    &problem))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "--scales: %s", problem.detail);
    return VGG_OK;
}

/* ---------------------------------------------------------------- the engine ----------------- */

/* Called by the engine after each pass. */
static void on_batch(void *user, const struct vgg_model *model, size_t views, uint64_t macs,
                     uint64_t duration_ns)
{
    struct work *work = user;

    metrics_batch(work->metrics, views);
    queue_measured(work->queue, model_key(model), macs, duration_ns);
}

static enum vgg_status start_engine(struct startup *startup, const struct serve_options *given,
                                    struct vgg_error *error)
{
    struct server *server = &startup->server;
    struct work *work = &server->work;
    const struct vgg_engine_options engine = {
        .threads = given->threads,
        .view_pixels_max = given->work.view_pixels_max,
        .on_batch = on_batch,
        .user = work,
    };
    struct queue_options queue = {.ahead_ns_max = given->queue_ns,
                                  .bytes_max = VIEWS_HELD * 3 * given->work.view_pixels_max,
                                  .dead = task_dead};
    enum vgg_status status;

    workers_plan(given->threads, queue.workers);
    work->metrics = metrics_create();
    server->statistics = statistics_create(given->images_max, model_key(server->model.model));
    work->queue = queue_create(&queue);
    if (work->metrics == NULL || server->statistics == NULL || work->queue == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    status = vgg_engine_create(&engine, &work->engine, error);
    if (status == VGG_OK)
        status = vgg_engine_reserve(work->engine, server->model.model, error);
    if (status == VGG_OK) /* also the first measurement of the engine's speed */
        status = vgg_engine_canary(work->engine, server->model.model, error);
    if (status == VGG_OK)
        status = parsers_create(&server->parsers, error);
    return status == VGG_OK ? workers_create(work, queue.workers, &startup->workers, error)
                            : status;
}

/* ---------------------------------------------------------------- reloads -------------------- */

static bool is_busy(void *user)
{
    const struct server *server = user;

    return queue_get_state(server->work.queue).cost_s > 0;
}

static bool is_serving(void *user)
{
    const struct server *server = user;

    return server->phase == SERVER_SERVING;
}

static void on_replacing(void *user, const struct vgg_model *model)
{
    struct server *server = user;

    statistics_restart(server->statistics, model_key(model));
}

static enum vgg_status start_reloader(struct startup *startup, const struct serve_options *given,
                                      struct vgg_error *error)
{
    struct server *server = &startup->server;
    const struct reloader_options options = {
        .engine = server->work.engine,
        .slot = &server->model,
        .scales = given->work.scales,
        .precision = given->precision,
        .fc_half = given->fc_half,
        .busy = is_busy,
        .serving = is_serving,
        .replacing = on_replacing,
        .user = server,
    };

    return reloader_create(&options, &startup->model, &server->reloader, error);
}

/* ---------------------------------------------------------------- HTTP ----------------------- */

static void on_accepted(void *http, bool admin, int fd, const void *address, unsigned size)
{
    http_add_connection(http, admin, fd, address, size);
}

static enum vgg_status start_http(struct startup *startup, const struct serve_options *given,
                                  struct vgg_error *error)
{
    struct server *server = &startup->server;
    const struct http_options http = {
        .handler = {server, routes_admit, routes_handle, routes_done, routes_refuse,
                    routes_no_memory, routes_closing},
        .body_max = given->body_max,
        .body_total_max = BODIES_HELD * given->body_max,
        .images_max = given->images_max,
        .limits = {.header_max = given->header_max,
                   .connections_max = given->connections_max,
                   .connections_per_address = given->connections_per_address,
                   .times = {given->deadline_ns, given->header_ns, given->idle_ns}},
        .tls = server->secrets.tls,
    };
    struct listener_handler accepting = {.accepted = on_accepted};
    enum vgg_status status;

    server->openapi = openapi_create(startup->endpoints[1].address, given->images_max);
    if (server->openapi == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    status = http_create(&http, &server->http, error);
    if (status != VGG_OK)
        return status;
    accepting.context = server->http;
    return listener_create(&accepting, &startup->endpoints[0], &startup->endpoints[1],
                           &startup->listener, error);
}

/* ---------------------------------------------------------------- all of it ------------------ */

enum vgg_status startup_start(struct startup *startup, const struct serve_options *given,
                              struct vgg_error *error)
{
    enum vgg_status status = signals_init(error);

    startup->server.options = given;
    startup->server.work.options = &given->work;
    budget_init(&startup->server.work.decodes, given->work.pixels_max);
    if (status == VGG_OK && given->cors_origins != NULL)
        status = cors_check(given->cors_origins, error);
    if (status == VGG_OK)
        status = open_endpoints(startup, given, error);
    if (status == VGG_OK)
        status = open_model(startup, given, error);
    if (status == VGG_OK)
        status = start_engine(startup, given, error);
    if (status == VGG_OK)
        status = log_start(error);
    if (status == VGG_OK)
        status = start_reloader(startup, given, error);
    if (status == VGG_OK)
        status = start_http(startup, given, error);
    return status;
}

void startup_stop(struct startup *startup)
{
    struct server *server = &startup->server;
    struct work *work = &server->work;

    listener_destroy(startup->listener);
    parsers_stop(server->parsers);
    reloader_stop(server->reloader);
    if (work->queue != NULL)
        queue_close(work->queue);
    workers_destroy(startup->workers); /* every deferred request is answered after this */
    http_destroy(server->http);
    parsers_destroy(server->parsers);
    reloader_destroy(server->reloader);
    vgg_engine_destroy(work->engine);
    queue_destroy(work->queue);
    metrics_destroy(work->metrics);
    statistics_destroy(server->statistics);
    openapi_destroy(server->openapi);
    if (startup->slot_ready)
        model_slot_fini(&server->model);
    model_file_close(&startup->model);
    budget_fini(&work->decodes);
    secrets_fini(&server->secrets);
    for (size_t i = 0; i < 2; i++)
        endpoint_close(&startup->endpoints[i]);
}
