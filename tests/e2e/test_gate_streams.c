/*
 * What the gate lets through, in whatever pieces: requests of every allowed form, many at once, cut
 * anywhere, and the clocks of those that do not come. Everything plain and through TLS.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "process.h"
#include "two_ways.h"

/* The defaults. */
enum { HEADER_BYTES = 16 << 10, HEAD_FIELDS_MAX = 100, HEAD_PARAMETERS_MAX = 50 };

/* ---------------------------------------------------------------- what is right -------------- */

/* `bytes`, and then another request on the same connection. */
static void check_good(const char *bytes, long status, const char *header, const char *value)
{
    struct answer answer;
    struct raw raw;

    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(raw_text(&raw, bytes));
        assert_true(raw_answer(&raw, &answer));
        if (answer.status != status)
            fail_msg("%ld, not %ld: %s", answer.status, status, bytes);
        if (header != NULL) {
            assert_non_null(answer_header(&answer, header));
            assert_string_equal(answer_header(&answer, header), value);
        }
        answer_free(&answer);
        assert_true(raw_text(&raw, GET));
        expect_ok(&raw, 1);
        raw_close(&raw);
    }
}

static void test_kept(void **state)
{
    (void)state;
    check_good("\r\n" GET, 200, NULL, NULL);
    check_good("GET /livez HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n\r\n\n", 200, NULL, NULL);
    check_good("GET http://x.y:80/livez HTTP/1.1\r\n" HOST "\r\n", 200, NULL, NULL);
    check_good("GET HTTPS://x/livez?a HTTP/1.1\r\n" HOST "\r\n", 200, NULL, NULL);
    check_good("GET http://x HTTP/1.1\r\n" HOST "\r\n", 200, "Content-Type",
               "text/html; charset=utf-8");
    check_good("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, NULL, NULL);
    check_good("GET /livez HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, NULL, NULL);
    check_good("GET /livez HTTP/1.1\r\nHost:\r\n\r\n", 200, NULL, NULL);
    check_good("GET /livez HTTP/1.1\r\n" HOST "X-Request-Id: a \t \r\n\r\n", 200, "X-Request-Id",
               "a");
    check_good("POST /classify HTTP/1.1\r\n" HOST "Content-Length: 5 \r\n\r\nabcde", 415, NULL,
               NULL);
    check_good("POST /classify HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
               "2;a=\"b\"\r\nab\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n",
               415, NULL, NULL);
    check_good("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 204, "Allow", "GET, HEAD, POST, OPTIONS");
    check_good("OPTIONS http://x HTTP/1.1\r\n" HOST "\r\n", 204, "Allow",
               "GET, HEAD, POST, OPTIONS");
    check_good("GET /livez?&&a=b&&c HTTP/1.1\r\n" HOST "\r\n", 200, NULL, NULL);
    check_unharmed();
}

/* An "&" that parts nothing: as if it were not there. */
static void test_empty_parameters(void **state)
{
    static const char *const queries[] = {"?&top_k=1", "?top_k=1&", "?&&top_k=1&&", "?top_k=1"};
    struct blob image = picture(80, 60);
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        classify(&servers[PLAIN], queries[i], &image, &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(json_array_size(json_object_get(answer.json, "top")), 1);
        answer_free(&answer);
    }
    check_refused(&servers[PLAIN], "?=1", &image, 400, "bad-parameter");
    blob_free(&image);
}

/* Two framings: the chunks count, the connection ends, and what follows is nobody's request. */
static void test_two_framings(void **state)
{
    struct answer answer;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(raw_text(&raw, POST "Content-Length: 90\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "2\r\nab\r\n0\r\n\r\n" GET GET));
        assert_true(raw_answer(&raw, &answer));
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        check_problem(&answer, 415, "unsupported-format");
        assert_true(raw_ends(&raw));
        raw_close(&raw);
    }
    check_unharmed();
}

/* ---------------------------------------------------------------- pieces --------------------- */

static void test_four_requests_in_one_segment(void **state)
{
    struct blob image = picture(80, 60);
    char *bytes = calloc(4, image.size + 256);
    size_t size = 0;
    struct answer answer;
    struct raw raw;

    (void)state;
    assert_non_null(bytes);
    for (int i = 0; i < 4; i++) {
        size += (size_t)sprintf(bytes + size, "%sContent-Length: %zu\r\n\r\n", POST, image.size);
        memcpy(bytes + size, image.bytes, image.size);
        size += image.size;
    }
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(raw_text(&raw, GET GET GET GET));
        expect_ok(&raw, 4);
        assert_true(raw_send(&raw, bytes, size)); /* whose work is done elsewhere */
        for (int i = 0; i < 4; i++) {
            assert_true(raw_answer(&raw, &answer));
            check_answer(&answer, 80, 60);
            answer_free(&answer);
        }
        /* With an expectation and no body libmicrohttpd 0.9.75 would lose the first. */
        assert_true(
            raw_text(&raw, "GET /livez HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n" GET));
        expect_ok(&raw, 2);
        assert_true(raw_text(&raw, GET CHUNKED "1\r\na\r\n0\r\n\r\n"));
        expect_ok(&raw, 1);
        assert_true(raw_answer(&raw, &answer));
        check_problem(&answer, 415, "unsupported-format");
        raw_close(&raw);
    }
    check_unharmed();
    free(bytes);
    blob_free(&image);
}

/*
 * More at once than the library's buffer holds, the end of a long head first, and none is lost. The
 * hundred are one record of TLS: nothing comes after it that would have the library read again.
 */
static void check_many(int n)
{
    static char bytes[400 * 256];
    size_t held = 15 << 10, size = held;
    struct raw raw;

    memset(bytes, 'a', held);
    memcpy(bytes, "GET /livez HTTP/1.1\r\n" HOST "X: ", 33);
    size += (size_t)sprintf(bytes + size, "\r\n\r\n");
    for (int i = 1; i < n; i++)
        size += (size_t)sprintf(bytes + size, "GET /livez?%d HTTP/1.1\r\n%sX: %0*d\r\n\r\n", i,
                                HOST, i % 150, i);
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(raw_send(&raw, bytes, held));
        nap();
        assert_true(raw_send(&raw, bytes + held, size - held));
        expect_ok(&raw, (size_t)n);
        raw_close(&raw);
    }
}

/* The largest head, in bytes, headers and parameters, and a full buffer behind it. */
static void check_largest(void)
{
    static char bytes[HEADER_BYTES + 200 * sizeof GET];
    size_t size = (size_t)sprintf(bytes, "GET /livez?a");
    struct raw raw;

    for (int i = 1; i < HEAD_PARAMETERS_MAX; i++)
        size += (size_t)sprintf(bytes + size, "&a");
    size += (size_t)sprintf(bytes + size, " HTTP/1.1\r\n" HOST);
    for (int i = 1; i < HEAD_FIELDS_MAX - 1; i++)
        size += (size_t)sprintf(bytes + size, "a:b\r\n");
    size += (size_t)sprintf(bytes + size, "X:%0*d\r\n\r\n", (int)(HEADER_BYTES - size - 6), 0);
    assert_int_equal(size, HEADER_BYTES);
    for (int i = 0; i < 200; i++)
        size += (size_t)sprintf(bytes + size, GET);
    for (int way = 0; way < WAYS; way++)
        for (size_t cut = 1; cut < HEADER_BYTES; cut = cut * 3 + 1) {
            open_way(&raw, way);
            assert_true(raw_send(&raw, bytes, cut));
            nap();
            assert_true(raw_send(&raw, bytes + cut, size - cut));
            expect_ok(&raw, 201);
            raw_close(&raw);
        }
}

static void test_hundreds_of_requests_at_once(void **state)
{
    (void)state;
    check_largest();
    check_many(100);
    check_many(400);
    check_unharmed();
}

/* Each piece comes when the server has waited for it. */
static void test_a_head_cut_at_every_byte(void **state)
{
    static const char bytes[] =
        "\r\nGET http://h/livez?a HTTP/1.1\r\nHost: h \r\n"
        "Transfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nA: b\r\n\r\n" GET;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++)
        for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
            open_way(&raw, way);
            assert_true(raw_send(&raw, bytes, cut));
            nap();
            assert_true(raw_send(&raw, bytes + cut, sizeof bytes - 1 - cut));
            expect_ok(&raw, 2);
            raw_close(&raw);
        }
    check_unharmed();
}

static void test_byte_by_byte(void **state)
{
    static const char bytes[] = GET "\r\n" GET;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        for (size_t i = 0; i < sizeof bytes - 1; i++) {
            assert_true(raw_send(&raw, bytes + i, 1));
            nap();
        }
        expect_ok(&raw, 2);
        raw_close(&raw);
    }
}

/* ---------------------------------------------------------------- time ----------------------- */

/* The clock of the headers runs from a request's first byte, and not from empty lines. */
static void test_clocks(void **state)
{
    struct server hasty;
    struct raw raw;

    (void)state;
    server_start(&hasty,
                 (const char *[]){"--model", model_labelled(), "--scales", "64", "--header-timeout",
                                  "500ms", "--idle-timeout", "60s", NULL});
    raw_open(&raw, &hasty);
    assert_true(raw_text(&raw, GET));
    expect_ok(&raw, 1);
    assert_true(raw_text(&raw, "G"));
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_wait_metric(&hasty, "vgg_connections_cut_total{reason=\"headers\"}", 1);
    raw_open(&raw, &hasty);
    assert_true(raw_text(&raw, GET GET "GET /livez"));
    expect_ok(&raw, 2);
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_wait_metric(&hasty, "vgg_connections_cut_total{reason=\"headers\"}", 2);
    raw_open(&raw, &hasty);
    assert_true(raw_text(&raw, GET "\r\n\r"));
    expect_ok(&raw, 1);
    for (int i = 0; i < 100; i++)
        nap();
    assert_true(raw_text(&raw, "\n" GET));
    expect_ok(&raw, 1);
    raw_close(&raw);
    server_stop(&hasty);

    server_start(&hasty, (const char *[]){"--model", model_labelled(), "--scales", "64",
                                          "--deadline", "500ms", NULL});
    raw_open(&raw, &hasty);
    assert_true(raw_text(&raw, "GET /livez"));
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_stop(&hasty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_empty_parameters),
        cmocka_unit_test(test_two_framings),
        cmocka_unit_test(test_four_requests_in_one_segment),
        cmocka_unit_test(test_hundreds_of_requests_at_once),
        cmocka_unit_test(test_a_head_cut_at_every_byte),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_clocks),
    };

    return cmocka_run_group_tests_name("gate streams", tests, setup, teardown);
}
