/* Clients that leave before their answer: their work is dropped, nobody else's. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "work.h"

/* A long request: fourteen views in passes that no other job's views fit into. */
#define LONG_QUERY "?scales=" BUSY_SCALES
enum { LONG_VIEWS = 14 };

/* One view, of one long pass. */
#define ONE_QUERY "?scales=" BUSY_SCALE "&flip=off"

#define CANCELLED(stage) "vgg_requests_cancelled_total{stage=\"" stage "\"}"

/* The machine may be faster than we are: then the same again behind twice the work. */
enum { BUSY_MAX = 16, LEAVERS = 3 };

static void start(struct server *server)
{
    server_start(server, (const char *[]){"--model", model_slow(), "--max-queue", "1000s",
                                          "--max-cost", "1000000", "--deadline", "1000s",
                                          "--max-view-pixels", BUSY_VIEW_PIXELS, NULL});
    for (size_t i = 0; i < 4; i++) { /* every stage is there from the start */
        static const char *const stages[] = {CANCELLED("body"), CANCELLED("queue"),
                                             CANCELLED("infer"), CANCELLED("answer")};

        assert_true(server_metric(server, stages[i]) == 0);
    }
}

/* Long requests under way, the first of them in the engine. */
static void occupy(struct background *busy, size_t n, const struct server *server, double views)
{
    for (size_t i = 0; i < n; i++)
        background_start(&busy[i], server, "/classify" LONG_QUERY);
    server_wait_metric_reaches(server, VIEWS_DONE, views + 1);
}

static void end_all(struct background *busy, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        background_end(&busy[i]);
        assert_true(busy[i].answered);
        assert_int_equal(busy[i].answer.status, 200);
        answer_free(&busy[i].answer);
    }
}

/* Two that close and one that dies, all in the queue. Were all of them there when they left? */
static bool try_leaving_the_queue(size_t busy_n)
{
    struct background busy[BUSY_MAX];
    struct blob image = picture(64, 64);
    struct raw leavers[LEAVERS];
    struct server server;
    double before, done;
    bool queued;

    start(&server);
    before = server_metric(&server, VIEWS_DONE);
    occupy(busy, busy_n, &server, before);
    for (size_t i = 0; i < LEAVERS; i++) {
        raw_open(&leavers[i], &server);
        assert_true(raw_post(&leavers[i], LONG_QUERY, &image, image.size));
    }
    server_wait_begun(&server, (double)(busy_n + LEAVERS + 1), 0);
    raw_close(&leavers[0]);
    raw_close(&leavers[1]);
    raw_reset(&leavers[2]);
    end_all(busy, busy_n);
    check_at_rest(&server, 1e9);
    done = server_metric(&server, VIEWS_DONE) - before;
    queued = server_metric(&server, CANCELLED("queue")) == LEAVERS;
    if (queued) { /* and none of their views was computed */
        assert_true(done == (double)(LONG_VIEWS * busy_n));
        assert_true(server_metric(&server, CANCELLED("infer")) == 0);
        assert_true(server_metric(&server, CANCELLED("answer")) == 0);
    }
    assert_true(server_metric(&server, CLASSIFIED) == (double)busy_n);
    check_alive(&server);
    server_stop(&server);
    blob_free(&image);
    return queued;
}

static void test_leaving_the_queue(void **state)
{
    (void)state;
    for (size_t busy = 1; busy <= BUSY_MAX; busy *= 2)
        if (try_leaving_the_queue(busy))
            return;
    fail_msg("whoever left was never noticed while queued");
}

/*
 * One that leaves its request for so many views: after the first, or in the pass of an only one.
 * What was not begun is dropped, and the pass given up.
 */
static bool try_leaving_the_engine(const char *query, double views)
{
    struct blob image = picture(64, 64);
    struct server server;
    struct raw leaver;
    bool dropped;
    double before;

    start(&server);
    before = server_metric(&server, VIEWS_DONE);
    raw_open(&leaver, &server);
    assert_true(raw_post(&leaver, query, &image, image.size));
    if (views > 1)
        server_wait_metric_reaches(&server, VIEWS_DONE, before + 1);
    else {
        server_wait_begun(&server, 2, 0);
        nap();
    }
    raw_close(&leaver);
    check_at_rest(&server, 1e9);
    dropped = server_metric(&server, CANCELLED("infer")) == 1;
    if (dropped)
        assert_true(server_metric(&server, VIEWS_DONE) - before < views);
    check_alive(&server);
    server_stop(&server);
    blob_free(&image);
    return dropped;
}

static void leave_until_noticed(const char *query, double views)
{
    for (size_t i = 0; i < BUSY_MAX; i++)
        if (try_leaving_the_engine(query, views))
            return;
    fail_msg("whoever left %s was never noticed", query);
}

static void test_leaving_the_engine(void **state)
{
    (void)state;
    leave_until_noticed(LONG_QUERY, LONG_VIEWS);
}

static void test_leaving_a_pass(void **state)
{
    (void)state;
    leave_until_noticed(ONE_QUERY, 1);
}

/* Neither those who wait nor one who only said that it sends no more. */
static void test_neighbours_are_answered(void **state)
{
    struct blob image = picture(64, 64);
    struct background busy[2];
    struct raw waiting, half_closed, leaver;
    struct server server;
    struct answer answer;

    (void)state;
    start(&server);
    occupy(busy, 2, &server, 1);
    raw_open(&waiting, &server);
    raw_open(&leaver, &server);
    raw_open(&half_closed, &server);
    assert_true(raw_post(&half_closed, LONG_QUERY, &image, image.size));
    assert_true(raw_post(&leaver, LONG_QUERY, &image, image.size));
    assert_true(raw_post(&waiting, LONG_QUERY, &image, image.size));
    shutdown(half_closed.fd, SHUT_WR);
    raw_close(&leaver);
    end_all(busy, 2);
    assert_true(raw_answer(&half_closed, &answer));
    check_answer(&answer, 64, 64); /* and not a byte before it */
    answer_free(&answer);
    assert_true(raw_ends(&half_closed));
    assert_true(raw_answer(&waiting, &answer));
    check_answer(&answer, 64, 64);
    answer_free(&answer);
    raw_close(&waiting);
    raw_close(&half_closed);
    check_at_rest(&server, 1e9);
    server_stop(&server);
    blob_free(&image);
}

/* Descriptors are used again at once: whoever gets that of one who left is a stranger to it. */
static void test_strangers_are_answered(void **state)
{
    enum { ROUNDS = 100 };
    struct blob image = picture(64, 64);
    struct server server;
    struct answer answer;
    double counted = 0;

    (void)state;
    start(&server);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct raw leaver, stranger;

        raw_open(&leaver, &server);
        assert_true(raw_post(&leaver, i % 2 ? "?scales=112" : "?scales=32", &image, image.size));
        if (i % 3 == 0)
            raw_reset(&leaver);
        else
            raw_close(&leaver);
        raw_open(&stranger, &server);
        assert_true(raw_post(&stranger, "?scales=96", &image, image.size));
        assert_true(raw_answer(&stranger, &answer));
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
        raw_close(&stranger);
    }
    check_at_rest(&server, 1e9);
    /* Everyone is counted once: answered, even if into the void, or cut somewhere. */
    for (size_t i = 0; i < 4; i++) {
        static const char *const ends[] = {CANCELLED("body"), CANCELLED("queue"),
                                           CANCELLED("infer"), CANCELLED("answer")};

        counted += server_metric(&server, ends[i]);
    }
    counted += server_metric(&server, CLASSIFIED);
    assert_true(counted <= 2 * ROUNDS && counted >= ROUNDS);
    check_alive(&server);
    server_stop(&server);
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaving_the_queue),
        cmocka_unit_test(test_leaving_the_engine),
        cmocka_unit_test(test_leaving_a_pass),
        cmocka_unit_test(test_neighbours_are_answered),
        cmocka_unit_test(test_strangers_are_answered),
    };

    return cmocka_run_group_tests_name("disconnect", tests, work_setup, work_teardown);
}
