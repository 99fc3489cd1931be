/* What is refused whatever its body holds is answered at its headers. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "client.h"
#include "work.h"

static struct server server;

#define TOKEN "secret-enough"
#define AUTHORIZED "Authorization: Bearer " TOKEN "\r\n"

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    work_write(work_file("token"), TOKEN, sizeof TOKEN - 1);
    server_start(&server, (const char *[]){"--model", model_narrow(), "--api-token-file",
                                           work_file("token"), NULL});
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

static const struct {
    const char *line, *headers;
    long status;
} refused[] = {
    {"POST /classify", "", 401},
    {"POST /classify", "Authorization: Bearer wrong-token\r\n", 401},
    {"POST /classify?unknown=1", AUTHORIZED, 400},
    {"POST /classify?top_k=0", AUTHORIZED, 400},
    {"POST /classify?scales=x", AUTHORIZED, 400},
    {"POST /classify?flip=on&flip=on", AUTHORIZED, 400},
    {"POST /classify", AUTHORIZED "X-Request-Timeout-Ms: soon\r\n", 400},
    {"POST /classify", AUTHORIZED "Content-Encoding: br\r\n", 415},
    {"PUT /classify", AUTHORIZED, 405},
    {"DELETE /classify", AUTHORIZED, 405},
    {"GET /classify", AUTHORIZED, 405},
    {"POST /livez", AUTHORIZED, 405},
    {"POST /nowhere", AUTHORIZED, 404},
    {"PATCH /nowhere", AUTHORIZED, 404},
    {"POST /v2/models/nobody/infer", AUTHORIZED, 404},
    {"POST /v2/models/nobody/infer", "", 401},
};

/* The answer to row i with these framing headers and the first bytes of a body. */
static void ask_row(struct raw *raw, size_t i, const char *framing, const char *body,
                    struct answer *answer)
{
    char head[512];

    snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s", refused[i].line,
             refused[i].headers, framing, body);
    raw_open(raw, &server);
    assert_true(raw_text(raw, head));
    assert_true(raw_answer(raw, answer));
    if (answer->status != refused[i].status)
        fail_msg("%s %s: %ld, not %ld", refused[i].line, framing, answer->status,
                 refused[i].status);
}

/* Without its body, without "100 Continue", and then closed. */
static void test_at_once(void **state)
{
    static const char *const framings[] = {
        "Content-Length: 10000000\r\n",
        "Content-Length: 65537\r\n",
        "Content-Length: 10000000\r\nExpect: 100-continue\r\n",
        "Content-Length: 10\r\nExpect: 100-Continue\r\n",
        "Transfer-Encoding: chunked\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        for (size_t k = 0; k < COUNT_OF(framings); k++) {
            struct answer answer;
            struct raw raw;

            ask_row(&raw, i, framings[k], "", &answer);
            assert_string_equal(answer_header(&answer, "Connection"), "close");
            answer_free(&answer);
            assert_true(raw_ends(&raw));
            raw_close(&raw);
        }
}

/* A short one is read, and the connection serves on. */
static void test_short_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct answer answer;
        struct raw raw;

        ask_row(&raw, i, "Content-Length: 7\r\n", "GET / x", &answer);
        assert_null(answer_header(&answer, "Connection"));
        answer_free(&answer);
        assert_true(raw_text(&raw, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(raw_answer(&raw, &answer));
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
        raw_close(&raw);
    }
}

/* One that sends all of a long body before it reads gets the answer too. */
static void test_reaches_a_client_that_sends(void **state)
{
    enum { TRIES = 20, BODY = 2 << 20 };
    static char body[BODY];

    (void)state;
    for (size_t i = 0; i < TRIES; i++) {
        struct answer answer;
        struct raw raw;

        raw_open(&raw, &server);
        assert_true(raw_text(&raw, "POST /classify HTTP/1.1\r\nHost: x\r\n"
                                   "Content-Length: 2097152\r\n\r\n"));
        assert_true(raw_send(&raw, body, sizeof body));
        assert_true(raw_answer(&raw, &answer));
        check_problem(&answer, 401, "unauthorized");
        assert_true(raw_ends(&raw));
        raw_close(&raw);
    }
}

/* What is not refused is told to continue, once. */
static void test_others_continue(void **state)
{
    (void)state;
    check_continued(&server, AUTHORIZED, 40, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_short_bodies),
        cmocka_unit_test(test_reaches_a_client_that_sends),
        cmocka_unit_test(test_others_continue),
    };

    return cmocka_run_group_tests_name("refused", tests, setup, teardown);
}
