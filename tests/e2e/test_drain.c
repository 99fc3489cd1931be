/*
 * The end: SIGTERM answers what was accepted. A body that is held back keeps a server in its drain
 * for as long as a test wants, whatever the speed of the machine.
 */
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "work.h"

enum { REQUESTS = 6, KEPT = 8 };

/* A request that the server has begun and cannot finish before us. */
struct held {
    struct raw raw;
    struct blob image;
};

static void hold(struct held *held, const struct server *server)
{
    held->image = picture(80, 60);
    raw_open(&held->raw, server);
    assert_true(raw_post(&held->raw, "?scales=64", &held->image, held->image.size / 2));
    server_wait_metric_reaches(server, "vgg_requests_in_flight", 2);
}

/* Send the rest: it is answered, and the connection ends. */
static void let_go(struct held *held)
{
    size_t half = held->image.size / 2;
    struct answer answer;

    assert_true(raw_send(&held->raw, held->image.bytes + half, held->image.size - half));
    assert_true(raw_answer(&held->raw, &answer));
    check_answer(&answer, 80, 60);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    answer_free(&answer);
    assert_true(raw_ends(&held->raw));
    raw_close(&held->raw);
    blob_free(&held->image);
}

/* Wait until the server takes no new connections. */
static void wait_closed(const struct server *server)
{
    for (int i = 0; i < NAPS_MAX; i++) {
        if (!can_connect(server))
            return;
        nap();
    }
    fail_msg("the listener never closes");
}

static void start(struct server *server, const char *option, const char *value)
{
    server_start(server, (const char *[]){"--model", model_slow(), "--scales", "64", "--max-cost",
                                          "100000", "--max-queue", "1000s", "--deadline", "1000s",
                                          "--drain-timeout", "1000s", option, value, NULL});
}

/* ---------------------------------------------------------------- requests in flight --------- */

static void test_requests_in_flight_are_answered(void **state)
{
    struct background requests[REQUESTS];
    struct held held;
    struct server server;

    (void)state;
    start(&server, "--log", "text");
    hold(&held, &server);
    for (size_t i = 0; i < REQUESTS; i++)
        background_start(&requests[i], &server, "/classify?scales=256,384");
    server_wait_begun(&server, 3, 0);
    server_signal(&server, SIGTERM);
    wait_closed(&server);
    let_go(&held);
    assert_int_equal(server_wait(&server), 0);
    for (size_t i = 0; i < REQUESTS; i++) {
        background_end(&requests[i]);
        /* One that connected after the listener had closed was never accepted. */
        if (requests[i].answered)
            check_answer(&requests[i].answer, 64, 64);
        else
            assert_int_equal(requests[i].answer.size, 0);
        answer_free(&requests[i].answer);
    }
}

/* Accepted and waiting to be read by the server counts as accepted. */
static void test_accepted_connections_are_answered(void **state)
{
    struct blob image = picture(80, 60);
    struct raw raws[REQUESTS];
    struct server server;
    struct answer answer;

    (void)state;
    start(&server, "--log", "text");
    for (size_t i = 0; i < REQUESTS; i++) {
        raw_open(&raws[i], &server);
        assert_true(raw_post(&raws[i], "?scales=64", &image, image.size));
    }
    server_signal(&server, SIGTERM);
    for (size_t i = 0; i < REQUESTS; i++) {
        assert_true(raw_answer(&raws[i], &answer));
        check_answer(&answer, 80, 60);
        answer_free(&answer);
        raw_close(&raws[i]);
    }
    assert_int_equal(server_wait(&server), 0);
    blob_free(&image);
}

/* ---------------------------------------------------------------- kept-alive connections ----- */

static void ask_kept(struct raw *raw, const struct blob *image, struct answer *answer)
{
    assert_true(raw_post(raw, "?scales=64", image, image->size));
    assert_true(raw_answer(raw, answer));
}

static void test_kept_alive_connection_is_told_to_go(void **state)
{
    struct blob image = picture(80, 60);
    struct raw kept[KEPT];
    struct held held;
    struct server server;
    struct answer answer;
    int draining = 0;

    (void)state;
    start(&server, "--log", "text");
    for (size_t i = 0; i < KEPT; i++) {
        raw_open(&kept[i], &server);
        ask_kept(&kept[i], &image, &answer);
        check_answer(&answer, 80, 60);
        answer_free(&answer);
    }
    hold(&held, &server);
    server_signal(&server, SIGTERM);
    wait_closed(&server);
    /* Just after the listener has closed a request may still be served, with a goodbye. */
    for (size_t i = 0; i < KEPT; i++) {
        ask_kept(&kept[i], &image, &answer);
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        draining += answer.status == 503;
        if (answer.status == 503)
            check_problem(&answer, 503, "draining");
        answer_free(&answer);
        assert_true(raw_ends(&kept[i]));
        raw_close(&kept[i]);
        nap();
    }
    assert_true(draining >= 1);
    let_go(&held);
    assert_int_equal(server_wait(&server), 0);
    blob_free(&image);
}

/* An idle connection does not keep the server. */
static void test_idle_connections_do_not_hold_it(void **state)
{
    struct blob image = picture(80, 60);
    struct raw idle, kept;
    struct server server;
    struct answer answer;

    (void)state;
    start(&server, "--log", "text");
    raw_open(&idle, &server);
    raw_open(&kept, &server);
    ask_kept(&kept, &image, &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    server_stop(&server);
    assert_true(raw_ends(&idle));
    assert_true(raw_ends(&kept));
    raw_close(&idle);
    raw_close(&kept);
    blob_free(&image);
}

/* ---------------------------------------------------------------- delay and timeout ---------- */

/* During --drain-delay it is not ready but serves on; a second signal ends it at once. */
static void test_drain_delay_and_second_signal(void **state)
{
    struct blob image = picture(80, 60);
    struct server server;
    struct answer answer;
    bool ready = true;

    (void)state;
    start(&server, "--drain-delay", "1000s");
    server_signal(&server, SIGTERM);
    for (int i = 0; i < NAPS_MAX && ready; i++) {
        ask(&server, &(struct call){.target = "/readyz"}, &answer);
        ready = answer.status == 200;
        if (!ready) {
            assert_int_equal(answer.status, 503);
            assert_true(strlen(string_member(answer.json, "status")) > 0);
        }
        answer_free(&answer);
        nap();
    }
    assert_false(ready);
    ask(&server, &(struct call){.target = "/healthz"}, &answer);
    assert_int_equal(answer.status, 503);
    answer_free(&answer);
    ask(&server, &(struct call){.target = "/livez"}, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    classify(&server, "", &image, &answer);
    check_answer(&answer, 80, 60);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    answer_free(&answer);
    server_signal_later(&server, SIGTERM);
    assert_int_equal(server_wait(&server), 1);
    blob_free(&image);
}

/* To the process group and from the parent at once: one drain, which answers what was accepted. */
static void test_two_signals_at_once_are_one(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct held held;
    struct server server;
    char *log;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        start(&server, "--log", "text");
        hold(&held, &server);
        server_signal(&server, numbers[i]);
        server_signal(&server, SIGTERM);
        wait_closed(&server);
        let_go(&held);
        assert_int_equal(server_wait(&server), 0);
        log = server_log(&server);
        assert_non_null(strstr(log, "draining"));
        assert_null(strstr(log, "second signal"));
        free(log);
    }
}

static void test_second_signal_ends_a_drain(void **state)
{
    struct held held;
    struct server server;

    (void)state;
    start(&server, "--log", "text");
    hold(&held, &server);
    server_signal(&server, SIGTERM);
    wait_closed(&server);
    server_signal_later(&server, SIGINT);
    assert_int_equal(server_wait(&server), 1);
    assert_true(raw_ends(&held.raw));
    raw_close(&held.raw);
    blob_free(&held.image);
}

/* What is left after --drain-timeout is dropped, and the exit status says so. */
static void test_drain_timeout(void **state)
{
    struct held held;
    struct server server;

    (void)state;
    start(&server, "--drain-timeout", "100ms");
    hold(&held, &server);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait(&server), 1);
    assert_true(raw_ends(&held.raw));
    raw_close(&held.raw);
    blob_free(&held.image);
}

/* A computation that outlasts the drain is given up: a 503, if there is still time to send it. */
static void test_drain_timeout_while_computing(void **state)
{
    struct background slow[2];
    struct server server;

    (void)state;
    start(&server, "--drain-timeout", "1ms");
    for (size_t i = 0; i < COUNT_OF(slow); i++)
        background_start(&slow[i], &server, "/classify?scales=256,264,272,280,288,296,304,312");
    server_wait_begun(&server, 3, 0);
    server_signal(&server, SIGTERM);
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        background_end(&slow[i]);
        if (slow[i].answered && slow[i].answer.status != 200)
            check_problem(&slow[i].answer, 503, "draining");
        answer_free(&slow[i].answer);
    }
    assert_true(server_wait(&server) <= 1);
}

static void test_interrupt_is_a_clean_end_too(void **state)
{
    struct server server;

    (void)state;
    start(&server, "--log", "text");
    check_alive(&server);
    server_signal(&server, SIGHUP); /* ignored */
    check_alive(&server);
    server_signal(&server, SIGINT);
    assert_int_equal(server_wait(&server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_in_flight_are_answered),
        cmocka_unit_test(test_accepted_connections_are_answered),
        cmocka_unit_test(test_kept_alive_connection_is_told_to_go),
        cmocka_unit_test(test_idle_connections_do_not_hold_it),
        cmocka_unit_test(test_drain_delay_and_second_signal),
        cmocka_unit_test(test_two_signals_at_once_are_one),
        cmocka_unit_test(test_second_signal_ends_a_drain),
        cmocka_unit_test(test_drain_timeout),
        cmocka_unit_test(test_drain_timeout_while_computing),
        cmocka_unit_test(test_interrupt_is_a_clean_end_too),
    };

    return cmocka_run_group_tests_name("drain", tests, work_setup, work_teardown);
}
