/* Every kind of bad neighbour at once beside an ordinary client. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "chaos.h"
#include "check.h"
#include "process.h"
#include "work.h"

enum { SLOW = 10, DEAF = 10, ORDINARY_ALONE = 40, BOMB_SCANS = 60, BOMB_SIDE = 4400 };

struct mix {
    const struct server *server;
    struct blob ordinary, small, panorama, bomb;
    atomic_bool stop;
    atomic_uint sent;
    atomic_uint wrong; /* of the ordinary clients */
    atomic_uint panoramas, bombs, left, cut;
    struct times ordinary_ms, small_ms;
};

/* ---------------------------------------------------------------- good clients --------------- */

static long ask_mix(struct mix *mix, const char *target, const struct blob *image)
{
    struct answer answer;
    bool answered = call_try(
        mix->server, &(struct call){.target = target, .body = image->bytes, .size = image->size},
        &answer);
    long status = answered ? answer.status : 0;

    answer_free(&answer);
    mix->sent++;
    return status;
}

static void ask_timed(struct mix *mix, const char *target, const struct blob *image,
                      struct times *times)
{
    double start_ms = chaos_now_ms();

    if (ask_mix(mix, target, image) == 200)
        times_add(times, chaos_now_ms() - start_ms);
    else
        mix->wrong++;
}

static void *ordinary_main(void *argument)
{
    struct mix *mix = argument;

    while (!mix->stop)
        ask_timed(mix, "/classify", &mix->ordinary, &mix->ordinary_ms);
    return NULL;
}

static void *small_main(void *argument)
{
    struct mix *mix = argument;

    while (!mix->stop)
        ask_timed(mix, "/classify?scales=32&flip=off", &mix->small, &mix->small_ms);
    return NULL;
}

/* ---------------------------------------------------------------- large ones ----------------- */

/* These may be turned away. */
static bool is_fair(long status)
{
    return status == 200 || status == 503 || status == 504;
}

static void *panorama_main(void *argument)
{
    struct mix *mix = argument;

    while (!mix->stop) {
        if (!is_fair(ask_mix(mix, "/classify", &mix->panorama)))
            mix->wrong++;
        mix->panoramas++;
    }
    return NULL;
}

static void *bomb_main(void *argument)
{
    struct mix *mix = argument;

    while (!mix->stop) {
        if (!is_fair(ask_mix(mix, "/classify?scales=32", &mix->bomb)))
            mix->wrong++;
        mix->bombs++;
    }
    return NULL;
}

/* ---------------------------------------------------------------- bad clients ---------------- */

static bool has_ended(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLRDHUP};

    return poll(&polled, 1, 0) == 1;
}

/* Ten bodies, a byte at a time. */
static void *slow_main(void *argument)
{
    struct mix *mix = argument;
    struct raw raws[SLOW];
    size_t at[SLOW] = {0};

    for (size_t i = 0; i < SLOW; i++) {
        raw_open(&raws[i], mix->server);
        (void)raw_post(&raws[i], "", &mix->ordinary, 0);
    }
    for (size_t i = 0; !mix->stop; i = (i + 1) % SLOW) {
        if (at[i] + 1 < mix->ordinary.size)
            (void)raw_send(&raws[i], mix->ordinary.bytes + at[i]++, 1);
        if (has_ended(raws[i].fd)) {
            mix->cut++;
            raw_close(&raws[i]);
            raw_open(&raws[i], mix->server);
            (void)raw_post(&raws[i], "", &mix->ordinary, 0);
            at[i] = 0;
        }
        nap();
    }
    for (size_t i = 0; i < SLOW; i++)
        raw_close(&raws[i]);
    return NULL;
}

/* Ten that ask for more than their windows hold, and never read. */
static void *deaf_main(void *argument)
{
    static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    struct mix *mix = argument;
    struct raw raws[DEAF];

    for (size_t i = 0; i < DEAF; i++)
        raw_open(&raws[i], mix->server);
    for (size_t i = 0; !mix->stop; i = (i + 1) % DEAF) {
        if (send(raws[i].fd, get, sizeof get - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            mix->sent++;
        if (has_ended(raws[i].fd)) {
            mix->cut++;
            raw_close(&raws[i]);
            raw_open(&raws[i], mix->server);
        }
        nap();
    }
    for (size_t i = 0; i < DEAF; i++)
        raw_close(&raws[i]);
    return NULL;
}

/* Those that leave, at once or a little later, in either way. */
static void *leaver_main(void *argument)
{
    struct mix *mix = argument;

    for (unsigned i = 0; !mix->stop; i++) {
        struct raw raw;

        raw_open(&raw, mix->server);
        (void)raw_post(&raw, "", &mix->ordinary, mix->ordinary.size / (1 + i % 2));
        if (i % 3 != 0)
            nap();
        if (i % 5 == 0)
            raw_reset(&raw);
        else
            raw_close(&raw);
        mix->left++;
        mix->sent++;
        nap();
    }
    return NULL;
}

/* ---------------------------------------------------------------- the mix -------------------- */

/* Until so many more requests were sent; then everybody has gone, and `fds` are open at most. */
static void run(struct mix *mix, unsigned requests, double fds)
{
    struct threads threads = {.n = 0};
    unsigned until = mix->sent + requests;

    mix->stop = false;
    threads_start(&threads, 1, ordinary_main, mix);
    threads_start(&threads, 2, small_main, mix);
    threads_start(&threads, 2, panorama_main, mix);
    threads_start(&threads, 2, bomb_main, mix);
    threads_start(&threads, 1, slow_main, mix);
    threads_start(&threads, 1, deaf_main, mix);
    threads_start(&threads, 2, leaver_main, mix);
    while (mix->sent < until)
        nap();
    mix->stop = true;
    threads_join(&threads);
    check_at_rest(mix->server, fds);
}

static void init(struct mix *mix, const struct server *server)
{
    *mix = (struct mix){.server = server,
                        .ordinary = picture(320, 240),
                        .small = picture(64, 64),
                        .panorama = picture(2000, 500)};
    assert_true(
        jpeg_make_bomb(BOMB_SIDE, BOMB_SIDE, BOMB_SCANS, false, &mix->bomb.bytes, &mix->bomb.size));
    times_init(&mix->ordinary_ms);
    times_init(&mix->small_ms);
}

static void fini(struct mix *mix)
{
    blob_free(&mix->ordinary);
    blob_free(&mix->small);
    blob_free(&mix->panorama);
    blob_free(&mix->bomb);
    times_fini(&mix->ordinary_ms);
    times_fini(&mix->small_ms);
}

static double measure_alone(struct mix *mix)
{
    struct times alone;
    double median;

    times_init(&alone);
    for (size_t i = 0; i < ORDINARY_ALONE; i++)
        ask_timed(mix, "/classify", &mix->ordinary, &alone);
    times_print(&alone, "ordinary client, alone");
    median = times_percentile(&alone, 50);
    times_fini(&alone);
    return median;
}

void chaos_mix(unsigned requests)
{
    struct server server;
    double alone, fds, first, last; /* resident bytes */
    struct mix mix;

    server_start(&server, (const char *[]){"--model", model_slow(), "--max-queue", "60s",
                                           "--deadline", "60s", NULL});
    /* Before any other connection, which might be about to close. */
    fds = server_metric(&server, "process_open_fds");
    init(&mix, &server);
    alone = measure_alone(&mix);
    run(&mix, requests / 4, fds);
    first = server_metric(&server, "process_resident_memory_bytes");
    run(&mix, requests - requests / 4, fds);
    last = server_metric(&server, "process_resident_memory_bytes");
    times_print(&mix.ordinary_ms, "ordinary client, in the mix");
    times_print(&mix.small_ms, "small requests, in the mix");
    printf(
        "measured: mix: median of the ordinary client %.2f times that alone; %u requests, of "
        "them %u panoramas, %u bombs, %u left; %u slow or deaf cut; resident %.0f MiB, then %.0f\n",
        times_percentile(&mix.ordinary_ms, 50) / alone, mix.sent, mix.panoramas, mix.bombs,
        mix.left, mix.cut, first / (1 << 20), last / (1 << 20));
    assert_int_equal(mix.wrong, 0);
    assert_true(mix.panoramas > 0 && mix.bombs > 0 && mix.left > 0);
    assert_true(mix.ordinary_ms.n > 0 && mix.small_ms.n > 0);
    /* A quarter of a few may not have needed the working memory between layers yet. */
    assert_true(last < 1.1 * first + ((requests > 1000 ? 16 : 96) << 20));
    check_alive(&server);
    server_stop(&server);
    fini(&mix);
}
