/* 503 and 504: the queue is full, the deadline has passed. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "work.h"

enum { TRIES = 20, CROWD = 6 };

/* ---------------------------------------------------------------- 503 ------------------------ */

/* With no room in the queue, whatever comes while a request is worked on is turned away. */
static void test_503_queue_full(void **state)
{
    struct blob image = picture(64, 64);
    struct server server;
    struct raw busy;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--max-queue", "0s",
                                           "--max-cost", "1000000", "--deadline", "1000s", NULL});
    busy_begin(&busy, &server);
    assert_true(server_metric(&server, "vgg_queue_cost_seconds") > 0);
    check_refused(&server, "?scales=64", &image, 503, "queue-full");
    assert_int_equal(server_metric(&server, REFUSED), 1);
    raw_close(&busy);
    server_wait_metric(&server, "vgg_queue_cost_seconds", 0);
    check_alive(&server); /* an empty queue admits it */
    server_stop(&server);
    blob_free(&image);
}

/* Of a crowd, each is answered or turned away; the probes do not queue. */
static void test_503_in_a_crowd(void **state)
{
    struct background crowd[CROWD];
    struct server server;
    struct answer answer;
    double shed = 0, served = 0;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--max-queue", "1ms",
                                           "--max-cost", "1000000", "--deadline", "1000s", NULL});
    for (size_t i = 0; i < CROWD; i++)
        background_start(&crowd[i], &server, "/classify?scales=256,320");
    ask(&server, &(struct call){.target = "/readyz"}, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    for (size_t i = 0; i < CROWD; i++) {
        background_end(&crowd[i]);
        assert_true(crowd[i].answered);
        if (crowd[i].answer.status == 200)
            served++;
        else {
            shed++;
            check_problem(&crowd[i].answer, 503, "queue-full");
        }
        answer_free(&crowd[i].answer);
    }
    assert_true(served >= 1);
    server_wait_metric(&server, REFUSED, shed);
    server_wait_metric(&server, "vgg_http_requests_total{route=\"/classify\",code=\"503\"}", shed);
    server_wait_metric(&server, CLASSIFIED, served);
    check_alive(&server);
    server_stop(&server);
}

/* ---------------------------------------------------------------- 504 ------------------------ */

/*
 * No request can be computed within a millisecond. Its body may miss the deadline as well, and then
 * the connection is cut: so a few are sent.
 */
static void test_504_deadline(void **state)
{
    struct blob image = picture(64, 64);
    const struct call call = {
        .target = "/classify?scales=512,768", .body = image.bytes, .size = image.size};
    struct server server;
    struct answer answer;
    int late = 0;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--deadline", "1ms",
                                           "--max-cost", "1000000", NULL});
    for (int i = 0; i < TRIES && late < 3; i++) {
        if (call_try(&server, &call, &answer)) {
            check_problem(&answer, 504, "deadline");
            late++;
        }
        answer_free(&answer);
    }
    assert_int_equal(late, 3);
    server_stop(&server);
    blob_free(&image);
}

/* The deadline passes between two views: the rest of them are dropped. */
static void test_504_while_computing(void **state)
{
    struct blob image = picture(64, 64);
    const struct part parts[] = {{"a", image.bytes, image.size},
                                 {"b", image.bytes, image.size},
                                 {"c", image.bytes, image.size},
                                 {"d", image.bytes, image.size}};
    struct server server;
    struct answer answer;
    const json_t *results;
    size_t late = 0;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--deadline", "300ms",
                                           "--max-cost", "1000000", "--threads", "1", NULL});
    classify_parts(&server, "?scales=640,704,768,832,896,960,1024", parts, COUNT_OF(parts),
                   &answer);
    assert_int_equal(answer.status, 200);
    results = member(answer.json, "results");
    assert_int_equal(json_array_size(results), COUNT_OF(parts));
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        late += json_integer_value(json_object_get(json_array_get(results, i), "status")) == 504;
    assert_true(late >= 1);
    answer_free(&answer);
    server_stop(&server);
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_503_queue_full),
        cmocka_unit_test(test_503_in_a_crowd),
        cmocka_unit_test(test_504_deadline),
        cmocka_unit_test(test_504_while_computing),
    };

    return cmocka_run_group_tests_name("overload", tests, work_setup, work_teardown);
}
