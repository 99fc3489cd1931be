/*
 * vgg serve: its options, the start, the wait for a signal, and the end.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/reload.h"
#include "ops/notify.h"
#include "ops/signals.h"
#include "process/clock.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "serve/drain.h"
#include "serve/serve.h"
#include "serve/startup.h"

enum { CONNECTIONS_LEAST = 64, MAPPED_BYTES = 64 << 10, ARENAS = 2 };

/* Where so many descriptors may be open. */
#define CONNECTIONS_MAX 4096
#define CONNECTIONS_TEXT OPTION_TEXT(CONNECTIONS_MAX)

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
    {ROW_SCALES(FIELD(work.scales), "default scales of a request")},
    {ROW_FLIP(FIELD(work.flip))},
    {ROW_TOP_K(FIELD(work.top_k), "default top_k of a request")},
    {ROW_PRECISION(FIELD(precision))},
    {ROW_FC_WEIGHTS(FIELD(fc_half))},
    {ROW_THREADS(FIELD(threads), "compute threads")},
    {ROW_MAX_BODY(FIELD(body_max), "bytes of a request body, as it comes and inflated")},
    {ROW_MAX_PIXELS(FIELD(work.pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(work.view_pixels_max))},
    {"max-images", "N", OPTION_COUNT, FIELD(images_max), 1, 1024, "16", "images of a request"},
    {"max-cost", "GMAC", OPTION_GMAC, FIELD(work.cost_max), 0, 0, NULL,
     "predicted cost of a request, in 1e9 multiply-accumulates [four square photographs at the "
     "default scales]"},
    {"max-queue", "TIME", OPTION_DURATION, FIELD(queue_ns), 0, 3600 * NS_PER_S, "5s",
     "predicted work ahead of a request; with more it is answered 503"},
    {"deadline", "TIME", OPTION_DURATION, FIELD(deadline_ns), NS_PER_MS, 24 * 3600 * NS_PER_S,
     "30s", "from the first byte of a request to its answer"},
    {"max-connections", "N", OPTION_COUNT, FIELD(connections_max), 1, 1 << 16, NULL,
     "open connections of clients; more are closed at once [" CONNECTIONS_TEXT
     ", or what the open files (ulimit -n) allow]"},
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

/* ---------------------------------------------------------------- the command ---------------- */

/* Where no number is given, the descriptors that the administrator allows decide. */
static uint32_t fit_connections(uint32_t given)
{
    uint64_t descriptors = resources_descriptors();

    if (given != 0 || descriptors >= CONNECTIONS_MAX + STARTUP_DESCRIPTORS)
        return given != 0 ? given : CONNECTIONS_MAX;
    return descriptors > CONNECTIONS_LEAST + STARTUP_DESCRIPTORS
               ? (uint32_t)descriptors - STARTUP_DESCRIPTORS
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
    struct startup startup = STARTUP_NONE;
    const struct vgg_model_info *info;
    char addresses[2][ADDRESS_MAX];
    struct vgg_error error = {0};
    enum vgg_status status;
    bool quiet = true;

    bound_heap();
    status = startup_start(&startup, given, &error);
    if (status == VGG_CANCELLED) {
        log_event("info", "stopped before it was ready");
        log_stop();
        startup_stop(&startup);
        return 0;
    }
    if (status != VGG_OK) {
        log_stop();
        resources_explain(&error);
        terminal_say("%s", error.text);
        startup_stop(&startup);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < 2; i++)
        snprintf(addresses[i], ADDRESS_MAX, "%s", startup.endpoints[i].address);
    info = vgg_model_get_info(startup.server.model.model);
    reload_log_model(info);
    log_event("info", "kernels %s, %s, %u threads, %u connections", info->kernel, info->precision,
              given->threads, given->connections_max);
    signals_attend(true);
    print_ready(addresses[0], addresses[1], given->secrets.tls_cert != NULL);
    notify_systemd("READY=1");
    while (signals_wait(-1) != SIGNALS_END) { /* SIGHUP */
        (void)secrets_reload(&startup.server.secrets);
        reloader_refresh(startup.server.reloader);
    }
    quiet = drain(&startup);
    signals_attend(false);
    startup_stop(&startup);
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
