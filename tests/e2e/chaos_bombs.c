/* Four bombs of each format at once beside an ordinary client. */
#include <stdio.h>

#include "answers.h"
#include "bombs.h"
#include "chaos.h"
#include "check.h"
#include "work.h"

enum { AT_ONCE = 4, ALONE = 20, BOUND_MS = 5000 };

struct bombing {
    const struct server *server;
    struct blob bomb, ordinary;
    atomic_uint left, wrong;
    struct times bomb_ms, ordinary_ms;
};

/* The status, and the time in `times`. */
static long ask_timed(struct bombing *bombing, const struct blob *image, struct times *times)
{
    double start_ms = chaos_now_ms();
    struct answer answer;
    bool answered = call_try(
        bombing->server,
        &(struct call){.target = "/classify", .body = image->bytes, .size = image->size}, &answer);
    long status = answered ? answer.status : 0;

    times_add(times, chaos_now_ms() - start_ms);
    answer_free(&answer);
    return status;
}

/* Any answer that tells what became of it is right. */
static bool is_answer(long status)
{
    return status == 200 || status == 413 || status == 422 || status == 503 || status == 504;
}

static void *bomb_main(void *argument)
{
    struct bombing *bombing = argument;

    if (!is_answer(ask_timed(bombing, &bombing->bomb, &bombing->bomb_ms)))
        bombing->wrong++;
    bombing->left--;
    return NULL;
}

static void ask_ordinary(struct bombing *bombing)
{
    if (ask_timed(bombing, &bombing->ordinary, &bombing->ordinary_ms) != 200)
        bombing->wrong++;
}

static void drop_bombs(const struct server *server, const struct bomb *bomb, uint32_t side,
                       double alone_ms)
{
    struct bombing bombing = {.server = server, .ordinary = picture(320, 240)};
    struct threads threads = {.n = 0};

    assert_true(bomb->make(side, &bombing.bomb.bytes, &bombing.bomb.size));
    times_init(&bombing.bomb_ms);
    times_init(&bombing.ordinary_ms);
    bombing.left = AT_ONCE;
    threads_start(&threads, AT_ONCE, bomb_main, &bombing);
    do
        ask_ordinary(&bombing);
    while (bombing.left > 0);
    threads_join(&threads);
    printf("measured: four at once of %s, %s: the last answered after %.0f ms; beside them median "
           "of an ordinary client %.2f times that alone\n",
           bomb->format, bomb->name, times_percentile(&bombing.bomb_ms, 100),
           times_percentile(&bombing.ordinary_ms, 50) / alone_ms);
    assert_int_equal(bombing.wrong, 0);
    if (times_percentile(&bombing.bomb_ms, 100) > BOUND_MS)
        fail_msg("%s, %s: over %d ms", bomb->format, bomb->name, BOUND_MS);
    times_fini(&bombing.bomb_ms);
    times_fini(&bombing.ordinary_ms);
    blob_free(&bombing.bomb);
    blob_free(&bombing.ordinary);
}

static double measure_alone(const struct server *server)
{
    struct bombing bombing = {.server = server, .ordinary = picture(320, 240)};
    double median_ms;

    times_init(&bombing.ordinary_ms);
    for (unsigned i = 0; i < ALONE; i++)
        ask_ordinary(&bombing);
    assert_int_equal(bombing.wrong, 0);
    median_ms = times_percentile(&bombing.ordinary_ms, 50);
    times_fini(&bombing.ordinary_ms);
    blob_free(&bombing.ordinary);
    return median_ms;
}

void chaos_bombs(uint32_t side, bool all)
{
    struct server server;
    double alone_ms;

    server_start(&server, (const char *[]){"--model", model_slow(), "--scales", "64,96", NULL});
    alone_ms = measure_alone(&server);
    for (size_t i = 0; i < bombs_n; i++)
        if (all || &bombs[i] == bomb_find(bombs[i].format))
            drop_bombs(&server, &bombs[i], side, alone_ms);
    check_at_rest(&server, 1e9);
    check_alive(&server);
    server_stop(&server);
}
