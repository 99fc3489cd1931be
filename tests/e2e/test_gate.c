/*
 * One request, one reading (RFC 9112): what a proxy in front might read otherwise is refused, once
 * and as a problem, and nothing behind it is answered. Everything plain and through TLS.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "process.h"
#include "two_ways.h"

/* ---------------------------------------------------------------- the program ---------------- */

/* Without these no call of the library's would come to the gate. */
static void test_exported(void **state)
{
    static const char *const names[] = {" T recv\n", " T gnutls_record_recv\n",
                                        " T gnutls_record_check_pending\n"};
    char command[512], symbols[1 << 16];
    size_t size;
    FILE *pipe;

    (void)state;
    snprintf(command, sizeof command, "nm -D '%s'",
             getenv("VGG_BIN") != NULL ? getenv("VGG_BIN") : "build/vgg");
    pipe = popen(command, "r");
    assert_non_null(pipe);
    size = fread(symbols, 1, sizeof symbols - 1, pipe);
    symbols[size] = '\0';
    assert_int_equal(pclose(pipe), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strstr(symbols, names[i]) == NULL)
            fail_msg("nm -D does not show%s", names[i]);
}

/* ---------------------------------------------------------------- refusals ------------------- */

/* After so many good answers comes this problem, the end, and nothing in between. */
static void check_end(struct raw *raw, size_t good, long status, const char *slug)
{
    struct answer answer;

    expect_ok(raw, good);
    if (!raw_answer(raw, &answer))
        fail_msg("no answer, not even %ld", status);
    assert_non_null(answer_header(&answer, "Connection"));
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    check_problem(&answer, status, slug);
    assert_true(raw_ends(raw));
    raw_close(raw);
}

struct refusal {
    long status;
    const char *bytes;
    size_t size;
};

#define REFUSAL(status, text)                                                                      \
    {                                                                                              \
        status, text, sizeof text - 1                                                              \
    }

static const char *slug_of(long status)
{
    static const struct {
        long status;
        const char *slug;
    } slugs[] = {{400, "bad-request"},       {414, "uri-too-long"},    {417, "expectation-failed"},
                 {431, "headers-too-large"}, {501, "not-implemented"}, {505, "http-version"}};
    size_t i = 0;

    while (slugs[i].status != status)
        i++;
    return slugs[i].slug;
}

/* Alone, and behind good requests in the same segment; a good one behind it is never answered. */
static void check_refusals(const struct refusal *cases, size_t n)
{
    static char bytes[4096];
    struct raw raw;

    for (size_t i = 0; i < n; i++)
        for (int way = 0; way < WAYS; way++)
            for (size_t good = 0; good < 3; good += 2) {
                size_t size = good * (sizeof GET - 1);

                memcpy(bytes, GET GET, size);
                memcpy(bytes + size, cases[i].bytes, cases[i].size);
                size += cases[i].size;
                memcpy(bytes + size, GET, sizeof GET - 1);
                size += sizeof GET - 1;
                open_way(&raw, way);
                assert_true(raw_send(&raw, bytes, size));
                check_end(&raw, good, cases[i].status, slug_of(cases[i].status));
            }
}

static void test_bad_heads(void **state)
{
    static const struct refusal cases[] = {
        REFUSAL(400, "GET  /livez HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez  HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET\t/livez HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez\tHTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /li\tvez HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez\r\n"),
        REFUSAL(400, "GARBAGE\r\n\r\n"),
        REFUSAL(400, "GET /li\0vez HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez\r HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X: a\n\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X : a\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST ": a\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST "X\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\n" HOST HOST "\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\nHost: x y\r\n\r\n"),
        REFUSAL(400, "GET /livez HTTP/1.1\r\nHost: x/y\r\n\r\n"),
        REFUSAL(400, "GET ftp://x/livez HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(417, "POST /classify HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"),
        REFUSAL(501, "CONNECT x:443 HTTP/1.1\r\n" HOST "\r\n"),
        REFUSAL(505, "GET /livez HTTP/1.2\r\n" HOST "\r\n"),
        REFUSAL(505, "GET /livez HTTP/0.9\r\n" HOST "\r\n"),
        REFUSAL(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    };

    (void)state;
    check_refusals(cases, COUNT_OF(cases));
    check_unharmed();
}

static void test_bad_framing(void **state)
{
    static const struct refusal cases[] = {
        REFUSAL(400, POST "Content-Length: 1\r\nContent-Length: 60\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: 1, 1\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: -1\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: +1\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: 1x\r\n\r\na"),
        REFUSAL(400, POST "Content-Length:\r\n\r\na"),
        REFUSAL(400, POST "Content-Length: 18446744073709551621\r\n\r\nabcde"),
        REFUSAL(400, POST "Content-Length : 1\r\n\r\na"),
        REFUSAL(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        REFUSAL(501, POST "Transfer-Encoding: foo\r\n\r\n0\r\n\r\n"),
        REFUSAL(501, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        REFUSAL(400, POST "Transfer-Encoding: chunked\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        REFUSAL(400, POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
        REFUSAL(400, "POST /classify HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };

    (void)state;
    check_refusals(cases, COUNT_OF(cases));
    check_unharmed();
}

static void test_bad_chunks(void **state)
{
    static const struct refusal cases[] = {
        REFUSAL(400, CHUNKED "zz\r\nabc\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "-1\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "+1\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1 \r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1\r\na\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1\r\nab\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "3\r\nabc\r\n\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1;a\rb\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "8000000000000000\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "10000000000000001\r\na\r\n0\r\n\r\n"),
        REFUSAL(400, CHUNKED "1\r\na\r\n0\r\nX : y\r\n\r\n"),
        REFUSAL(400, CHUNKED "1\r\na\r\n0\r\n\n"),
        REFUSAL(400, CHUNKED "0\r\nGET /livez HTTP/1.1\r\n\r\n"),
    };

    (void)state;
    check_refusals(cases, COUNT_OF(cases));
    check_unharmed();
}

/* Found out when most of the body has been read. */
static void test_bad_chunk_after_a_long_body(void **state)
{
    static char bytes[(64 << 10) + 256];
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        size_t head = (size_t)sprintf(bytes, CHUNKED "10000\r\n");

        memset(bytes + head, 'a', 64 << 10);
        open_way(&raw, way);
        assert_true(raw_send(&raw, bytes, head + (64 << 10)));
        assert_true(raw_text(&raw, "\r\n5\nabcde\r\n0\r\n\r\n" GET));
        check_end(&raw, 0, 400, "bad-request");
    }
    check_unharmed();
}

/* No body comes with the answer to HEAD, a bad one's too: a proxy would take it for the next. */
static void test_bad_head_request(void **state)
{
    struct answer answer;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(raw_text(&raw, "HEAD /livez HTTP/1.1\r\nX : y\r\n\r\n"));
        shutdown(raw.fd, SHUT_WR);
        assert_false(raw_answer(&raw, &answer)); /* its length is that of a body it has not */
        assert_int_equal(strncmp(raw.bytes, "HTTP/1.1 400 ", 13), 0);
        assert_string_equal(strstr(raw.bytes, "\r\n\r\n"), "\r\n\r\n");
        raw_close(&raw);
    }
}

static void test_sizes(void **state)
{
    static char text[64 << 10];
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        memset(text, 'a', sizeof text);
        memcpy(text, "GET /", 5);
        open_way(&raw, way);
        assert_true(raw_send(&raw, text, sizeof text));
        check_end(&raw, 0, 414, "uri-too-long");
        memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
        open_way(&raw, way);
        assert_true(raw_send(&raw, text, sizeof text));
        check_end(&raw, 0, 431, "headers-too-large");
        for (size_t i = 16; i + 5 < sizeof text; i += 5)
            memcpy(text + i, "a:b\r\n", 5);
        open_way(&raw, way);
        assert_true(raw_send(&raw, text, sizeof text));
        check_end(&raw, 0, 431, "headers-too-large");
        memcpy(text, "GET /?", 6);
        for (size_t i = 6; i < 8 << 10; i += 2)
            memcpy(text + i, "&a", 2);
        memcpy(text + (8 << 10), " HTTP/1.1\r\n\r\n", 13);
        open_way(&raw, way);
        assert_true(raw_send(&raw, text, (8 << 10) + 13));
        check_end(&raw, 0, 414, "uri-too-long");
        /* What libmicrohttpd would make a list of, and run out of memory. */
        memcpy(text, "GET /livez HTTP/1.1\r\n" HOST "Cookie: ", 38);
        for (size_t i = 38; i < 12 << 10; i += 2)
            memcpy(text + i, "a;", 2);
        memcpy(text + (12 << 10), "\r\n\r\n", 4);
        open_way(&raw, way);
        assert_true(raw_send(&raw, text, (12 << 10) + 4));
        expect_ok(&raw, 1);
        raw_close(&raw);
    }
    check_unharmed();
}

/* ---------------------------------------------------------------- told ----------------------- */

/* The line of the log with an id, parsed. */
static json_t *log_line(const struct server *server, const char *id)
{
    char *log, *line, *rest, *next;
    json_t *parsed = NULL;

    server_wait_log(server, id);
    log = rest = server_log(server);
    while (parsed == NULL && (line = strtok_r(rest, "\n", &next)) != NULL) {
        rest = NULL;
        if (strstr(line, id) != NULL)
            parsed = json_loads(line, 0, NULL);
    }
    free(log);
    assert_non_null(parsed);
    return parsed;
}

static void test_log(void **state)
{
    static const struct {
        const char *bytes, *method, *path;
        long status;
    } cases[] = {
        {"DELETE /a%20b?secret HTTP/1.1\r\nX : y\r\n\r\n", "DELETE", "/a%20b", 400},
        {POST "Content-Length: 1, 1\r\n\r\na", "POST", "/classify", 400},
        {"GET  /livez HTTP/1.1\r\n\r\n", "GET", "/livez", 400},
        {"GET /livez HTTP/3.0\r\n\r\n", "GET", "/livez", 505},
        {"\x16\x03\x01", "", "", 400},
        {CHUNKED "x\r\n", "POST", "/classify", 400},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int way = 0; way < WAYS; way++) {
            struct answer answer;
            struct raw raw;
            char id[64];
            json_t *line;

            open_way(&raw, way);
            assert_true(raw_text(&raw, cases[i].bytes));
            assert_true(raw_answer(&raw, &answer));
            snprintf(id, sizeof id, "%s", answer_header(&answer, "X-Request-Id"));
            check_problem(&answer, cases[i].status, slug_of(cases[i].status));
            raw_close(&raw);
            line = log_line(&servers[way], id);
            assert_string_equal(json_string_value(json_object_get(line, "method")),
                                cases[i].method);
            assert_string_equal(json_string_value(json_object_get(line, "path")), cases[i].path);
            assert_int_equal(json_integer_value(json_object_get(line, "status")), cases[i].status);
            json_decref(line);
        }
}

/* Its answer has the id that was sent before what is wrong. */
static void test_id(void **state)
{
    struct answer answer;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        open_way(&raw, way);
        assert_true(
            raw_text(&raw, "GET /livez HTTP/1.1\r\nX-Request-Id: mine-1 \r\nX : y\r\n\r\n"));
        assert_true(raw_answer(&raw, &answer));
        assert_string_equal(answer_header(&answer, "X-Request-Id"), "mine-1");
        check_problem(&answer, 400, "bad-request");
        raw_close(&raw);
    }
}

static void test_counted(void **state)
{
    static const char cut[] = "vgg_connections_cut_total{reason=\"malformed\"}";
    static const char requests[] = "vgg_http_requests_total{route=\"/livez\",code=\"505\"}";
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++) {
        double cuts = server_metric(&servers[way], cut);
        double before = server_metric(&servers[way], requests);

        open_way(&raw, way);
        assert_true(raw_text(&raw, "GET /livez HTTP/1.2\r\n\r\n"));
        check_end(&raw, 0, 505, "http-version");
        server_wait_metric(&servers[way], cut, cuts + 1);
        server_wait_metric(&servers[way], requests, before + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exported),
        cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_bad_framing),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_bad_chunk_after_a_long_body),
        cmocka_unit_test(test_bad_head_request),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_counted),
    };

    return cmocka_run_group_tests_name("gate", tests, setup, teardown);
}
