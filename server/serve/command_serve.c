/*
 * vgg serve: start-up, the wait for a signal, and the orderly end.
 *
 * Start: bind, load, measure the engine, then accept. End: SIGTERM makes /readyz 503; after
 * --drain-delay no new connections are taken and everything accepted is answered.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/evaluation.h"
#include "api/cors.h"
#include "api/openapi.h"
#include "api/server.h"
#include "models/reload.h"
#include "net/listener.h"
#include "ops/notify.h"
#include "ops/signals.h"
#include "ops/statistics.h"
#include "process/clock.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "serve/serve.h"
#include "work/parsers.h"
#include "work/task.h"
#include "work/workers.h"

enum {
    VIEWS_HELD = 16, /* largest views that the requests of a lane may hold */
    CONNECTIONS_LEAST = 64,
    OTHER_DESCRIPTORS = 64, /* beside the connections */
    OTHER_THREADS = 16,     /* beside the engine's and those that decode */
    OTHER_BYTES = 32 << 20, /* beside the model and the engine: some ordinary requests */
    BODIES_HELD = 16,       /* largest bodies that all requests together may hold */
    DRAIN_STEP_MS = 20,
    QUIET_STEPS = 3, /* without a request before the network threads are stopped */
    MAPPED_BYTES = 64 << 10,
    ARENAS = 2
};

static const uint64_t ABORT_NS = NS_PER_S; /* for the last answers after the drain timeout */

/* Where so many descriptors may be open. */
#define CONNECTIONS_MAX 4096

#define FIELD(name) offsetof(struct serve_options, name)

static const struct option options[] = {
    {ROW_MODEL(FIELD(model))},
    {ROW_LISTEN(FIELD(listen), "address for clients; port 0 picks one")},
    {"admin-listen", "ADDR:PORT", OPTION_STRING, FIELD(admin_listen), 0, 0, "127.0.0.1:8081",
     "address for operators"},
    {"tls-cert", "FILE", OPTION_STRING, FIELD(secrets.tls_cert), 0, 0, NULL,
     "certificate chain (PEM) of the main listener [plain HTTP]"},
    {"tls-key", "FILE", OPTION_STRING, FIELD(secrets.tls_key), 0, 0, NULL, "its key (PEM)"},
    {"api-token-file", "FILE", OPTION_STRING, FIELD(secrets.tokens[0]), 0, 0, NULL,
     "bearer token that clients must send [none]"},
    {"admin-token-file", "FILE", OPTION_STRING, FIELD(secrets.tokens[1]), 0, 0, NULL,
     "bearer token that operators must send [none]"},
    {ROW_SCALES(FIELD(scales), "default scales of a request")},
    {ROW_FLIP(FIELD(flip))},
    {ROW_TOP_K(FIELD(top_k), "default top_k of a request")},
    {ROW_FC_WEIGHTS(FIELD(fc_half))},
    {ROW_THREADS(FIELD(threads), "compute threads")},
    {ROW_MAX_BODY(FIELD(body_max), "bytes of a request body, as it comes and inflated")},
    {ROW_MAX_PIXELS(FIELD(pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(view_pixels_max))},
    {"max-images", "N", OPTION_COUNT, FIELD(images_max), 1, 1024, "16", "images of a request"},
    {"max-cost", "GMAC", OPTION_GMAC, FIELD(cost_max), 0, 0, NULL,
     "predicted cost of a request, in 1e9 multiply-accumulates [four square photographs at the "
     "default scales]"},
    {"max-queue", "TIME", OPTION_DURATION, FIELD(queue_ns), 0, 3600 * NS_PER_S, "5s",
     "predicted work ahead of a request; with more it is answered 503"},
    {"deadline", "TIME", OPTION_DURATION, FIELD(deadline_ns), NS_PER_MS, 24 * 3600 * NS_PER_S,
     "30s", "from the first byte of a request to its answer"},
    {"max-connections", "N", OPTION_COUNT, FIELD(connections_max), 1, 1 << 16, NULL,
     "open connections of clients; more are closed at once [" OPTION_TEXT(
         CONNECTIONS_MAX) ", or "
                          "what the open files (ulimit -n) allow]"},
    {"max-connections-per-address", "N", OPTION_COUNT, FIELD(connections_per_address), 0, 1 << 16,
     "0", "of one client address, an IPv6 /64 being one; 0: any number"},
    {"max-header", "SIZE", OPTION_SIZE, FIELD(header_max), 1 << 10, 1 << 20, "16KiB",
     "bytes of request line and headers; more are answered 414 or 431"},
    {"header-timeout", "TIME", OPTION_DURATION, FIELD(header_ns), NS_PER_MS, 3600 * NS_PER_S, "10s",
     "for the first byte of a connection (and the TLS handshake), and then for request line and "
     "headers"},
    {"idle-timeout", "TIME", OPTION_DURATION, FIELD(idle_ns), NS_PER_MS, 24 * 3600 * NS_PER_S,
     "75s",
     "between requests of a connection, and for a client to read an answer; a load balancer "
     "must keep its connections for less (60s is common, but Google's keeps them for 600s), or "
     "there are sporadic 502"},
    {"drain-delay", "TIME", OPTION_DURATION, FIELD(drain_delay_ns), 0, 3600 * NS_PER_S, "0s",
     "from SIGTERM to the closing of the listener"},
    {"drain-timeout", "TIME", OPTION_DURATION, FIELD(drain_timeout_ns), 0, 3600 * NS_PER_S, "30s",
     "for what was accepted, after that"},
    {"cors-origin", "LIST", OPTION_STRING, FIELD(cors_origins), 0, 0, NULL,
     "origins whose scripts may use the main listener, by commas; * is any [none]"},
    {"log", "json|text", OPTION_LOG, FIELD(log), 0, 0, "text", "format of the log on stderr"},
};

const struct command_usage serve_usage = {
    .command = "vgg serve",
    .operands = "[OPTIONS]",
    .summary = "Serve POST /classify. One line on standard output says when the server is ready.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .footer = "Sizes take K, M and G (powers of 1024), times ms, s and m.\n",
};

/* What command_serve owns beside the shared state. */
struct startup {
    struct server server;
    struct endpoint endpoints[2]; /* main, admin */
    struct workers *workers;
    struct listener *listener;
    struct model_file model; /* until the reloader has it */
    bool slot_ready;
};

/* ---------------------------------------------------------------- start ---------------------- */

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

/* Called by the engine after each pass. */
static void on_batch(void *user, const struct vgg_model *model, size_t views, uint64_t macs,
                     uint64_t duration_ns)
{
    struct server *server = user;

    metrics_batch(server->metrics, views);
    queue_measured(server->queue, task_model_key(model), macs, duration_ns);
}

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
                                              .view_pixels_max = given->view_pixels_max};
    struct resources_need need = {.bytes = OTHER_BYTES,
                                  .descriptors = given->connections_max + OTHER_DESCRIPTORS};
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
    const struct vgg_load_options load = {
        .threads = given->threads, .fc_half = given->fc_half, .on_chunk = goes_on};
    uint64_t start_ns = now_ns();
    enum vgg_status status = model_file_open(given->model, &startup->model, error);

    if (status == VGG_OK)
        status = check_resources(&startup->model, &load, given, error);
    if (status == VGG_OK)
        status = model_file_load(&startup->model, &load, &model, error);
    if (status != VGG_OK)
        return status;
    model_slot_init(&startup->server.model, model, (double)(now_ns() - start_ns) / NS_PER_S);
    startup->slot_ready = true;

    if (!evaluation_params_complete(&params, model, given->scales.scales, given->scales.n,
                                    &problem))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "--scales: %s", problem.detail);
    return VGG_OK;
}

static enum vgg_status start_engine(struct startup *startup, const struct serve_options *given,
                                    struct vgg_error *error)
{
    struct server *server = &startup->server;
    const struct vgg_engine_options engine = {
        .threads = given->threads,
        .view_pixels_max = given->view_pixels_max,
        .on_batch = on_batch,
        .user = server,
    };
    struct queue_options queue = {.ahead_ns_max = given->queue_ns,
                                  .bytes_max = VIEWS_HELD * 3 * given->view_pixels_max,
                                  .dead = task_dead};
    enum vgg_status status;

    workers_plan(given->threads, queue.workers);
    server->metrics = metrics_create();
    server->statistics = statistics_create(given->images_max, task_model_key(server->model.model));
    server->queue = queue_create(&queue);
    if (server->metrics == NULL || server->statistics == NULL || server->queue == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    status = vgg_engine_create(&engine, &server->engine, error);
    if (status == VGG_OK)
        status = vgg_engine_reserve(server->engine, server->model.model, error);
    if (status == VGG_OK) /* also the first measurement of the engine's speed */
        status = vgg_engine_canary(server->engine, server->model.model, error);
    if (status == VGG_OK)
        status = parsers_create(server, &server->parsers, error);
    return status == VGG_OK ? workers_create(server, queue.workers, &startup->workers, error)
                            : status;
}

static enum vgg_status start_http(struct startup *startup, const struct serve_options *given,
                                  struct vgg_error *error)
{
    struct server *server = &startup->server;
    const struct http_options http = {
        .handler = {server, routes_admit, routes_handle, routes_done, routes_refuse,
                    routes_closing},
        .body_max = given->body_max,
        .body_total_max = BODIES_HELD * given->body_max,
        .images_max = given->images_max,
        .header_max = given->header_max,
        .connections_max = given->connections_max,
        .connections_per_address = given->connections_per_address,
        .deadline_ns = given->deadline_ns,
        .header_ns = given->header_ns,
        .idle_ns = given->idle_ns,
        .tls = server->secrets.tls,
    };
    enum vgg_status status;

    server->openapi = openapi_create(startup->endpoints[1].address, given->images_max);
    if (server->openapi == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    status = http_create(&http, &server->http, error);
    if (status != VGG_OK)
        return status;
    return listener_create(server->http, &startup->endpoints[0], &startup->endpoints[1],
                           &startup->listener, error);
}

/* ---------------------------------------------------------------- end ------------------------ */

/* A second signal ends at once. */
static void pause_ms(int timeout_ms)
{
    if (signals_wait(timeout_ms) != SIGNALS_END)
        return;
    log_event("warning", "second signal: ending at once");
    log_stop();
    _exit(1);
}

static void wait_ns(uint64_t duration_ns)
{
    for (uint64_t end_ns = now_ns() + duration_ns; now_ns() < end_ns;)
        pause_ms(DRAIN_STEP_MS);
}

/* Wait until no request has been seen for a few steps. False: end_ns came first. */
static bool wait_quiet(struct server *server, uint64_t end_ns)
{
    for (int quiet = 0; quiet < QUIET_STEPS; pause_ms(DRAIN_STEP_MS)) {
        if (http_in_flight(server->http) + http_unheard(server->http) != 0)
            quiet = 0;
        else
            quiet++;
        if (now_ns() >= end_ns)
            return http_in_flight(server->http) == 0;
    }
    return true;
}

/* Answer what was accepted. */
static bool drain(struct startup *startup, const struct serve_options *given)
{
    struct server *server = &startup->server;
    bool quiet;

    log_event("info", "draining");
    notify_systemd("STOPPING=1");
    server->phase = PHASE_DRAINING;
    wait_ns(given->drain_delay_ns);
    listener_destroy(startup->listener);
    startup->listener = NULL;
    server->phase = PHASE_CLOSING;
    quiet = wait_quiet(server, now_ns() + given->drain_timeout_ns);
    if (!quiet) {
        log_event("warning", "drain timeout: dropping what is not answered yet");
        server->phase = PHASE_ABORTING;
        (void)wait_quiet(server, now_ns() + ABORT_NS); /* workers answer 503 and notice */
    }
    return quiet;
}

/* Stop in the order in which work flows; any part may be missing. */
static void stop(struct startup *startup)
{
    struct server *server = &startup->server;

    listener_destroy(startup->listener);
    parsers_stop(server->parsers);
    reloader_stop(server->reloader);
    if (server->queue != NULL)
        queue_close(server->queue);
    workers_destroy(startup->workers); /* every deferred request is answered after this */
    http_destroy(server->http);
    parsers_destroy(server->parsers);
    reloader_destroy(server->reloader);
    vgg_engine_destroy(server->engine);
    queue_destroy(server->queue);
    metrics_destroy(server->metrics);
    statistics_destroy(server->statistics);
    openapi_destroy(server->openapi);
    if (startup->slot_ready)
        model_slot_fini(&server->model);
    model_file_close(&startup->model);
    budget_fini(&server->decode_budget);
    secrets_fini(&server->secrets);
    for (size_t i = 0; i < 2; i++)
        endpoint_close(&startup->endpoints[i]);
}

/* ---------------------------------------------------------------- the command ---------------- */

/* Where no number is given, the descriptors that the administrator allows decide. */
static uint32_t fit_connections(uint32_t given)
{
    uint64_t descriptors = resources_descriptors();

    if (given != 0 || descriptors >= CONNECTIONS_MAX + OTHER_DESCRIPTORS)
        return given != 0 ? given : CONNECTIONS_MAX;
    return descriptors > CONNECTIONS_LEAST + OTHER_DESCRIPTORS
               ? (uint32_t)descriptors - OTHER_DESCRIPTORS
               : CONNECTIONS_LEAST;
}

/*
 * Pictures and weights go back to the system when they are freed, and do not stay in an arena of
 * whichever thread had them, where what is left between them decides whether the next ones fit.
 */
static void bound_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    resources_arenas(ARENAS);
}

static enum vgg_status start(struct startup *startup, const struct serve_options *given,
                             struct vgg_error *error)
{
    enum vgg_status status = signals_init(error);

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
        status =
            reloader_create(&startup->server, &startup->model, &startup->server.reloader, error);
    if (status == VGG_OK)
        status = start_http(startup, given, error);
    return status;
}

/* The line that scripts wait for, and one for people, unbuffered and at once. */
static void print_ready(const char *main_address, const char *admin_address, bool tls)
{
    char lines[4 * ADDRESS_MAX], address[ADDRESS_MAX];
    ssize_t written;
    int length;

    endpoint_local(main_address, true, address);
    length = snprintf(lines, sizeof lines, "vgg: ready on %s, admin on %s\nvgg: open http%s://%s\n",
                      main_address, admin_address, tls ? "s" : "", address);
    written = write(STDOUT_FILENO, lines, (size_t)length);
    if (written != length)
        log_event("warning", "cannot write to standard output: %s", strerror(errno));
}

static void warn_of_variable(const char *variable, const char *proposal)
{
    log_event("warning", "%s is no variable of vgg%s", variable, proposal);
}

static int serve(const struct serve_options *given)
{
    struct startup startup = {
        .server = {.options = given}, .endpoints = {{.fd = -1}, {.fd = -1}}, .model = {.fd = -1}};
    char addresses[2][ADDRESS_MAX];
    struct vgg_error error = {0};
    enum vgg_status status;
    bool quiet = true;

    bound_heap();
    budget_init(&startup.server.decode_budget, given->pixels_max);
    status = start(&startup, given, &error);
    if (status == VGG_CANCELLED) {
        log_event("info", "stopped before it was ready");
        log_stop();
        stop(&startup);
        return 0;
    }
    if (status != VGG_OK) {
        log_stop();
        resources_explain(&error);
        terminal_say("%s", error.text);
        stop(&startup);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < 2; i++)
        snprintf(addresses[i], ADDRESS_MAX, "%s", startup.endpoints[i].address);
    reload_log_model(vgg_model_get_info(startup.server.model.model));
    log_event("info", "kernels %s, %u threads, %u connections",
              vgg_model_get_info(startup.server.model.model)->kernel, given->threads,
              given->connections_max);
    signals_attend(true);
    print_ready(addresses[0], addresses[1], given->secrets.tls_cert != NULL);
    notify_systemd("READY=1");
    while (signals_wait(-1) != SIGNALS_END) { /* SIGHUP */
        (void)secrets_reload(&startup.server.secrets);
        reloader_refresh(startup.server.reloader);
    }
    quiet = drain(&startup, given);
    signals_attend(false);
    stop(&startup);
    log_event("info", "stopped");
    log_stop();
    return quiet ? 0 : 1;
}

int command_serve(int argc, char **argv, void (*check)(environment_warn_fn *warn))
{
    struct serve_options given = {0};
    struct operands operands;
    enum options_result result;

    result = options_parse(&serve_usage, argc, argv, &given, &operands);
    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n != 0) {
        terminal_say("serve takes no operand \"%s\" (see vgg serve --help)", operands.items[0]);
        return EXIT_USAGE;
    }
    if (given.threads == 0)
        given.threads = vgg_threads_default();
    given.connections_max = fit_connections(given.connections_max);
    log_init(given.log);
    check(warn_of_variable);
    return serve(&given);
}
