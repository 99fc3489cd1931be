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
#include "certificate_maker.h"
#include "process.h"
#include "work.h"

enum { PLAIN, TLS, WAYS, DAYS = 30 };

/* The defaults. */
enum { HEADER_BYTES = 16 << 10, HEAD_FIELDS_MAX = 100, HEAD_PARAMETERS_MAX = 50 };

#define HOST "Host: x\r\n"
#define GET "GET /livez HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /classify HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static struct server servers[WAYS];
static double fds[WAYS]; /* open when nothing had happened yet */

static int setup(void **state)
{
    static char cert[256], key[256];

    if (work_setup(state) != 0)
        return -1;
    snprintf(cert, sizeof cert, "%s", work_file("cert.pem"));
    snprintf(key, sizeof key, "%s", work_file("key.pem"));
    if (!certificate_make(cert, key, -1, DAYS))
        return -1;
    server_start(&servers[PLAIN], (const char *[]){"--model", model_labelled(), "--scales", "64",
                                                   "--log", "json", NULL});
    server_start(&servers[TLS],
                 (const char *[]){"--model", model_labelled(), "--scales", "64", "--tls-cert", cert,
                                  "--tls-key", key, "--log", "json", NULL});
    servers[TLS].ca = cert;
    for (int way = 0; way < WAYS; way++)
        fds[way] = server_metric(&servers[way], "process_open_fds");
    return 0;
}

static int teardown(void **state)
{
    for (int way = 0; way < WAYS; way++)
        server_stop(&servers[way]);
    return work_teardown(state);
}

static void open_way(struct raw *raw, int way)
{
    (way == TLS ? raw_open_tls : raw_open)(raw, &servers[way]);
}

static void check_unharmed(void)
{
    for (int way = 0; way < WAYS; way++) {
        check_alive(&servers[way]);
        check_at_rest(&servers[way], fds[way]);
    }
}

/* Send bytes, and get so many good answers. */
static void expect_ok(struct raw *raw, size_t n)
{
    struct answer answer;

    for (size_t i = 0; i < n; i++) {
        assert_true(raw_answer(raw, &answer));
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
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
        "\r\nPOST http://h/livez?a HTTP/1.1\r\nHost: h \r\n"
        "Transfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nA: b\r\n\r\n" GET;
    struct answer answer;
    struct raw raw;

    (void)state;
    for (int way = 0; way < WAYS; way++)
        for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
            open_way(&raw, way);
            assert_true(raw_send(&raw, bytes, cut));
            nap();
            assert_true(raw_send(&raw, bytes + cut, sizeof bytes - 1 - cut));
            assert_true(raw_answer(&raw, &answer));
            check_problem(&answer, 405, "method-not-allowed");
            expect_ok(&raw, 1);
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
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_empty_parameters),
        cmocka_unit_test(test_two_framings),
        cmocka_unit_test(test_four_requests_in_one_segment),
        cmocka_unit_test(test_hundreds_of_requests_at_once),
        cmocka_unit_test(test_a_head_cut_at_every_byte),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_clocks),
    };

    return cmocka_run_group_tests_name("gate", tests, setup, teardown);
}
