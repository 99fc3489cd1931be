/* Whose turn it is: small requests beside large ones, shared passes, a client's own deadline. */
#include "check.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "work.h"

#define LONG "/classify?scales=" BUSY_SCALES
#define SMALL "/classify?scales=32&flip=off"

enum { CROWD = 16 };

/* `pixels`: of the largest view, and so of what a pass may hold. */
static void start_with(struct server *server, const char *pixels)
{
    server_start(server, (const char *[]){"--model", model_slow(), "--max-queue", "1000s",
                                          "--max-cost", "1000000", "--deadline", "1000s",
                                          "--max-view-pixels", pixels, NULL});
}

static void start(struct server *server)
{
    start_with(server, BUSY_VIEW_PIXELS);
}

/* ---------------------------------------------------------------- order ---------------------- */

/* In the middle of a large request a small one is answered while the last of its pictures is still
 * to do. */
static void test_small_does_not_wait_for_large(void **state)
{
    struct blob image = picture(64, 64);
    const struct call small = {.target = SMALL, .body = image.bytes, .size = image.size};
    struct server server;
    struct answer answer;
    struct raw busy;

    (void)state;
    start_with(&server, "2M"); /* memory for the pictures of both */
    busy_begin(&busy, &server);
    server_wait_metric_reaches(&server, VIEWS_DONE, 1 + 14 + 1); /* the others wait by now */
    ask(&server, &small, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_true(server_metric(&server, VIEWS_DONE) < 1 + BUSY_VIEWS - 14);
    raw_close(&busy);
    server_stop(&server);
    blob_free(&image);
}

/* Clients that send small requests until they are told to stop. */
struct senders {
    const struct server *server;
    struct blob image;
    atomic_bool stop;
    atomic_uint answered, failed;
    pthread_t threads[4];
};

static void *send_main(void *argument)
{
    struct senders *senders = argument;

    while (!senders->stop) {
        const struct call call = {
            .target = SMALL, .body = senders->image.bytes, .size = senders->image.size};
        struct answer answer;

        if (call_try(senders->server, &call, &answer) && answer.status == 200)
            senders->answered++;
        else
            senders->failed++;
        answer_free(&answer);
    }
    return NULL;
}

static void test_large_does_not_starve(void **state)
{
    struct server server;
    struct senders senders = {.server = &server, .image = picture(64, 64)};
    struct background large;

    (void)state;
    start(&server);
    for (size_t i = 0; i < COUNT_OF(senders.threads); i++)
        assert_int_equal(pthread_create(&senders.threads[i], NULL, send_main, &senders), 0);
    background_start(&large, &server, LONG);
    background_end(&large); /* while the others go on */
    senders.stop = true;
    for (size_t i = 0; i < COUNT_OF(senders.threads); i++)
        pthread_join(senders.threads[i], NULL);
    assert_int_equal(large.answer.status, 200);
    assert_true(senders.answered > 0);
    assert_int_equal(senders.failed, 0);
    answer_free(&large.answer);
    blob_free(&senders.image);
    server_stop(&server);
}

/* Behind something long, equal shapes of many requests gather, and then share passes. */
static void test_a_crowd_shares_passes(void **state)
{
    struct background large, crowd[CROWD];
    struct server server;
    char *text;

    (void)state;
    start(&server);
    background_start(&large, &server, LONG);
    server_wait_metric_reaches(&server, VIEWS_DONE, 2);
    for (size_t i = 0; i < CROWD; i++)
        background_start(&crowd[i], &server, "/classify?scales=64,96");
    for (size_t i = 0; i < CROWD; i++) {
        background_end(&crowd[i]);
        assert_int_equal(crowd[i].answer.status, 200);
        answer_free(&crowd[i].answer);
    }
    background_end(&large);
    assert_int_equal(large.answer.status, 200);
    answer_free(&large.answer);
    text = metrics_read(&server);
    assert_true(metrics_value(text, "vgg_batch_views_bucket{le=\"2\"}") <
                metrics_value(text, "vgg_batch_views_count"));
    assert_true(metrics_value(text, VIEWS_DONE) == 1 + 14 + 4 * CROWD);
    free(text);
    server_stop(&server);
}

/* ---------------------------------------------------------------- the client's deadline ------ */

static void ask_within(const struct server *server, const char *target, const char *ms, long status)
{
    struct blob image = picture(64, 64);
    char header[64];
    const struct call call = {.target = target,
                              .body = image.bytes,
                              .size = image.size,
                              .headers = (const char *[]){header, NULL}};
    struct answer answer;

    snprintf(header, sizeof header, "X-Request-Timeout-Ms: %s", ms);
    ask(server, &call, &answer);
    if (answer.status != status)
        fail_msg("status %ld for a timeout of \"%s\"", answer.status, ms);
    if (status != 200)
        check_problem(&answer, status, status == 400 ? "bad-parameter" : "deadline");
    else
        answer_free(&answer);
    blob_free(&image);
}

static void test_timeout_of_a_client(void **state)
{
    static const char *const bad[] = {"0", "-1", "1.5", "soon", "10ms", "0x10", "1 2", "+5"};
    struct background busy[2];
    struct server server;

    (void)state;
    start(&server);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ask_within(&server, SMALL, bad[i], 400);
    ask_within(&server, SMALL, "100000", 200);
    ask_within(&server, SMALL, "99999999999999999999999999", 200);
    for (size_t i = 0; i < 2; i++)
        background_start(&busy[i], &server, LONG);
    server_wait_metric_reaches(&server, VIEWS_DONE, 5);
    ask_within(&server, LONG, "100", 504); /* behind both */
    for (size_t i = 0; i < 2; i++) {
        background_end(&busy[i]);
        assert_int_equal(busy[i].answer.status, 200);
        answer_free(&busy[i].answer);
    }
    assert_true(server_metric(&server, VIEWS_DONE) == 1 + 2 + 2 * 14); /* it had no pass */
    server_stop(&server);
}

/* It can be shorter than the server's, not longer. */
static void test_timeout_within_the_deadline(void **state)
{
    struct server server;
    int late = 0;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--deadline", "100ms",
                                           "--max-cost", "1000000", "--threads", "1", NULL});
    for (; late < 3; late++)
        ask_within(&server, LONG, "1000000", 504);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_does_not_wait_for_large),
        cmocka_unit_test(test_large_does_not_starve),
        cmocka_unit_test(test_a_crowd_shares_passes),
        cmocka_unit_test(test_timeout_of_a_client),
        cmocka_unit_test(test_timeout_within_the_deadline),
    };

    return cmocka_run_group_tests_name("turns", tests, work_setup, work_teardown);
}
