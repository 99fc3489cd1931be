/* Heads of requests: each fault by its status, and what is handed on of good ones. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "gate/head.h"

#define HOST "Host: x\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST

/* Bytes that may hold NUL. */
struct bytes {
    const char *at;
    size_t size;
};
#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }

/* Read from a copy of exactly its size, as many bytes at a time; 0 for a good head. */
static unsigned read_head(struct head_reader *reader, const char *bytes, size_t size, size_t step,
                          const char **detail)
{
    enum head_state state = HEAD_PARTIAL;
    struct head_fault fault = {.detail = ""};

    *reader = (struct head_reader){0};
    for (size_t n = step; state == HEAD_PARTIAL && n < size + step; n += step) {
        size_t there = n < size ? n : size;
        char *copy = malloc(there);

        assert_non_null(copy);
        memcpy(copy, bytes, there);
        state = head_read(reader, copy, there, &fault);
        free(copy);
    }
    *detail = fault.detail;
    if (state == HEAD_PARTIAL)
        fail_msg("not whole: %.200s", bytes);
    return state == HEAD_WHOLE ? 0 : fault.status;
}

static unsigned verdict(struct head_reader *reader, struct bytes head)
{
    const char *detail[2];
    unsigned whole = read_head(reader, head.at, head.size, head.size, &detail[0]);
    unsigned bytewise = read_head(reader, head.at, head.size, 1, &detail[1]);

    if (whole != bytewise || strcmp(detail[0], detail[1]) != 0)
        fail_msg("%s at once, %s by bytes: %s", detail[0], detail[1], head.at);
    assert_int_equal(whole != 0, detail[0][0] != '\0');
    return whole;
}

static void check(struct bytes head, unsigned status)
{
    struct head_reader reader;
    unsigned is = verdict(&reader, head);

    if (is != status)
        fail_msg("%u, not %u: %s", is, status, head.at);
}

static void refused(void **state)
{
    static const struct {
        unsigned status;
        struct bytes head;
    } cases[] = {
        /* request lines */
        {400, BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n")},
        {400, BYTES(" GET / HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET /\tHTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET /a\tb HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n")},
        {400, BYTES("GET / HTTP/1.1\t\r\n" HOST "\r\n")},
        {400, BYTES("GET /\r\n")},
        {400, BYTES("GET / \r\n")},
        {400, BYTES("GET\r\n")},
        {400, BYTES("GET \r\n")},
        {400, BYTES("GET  \r\n")},
        {400, BYTES("/ HTTP/1.1\r\n")},
        {400, BYTES("GET HTTP/1.1\r\n")},
        {400, BYTES("GET  HTTP/1.1\r\n")},
        {400, BYTES("G(T / HTTP/1.1\r\n")},
        {400, BYTES("G\x80T / HTTP/1.1\r\n")},
        {400, BYTES("GET / http/1.1\r\n")},
        {400, BYTES("GET / HTTP/1.1x\r\n")},
        {400, BYTES("GET / HTTP/x.1\r\n")},
        {400, BYTES("GET / HTTP/\r\n")},
        {400, BYTES("GET / HTTP1.1\r\n")},
        {505, BYTES("GET / HTTP/1.2\r\n")},
        {505, BYTES("GET / HTTP/1.10\r\n")},
        {505, BYTES("GET / HTTP/01.1\r\n")},
        {505, BYTES("GET / HTTP/0.9\r\n")},
        {505, BYTES("GET / HTTP/2.0\r\n")},
        {505, BYTES("GET / HTTP/2\r\n")},
        {505, BYTES("PRI * HTTP/2.0\r\n\r\n")}, /* how HTTP/2 begins */
        {400, BYTES("GET livez HTTP/1.1\r\n")},
        {400, BYTES("GET * HTTP/1.1\r\n")}, /* "*" is for OPTIONS */
        {400, BYTES("OPTIONS ** HTTP/1.1\r\n")},
        {400, BYTES("GET ?x HTTP/1.1\r\n")},
        {400, BYTES("GET ftp://h/ HTTP/1.1\r\n")},
        {400, BYTES("GET http:/h/ HTTP/1.1\r\n")},
        {400, BYTES("GET http:///p HTTP/1.1\r\n")},
        {400, BYTES("GET http://:80/p HTTP/1.1\r\n")},
        {400, BYTES("GET http://u@h/p HTTP/1.1\r\n")},
        {400, BYTES("GET http://h:8o/p HTTP/1.1\r\n")},
        {400, BYTES("GET http://h\\p HTTP/1.1\r\n")},
        {501, BYTES("CONNECT h:443 HTTP/1.1\r\n")},
        /* bytes */
        {400, BYTES("GET /\0 HTTP/1.1\r\n")},
        {400, BYTES("G\0T / HTTP/1.1\r\n")},
        {400, BYTES("GET /\r HTTP/1.1\r\n")},
        {400, BYTES("GET / HTTP/1.1\n")},
        {400, BYTES("\nGET / HTTP/1.1\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\r\n")},
        {400, BYTES("\x16\x03\x01")},
        {400, BYTES(GET "X: a\0b\r\n\r\n")},
        {400, BYTES(GET "X\0: a\r\n\r\n")},
        {400, BYTES(GET "X: a\rb\r\n\r\n")},
        {400, BYTES(GET "X: a\nY: b\r\n\r\n")},
        {400, BYTES(GET "X: a\n\r\n")},
        {400, BYTES(GET "X: a\r\n\n")},
        {400, BYTES(GET "X: a\r\n\r\r\n")},
        {400, BYTES(GET "X: a\x7f\r\n\r\n")},
        {400, BYTES(GET "X: \x1b[0m\r\n\r\n")},
        {400, BYTES(GET "\n")},
        /* names */
        {400, BYTES(GET "X : a\r\n\r\n")},
        {400, BYTES(GET "X\t: a\r\n\r\n")},
        {400, BYTES(GET "Content-Length : 5\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding : chunked\r\n\r\n")},
        {400, BYTES(GET ": a\r\n\r\n")},
        {400, BYTES(GET "X\r\n\r\n")},
        {400, BYTES(GET "X Y: a\r\n\r\n")},
        {400, BYTES(GET "X\x80: a\r\n\r\n")},
        {400, BYTES(GET "X(: a\r\n\r\n")},
        {400, BYTES(GET "X: a\r\n b\r\n\r\n")},
        {400, BYTES(GET "X: a\r\n\tb\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\n Host: x\r\n\r\n")},
        {400, BYTES(GET " \r\n\r\n")},
        /* Host */
        {400, BYTES("GET / HTTP/1.1\r\n\r\n")},
        {400, BYTES("GET http://x/ HTTP/1.1\r\n\r\n")},
        {400, BYTES(GET HOST "\r\n")},
        {400, BYTES(GET "host: y\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.0\r\nHost: a b\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: /\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x?y\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x#y\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: u@x\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x\\y\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: http://x\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x:a\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: x:1:2\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: []\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n")},
        {400, BYTES("GET / HTTP/1.1\r\nHost: \"x\"\r\n\r\n")},
        /* Content-Length */
        {400, BYTES(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5\r\ncontent-length: 6\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5, 5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5,5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5 5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: +5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: -1\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5x\r\n\r\n")},
        {400, BYTES(GET "Content-Length: x5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 0x5\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5.0\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 1e1\r\n\r\n")},
        {400, BYTES(GET "Content-Length: \"5\"\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 5;\r\n\r\n")},
        {400, BYTES(GET "Content-Length: \xb2\r\n\r\n")},
        {400, BYTES(GET "Content-Length:\r\n\r\n")},
        {400, BYTES(GET "Content-Length: \t \r\n\r\n")},
        {400, BYTES(GET "Content-Length: 18446744073709551616\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 18446744073709551621\r\n\r\n")},
        {400, BYTES(GET "Content-Length: 99999999999999999999999\r\n\r\n")},
        {400,
         BYTES(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
        {400, BYTES(GET "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n")},
        /* Transfer-Encoding */
        {501, BYTES(GET "Transfer-Encoding: foo\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: gzip\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: identity\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: gzip, chunked\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: chunked, gzip\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: xchunked\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: chunkedx\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: chunked;q=1\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: \"chunked\"\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: chunked chunked\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {501, BYTES(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: foo\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: chunked, chunked\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: chunked,\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: ,chunked\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding:\r\n\r\n")},
        {400, BYTES(GET "Transfer-Encoding: \x0b"
                        "chunked\r\n\r\n")},
        {400, BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")},
        {501, BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n")},
        /* Expect */
        {417, BYTES(GET "Expect: 200-ok\r\n\r\n")},
        {417, BYTES(GET "Expect:\r\n\r\n")},
        {417, BYTES(GET "Expect: 100-continue, x\r\n\r\n")},
        {417, BYTES(GET "Expect: 100-continue;q=1\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(cases[i].head, cases[i].status);
}

static void rewritten(void **state)
{
    static const struct {
        struct bytes head;
        const char *to; /* NULL: the same */
    } cases[] = {
        {BYTES(GET "\r\n"), NULL},
        {BYTES("GET /a%20b?c=d&e HTTP/1.0\r\n\r\n"), NULL},
        {BYTES("X-!#$%&'*+.^_`|~09 /\xc3\xa9\"<>{}# HTTP/1.1\r\nhOST:x\r\n\r\n"), NULL},
        {BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), NULL},
        {BYTES("GET / HTTP/1.1\r\nHost: a-b_c.example:8080\r\n\r\n"), NULL},
        {BYTES("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]:80\r\n\r\n"), NULL},
        {BYTES("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"), NULL},
        {BYTES("GET / HTTP/1.1\r\nHost: x:\r\n\r\n"), NULL},
        {BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), NULL},
        {BYTES(GET "X: \xe9\xff \t y\r\nX:\r\n\r\n"), NULL},
        {BYTES(GET "Content-Length: 005\r\n\r\n"), NULL},
        {BYTES(GET "Expect: 100-Continue\r\nTransfer-Encoding: Chunked\r\n\r\n"), NULL},
        {BYTES("GET http://host/livez HTTP/1.1\r\n" HOST "\r\n"),
         "GET /livez HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES("GET HTTPS://h.x:8/a?b=http://c HTTP/1.1\r\n" HOST "\r\n"),
         "GET /a?b=http://c HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES("GET http://h HTTP/1.1\r\n" HOST "\r\n"), "GET / HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES("GET http://h?a=b HTTP/1.1\r\n" HOST "\r\n"), "GET /?a=b HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES("GET http://[::1]:80/ HTTP/1.0\r\n\r\n"), "GET / HTTP/1.0\r\n\r\n"},
        {BYTES("OPTIONS http://h HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES("OPTIONS http://h/ HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS / HTTP/1.1\r\n" HOST "\r\n"},
        {BYTES(GET "Content-Length: 5 \r\nX-Request-Id: a\t \r\nX:  \r\nY: b\r\n\r\n"),
         GET "Content-Length: 5\r\nX-Request-Id: a\r\nX:\r\nY: b\r\n\r\n"},
        {BYTES(GET "Transfer-Encoding: \tCHUNKED \r\n\r\n"),
         GET "Transfer-Encoding: \tCHUNKED\r\n\r\n"},
        {BYTES(GET "Expect: 100-continue\r\nX: y\r\n\r\n"), GET "X: y\r\n\r\n"},
        {BYTES(GET "Expect: 100-continue \r\nContent-Length: 1\r\n\r\n"),
         GET "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"},
        {BYTES(GET "cookie: a=b; c\r\nX: y\r\nCookie: d\r\n\r\n"), GET "X: y\r\n\r\n"},
        {BYTES(GET "Content-Length: 5\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"),
         GET "X: y\r\nTransfer-Encoding: chunked\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *to = cases[i].to != NULL ? cases[i].to : cases[i].head.at;
        struct head_reader reader;
        char bytes[512];
        size_t size;

        assert_int_equal(verdict(&reader, cases[i].head), 0);
        assert_int_equal(reader.size, cases[i].head.size);
        memcpy(bytes, cases[i].head.at, reader.size);
        size = head_rewrite(&reader, bytes);
        if (size != strlen(to) || memcmp(bytes, to, size) != 0)
            fail_msg("%.*s, not %s", (int)size, bytes, to);
    }
}

static void framing(void **state)
{
    static const struct {
        struct bytes head;
        struct head is;
    } cases[] = {
        {BYTES(GET "\r\n"), {0}},
        {BYTES(GET "Content-Length: 0\r\n\r\n"), {0}},
        {BYTES(GET "Content-Length: 0012 \r\n\r\n"), {.body_bytes = 12}},
        {BYTES("POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n"), {.body_bytes = 7}},
        {BYTES(GET "Content-Length: 18446744073709551615\r\n\r\n"), {.body_bytes = UINT64_MAX}},
        {BYTES(GET "transfer-encoding: chunked\r\n\r\n"), {.chunked = true}},
        {BYTES(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
         {.chunked = true, .closes = true}},
        {BYTES(GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
         {.chunked = true, .closes = true}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct head_reader reader;

        assert_int_equal(verdict(&reader, cases[i].head), 0);
        assert_int_equal(reader.head.chunked, cases[i].is.chunked);
        assert_int_equal(reader.head.closes, cases[i].is.closes);
        assert_int_equal(reader.head.body_bytes, cases[i].is.body_bytes);
    }
}

/* As many as may be, and one more. */
static void counts(void **state)
{
    static char text[8192];
    int n;

    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        n = sprintf(text, "%s", GET);
        for (int i = 1; i < HEAD_FIELDS_MAX + extra; i++)
            n += sprintf(text + n, "a:b\r\n");
        n += sprintf(text + n, "\r\n");
        check((struct bytes){text, (size_t)n}, extra != 0 ? 431 : 0);
        n = sprintf(text, "GET /?a");
        for (int i = 1; i < HEAD_PARAMETERS_MAX + extra; i++)
            n += sprintf(text + n, "&a");
        n += sprintf(text + n, " HTTP/1.1\r\n" HOST "\r\n");
        check((struct bytes){text, (size_t)n}, extra != 0 ? 414 : 0);
    }
}

/* Any one byte at any place of a head: no other reading than by the rules, and none outside it. */
static void any_byte_anywhere(void **state)
{
    static const char good[] = "POST /a?b HTTP/1.1\r\nHost: x:1\r\nContent-Length: 12\r\n\r\n";
    struct damage damage = damage_of(good, sizeof good - 1);
    struct head_reader reader;
    const char *detail;

    (void)state;
    while (damage_byte(&damage)) {
        uint8_t byte = damage.bytes[damage.at];
        char *text = (char *)damage.bytes;
        struct head_fault fault;
        enum head_state is;

        reader = (struct head_reader){0};
        is = head_read(&reader, text, damage.size, &fault);
        if (is == HEAD_WHOLE) {
            assert_int_equal(reader.size, damage.size);
            assert_true(reader.head.body_bytes < 1000 && !reader.head.chunked);
            assert_true(head_rewrite(&reader, text) <= damage.size);
        }
        if (byte < ' ' && byte != '\t')
            assert_int_equal(is, HEAD_FAULTY);
    }
    assert_int_equal(read_head(&reader, good, sizeof good - 1, 7, &detail), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused), cmocka_unit_test(rewritten),         cmocka_unit_test(framing),
        cmocka_unit_test(counts),  cmocka_unit_test(any_byte_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
