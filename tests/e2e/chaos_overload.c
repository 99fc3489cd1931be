/* Ten times the capacity: who is admitted is answered in time, the others are told when to come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answers.h"
#include "chaos.h"
#include "check.h"
#include "process.h"
#include "work.h"

enum { CLIENTS = 256, MEASURING = 8, TIMES = 10, NAP_MS = 50 };

#define TARGET "/classify?scales=256,384"

struct overload {
    const struct server *server;
    struct blob image;
    atomic_bool stop;
    double interval_ms; /* between requests of one client, at least */
    atomic_uint clients, served, shed, wrong;
    struct times served_ms, shed_ms, probes_ms, metrics_ms;
    double bytes_max[2]; /* resident, in the halves of the time */
    double middle_ms;
};

static void sleep_until(double ms)
{
    double left = ms - chaos_now_ms();

    if (left > 0)
        nanosleep(&(struct timespec){(time_t)(left / 1e3), (long)(left * 1e6) % 1000000000}, NULL);
}

/* Until then, or the end of the test. */
static void wait_until(const struct overload *overload, double ms)
{
    for (double now_ms; !overload->stop && (now_ms = chaos_now_ms()) < ms;)
        sleep_until(now_ms + NAP_MS < ms ? now_ms + NAP_MS : ms);
}

/* A refusal says that the queue is full and when to come back. */
static bool is_refusal(const struct answer *answer)
{
    const char *after = answer->status == 503 ? strcasestr(answer->headers, "Retry-After:") : NULL;

    return after != NULL && strtoul(after + strlen("Retry-After:"), NULL, 10) >= 1 &&
           strstr(answer->body, "queue-full") != NULL;
}

static void send_one(struct overload *overload)
{
    const struct call call = {
        .target = TARGET, .body = overload->image.bytes, .size = overload->image.size};
    double start_ms = chaos_now_ms();
    struct answer answer;
    bool answered = call_try(overload->server, &call, &answer);

    if (answered && answer.status == 200) {
        overload->served++;
        times_add(&overload->served_ms, chaos_now_ms() - start_ms);
    } else if (answered && is_refusal(&answer)) {
        overload->shed++;
        times_add(&overload->shed_ms, chaos_now_ms() - start_ms);
    } else if (overload->wrong++ == 0)
        fprintf(stderr, "wrong: %d %ld %s\n", answered, answer.status,
                answer.body != NULL ? answer.body : "");
    answer_free(&answer);
}

/* The clients' requests are spread evenly. */
static void *client_main(void *argument)
{
    struct overload *overload = argument;
    double next_ms = chaos_now_ms() + overload->interval_ms * overload->clients++ / CLIENTS;

    wait_until(overload, next_ms);
    while (!overload->stop) {
        send_one(overload);
        next_ms += overload->interval_ms;
        if (next_ms < chaos_now_ms())
            next_ms = chaos_now_ms(); /* what could not be sent in time is not sent at once */
        wait_until(overload, next_ms);
    }
    return NULL;
}

/* Probes and metrics must be answered throughout. */
static void *probe_main(void *argument)
{
    struct overload *overload = argument;

    for (size_t i = 0; !overload->stop; i++) {
        bool metrics = i % 2;
        double start_ms = chaos_now_ms();
        struct answer answer;

        if (!call_try(overload->server, &(struct call){.target = metrics ? "/metrics" : "/readyz"},
                      &answer) ||
            answer.status != 200)
            overload->wrong++;
        else {
            times_add(metrics ? &overload->metrics_ms : &overload->probes_ms,
                      chaos_now_ms() - start_ms);
            if (metrics) {
                double bytes = metrics_value(answer.body, "process_resident_memory_bytes");
                double *max = &overload->bytes_max[start_ms > overload->middle_ms];

                *max = bytes > *max ? bytes : *max;
            }
        }
        answer_free(&answer);
        sleep_until(start_ms + 50);
    }
    return NULL;
}

static void run(struct overload *overload, size_t clients, double ms)
{
    struct threads threads = {.n = 0};

    overload->stop = false;
    threads_start(&threads, clients, client_main, overload);
    threads_start(&threads, 1, probe_main, overload);
    sleep_until(chaos_now_ms() + ms);
    overload->stop = true;
    threads_join(&threads);
}

static void init(struct overload *overload, const struct server *server)
{
    *overload = (struct overload){.server = server, .image = picture(320, 240)};
    times_init(&overload->served_ms);
    times_init(&overload->shed_ms);
    times_init(&overload->probes_ms);
    times_init(&overload->metrics_ms);
}

static void fini(struct overload *overload)
{
    times_fini(&overload->served_ms);
    times_fini(&overload->shed_ms);
    times_fini(&overload->probes_ms);
    times_fini(&overload->metrics_ms);
    blob_free(&overload->image);
}

/* Requests a second that a few clients get answered. */
static double measure_capacity(const struct server *server, unsigned seconds)
{
    struct overload overload;
    double start_ms = chaos_now_ms(), rate;

    init(&overload, server);
    overload.interval_ms = NAP_MS;
    run(&overload, MEASURING, seconds * 1e3);
    rate = overload.served / (chaos_now_ms() - start_ms) * 1e3;
    assert_int_equal(overload.wrong, 0);
    assert_true(overload.served > 0);
    fini(&overload);
    return rate;
}

static void print(struct overload *overload, double capacity, double recovery_ms, unsigned seconds)
{
    printf("measured: overload: capacity %.1f/s, offered %.1f/s for %u s\n", capacity,
           (overload->served + overload->shed) / (double)seconds, seconds);
    times_print(&overload->served_ms, "answered 200");
    times_print(&overload->shed_ms, "refused 503");
    times_print(&overload->probes_ms, "/readyz");
    times_print(&overload->metrics_ms, "/metrics");
    printf("measured: resident MiB: at most %.0f in the first half, %.0f in the second; "
           "queue empty %.0f ms after the end\n",
           overload->bytes_max[0] / (1 << 20), overload->bytes_max[1] / (1 << 20), recovery_ms);
}

void chaos_overload(unsigned seconds)
{
    struct overload overload;
    struct server server;
    double capacity, end_ms, before[2];

    server_start(&server, (const char *[]){"--model", model_slow(), "--max-queue", "1s",
                                           "--deadline", "20s", NULL});
    capacity = measure_capacity(&server, seconds > 10 ? 10 : 2);
    check_at_rest(&server, 1e9); /* a client may have its answer before it is counted */
    before[0] = server_metric(&server, CLASSIFIED);
    before[1] = server_metric(&server, REFUSED);
    init(&overload, &server);
    overload.interval_ms = CLIENTS * 1e3 / (TIMES * capacity);
    overload.middle_ms = chaos_now_ms() + seconds * 500.0;
    run(&overload, CLIENTS, seconds * 1e3);
    end_ms = chaos_now_ms();
    check_at_rest(&server, 1e9);
    print(&overload, capacity, chaos_now_ms() - end_ms, seconds);
    /* Nothing else, no 504 among it: all that were admitted were in time. */
    assert_int_equal(overload.wrong, 0);
    assert_true(overload.served > 0);
    assert_true(overload.shed > 0); /* how many more than answers: printed, the machine decides */
    /* The counters add up to what was sent. */
    assert_int_equal(server_metric(&server, CLASSIFIED) - before[0], overload.served);
    assert_int_equal(server_metric(&server, REFUSED) - before[1], overload.shed);
    if (seconds > 10) /* of a few seconds, on a slow machine, the first half may see nothing */
        assert_true(overload.bytes_max[1] < 1.1 * overload.bytes_max[0] + (16 << 20));
    check_alive(&server);
    server_stop(&server);
    fini(&overload);
}
