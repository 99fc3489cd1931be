/* The end of a server's life. */
#include "serve/drain.h"

#include <unistd.h>

#include "ops/notify.h"
#include "ops/signals.h"
#include "process/clock.h"

enum {
    DRAIN_STEP_MS = 20,
    QUIET_STEPS = 3 /* without a request before the network threads are stopped */
};

static const uint64_t ABORT_NS = NS_PER_S; /* for the last answers after the drain timeout */

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

bool drain(struct startup *startup)
{
    struct server *server = &startup->server;
    const struct serve_options *given = server->options;
    bool quiet;

    log_event("info", "draining");
    notify_systemd("STOPPING=1");
    server->phase = SERVER_DRAINING;
    wait_ns(given->drain_delay_ns);
    listener_destroy(startup->listener);
    startup->listener = NULL;
    server->phase = SERVER_CLOSING;
    quiet = wait_quiet(server, now_ns() + given->drain_timeout_ns);
    if (!quiet) {
        log_event("warning", "drain timeout: dropping what is not answered yet");
        server->work.aborting = true;
        (void)wait_quiet(server, now_ns() + ABORT_NS); /* workers answer 503 and notice */
    }
    return quiet;
}
