/*
 * The same picture gives the same bytes: alone, in a crowd, with any number of threads, in either
 * precision.
 */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "precision.h"
#include "reloads.h"
#include "work.h"

enum { CLIENTS = 6, ROUNDS = 8, KINDS = 3 };

/* Requests that differ in shape, so that batches are mixed. */
static const char *const queries[KINDS] = {"/classify?top_k=10&scales=64,96",
                                           "/classify?top_k=10&scales=96,160&flip=off",
                                           "/classify?top_k=10&scales=64"};

struct question {
    struct blob image;
    char *top; /* what an idle server answered, in the precision of the test */
};

static struct question questions[KINDS];
static const char *precision = "f32";
static const char *const *environment;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    questions[0].image = picture(80, 60);
    questions[1].image = picture(70, 90);
    questions[2].image = picture(64, 64);
    return 0;
}

static void forget(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        free(questions[i].top);
        questions[i].top = NULL;
    }
}

static int teardown(void **state)
{
    forget();
    for (size_t i = 0; i < KINDS; i++)
        blob_free(&questions[i].image);
    return work_teardown(state);
}

static char *ask_top(const struct server *server, size_t kind)
{
    const struct blob *image = &questions[kind].image;
    const struct call call = {.target = queries[kind], .body = image->bytes, .size = image->size};
    struct answer answer;
    char *top = NULL;

    if (call_try(server, &call, &answer) && answer.status == 200)
        top = top_bytes(&answer, 0);
    answer_free(&answer);
    return top;
}

/* Compare with the first server's answers, or keep them. */
static void check_idle(const struct server *server)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        char *top = ask_top(server, kind);

        assert_non_null(top);
        if (questions[kind].top == NULL)
            questions[kind].top = strdup(top);
        assert_string_equal(top, questions[kind].top);
        free(top);
    }
}

struct client {
    const struct server *server;
    pthread_t thread;
    size_t first, wrong;
};

static void *client_main(void *argument)
{
    struct client *client = argument;

    for (size_t i = 0; i < ROUNDS; i++) {
        size_t kind = (client->first + i) % KINDS;
        char *top = ask_top(client->server, kind);

        client->wrong += top == NULL || strcmp(top, questions[kind].top) != 0;
        free(top);
    }
    return NULL;
}

static void check_crowd(const struct server *server)
{
    struct client clients[CLIENTS];

    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.server = server, .first = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(clients[i].wrong, 0);
}

/* The model is wide enough for some of its layers to be in eight bits. */
static void start(struct server *server, const char *threads)
{
    server_start_with(server,
                      (const char *[]){"--model", model_other(), "--precision", precision,
                                       "--threads", threads, "--max-queue", "1000s", "--deadline",
                                       "1000s", "--max-cost", "1000", NULL},
                      environment);
}

static void check_threads(const char *threads)
{
    struct server server;

    start(&server, threads);
    check_idle(&server);
    check_crowd(&server);
    check_idle(&server);
    server_stop(&server);
}

static void test_one_thread(void **state)
{
    (void)state;
    check_threads("1");
}

static void test_two_threads(void **state)
{
    (void)state;
    check_threads("2");
}

static void test_three_threads(void **state)
{
    (void)state;
    check_threads("3");
}

/* Several files of one request share batches too. */
static void test_neighbours_in_a_request(void **state)
{
    const struct blob *a = &questions[0].image, *b = &questions[2].image;
    const struct part parts[] = {
        {"a", a->bytes, a->size}, {"b", b->bytes, b->size}, {"a", a->bytes, a->size}};
    struct server server;
    struct answer answer;

    (void)state;
    start(&server, "2");
    check_idle(&server);
    classify_parts(&server, "?top_k=10&scales=64,96", parts, 3, &answer);
    for (size_t i = 0; i < 3; i += 2) {
        char *top = top_bytes(&answer, i);

        assert_non_null(top);
        assert_string_equal(top, questions[0].top);
        free(top);
    }
    answer_free(&answer);
    server_stop(&server);
}

/* Other bytes than those of f32, but the same ones each time. */
static void test_eight_bits(void **state)
{
    char *f32;

    (void)state;
    f32 = questions[0].top;
    questions[0].top = NULL;
    forget();
    precision = "i8";
    environment = precision_environment(precision);
    for (char threads[] = "1"; threads[0] <= '3'; threads[0]++)
        check_threads(threads);
    assert_string_not_equal(questions[0].top, f32);
    free(f32);
    test_neighbours_in_a_request(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),    cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_three_threads), cmocka_unit_test(test_neighbours_in_a_request),
        cmocka_unit_test(test_eight_bits), /* the last: it leaves the precision */
    };

    return cmocka_run_group_tests_name("same_bytes", tests, setup, teardown);
}
