/*
 * The gate as a stream: whatever pieces the bytes come in, and whatever room there is for them, the
 * same goes on, all of it that may, before the next piece comes.
 */
#include "check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "gate/gate.h"

#define HOST "Host: x\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /a HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define REFUSED "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"
#define REFUSED_HEAD "HEAD / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"

enum { HEAD_MAX = 4096, STREAM_MAX = 64 << 10, AGAIN = -77 };

/* A stream whose next piece is there only when the test says so. */
struct stream {
    const char *bytes;
    size_t size, there, read;
    size_t heads; /* that began */
};

static ssize_t read_stream(void *from, void *bytes, size_t size)
{
    struct stream *stream = from;
    size_t n = stream->there - stream->read;

    assert_true(size != 0);
    if (n == 0)
        return stream->there == stream->size ? 0 : AGAIN;
    n = n < size ? n : size;
    memcpy(bytes, stream->bytes + stream->read, n);
    stream->read += n;
    return (ssize_t)n;
}

static void on_head(void *context)
{
    ((struct stream *)context)->heads++;
}

/* What came out. */
static struct {
    char bytes[STREAM_MAX];
    size_t size, heads;
} out;

/* Read as libmicrohttpd does by epoll: not again after a short read, until something comes. */
static void read_all(struct gate *gate, struct stream *stream, size_t room)
{
    const struct gate_source source = {read_stream, stream, AGAIN};
    ssize_t n;

    do {
        char *copy = malloc(room);

        assert_non_null(copy);
        n = gate_read(gate, &source, copy, room);
        assert_true(n == AGAIN || (n >= 0 && (size_t)n <= room));
        if (n > 0) {
            assert_true(out.size + (size_t)n <= sizeof out.bytes);
            memcpy(out.bytes + out.size, copy, (size_t)n);
            out.size += (size_t)n;
        }
        free(copy);
    } while (n == (ssize_t)room);
    assert_false(gate_pending(gate));
}

/* Pieces: up to `cut`, from there on; or, where step is not 0, of step bytes. */
static void run(struct gate *gate, const char *bytes, size_t size, size_t cut, size_t step,
                size_t room)
{
    struct stream stream = {.bytes = bytes, .size = size};

    out.size = 0;
    assert_true(gate_init(gate, HEAD_MAX, on_head, &stream));
    while (stream.there < size) {
        size_t next = step != 0 ? stream.there + step : stream.there < cut ? cut : size;

        stream.there = next < size ? next : size;
        read_all(gate, &stream, room);
    }
    out.heads = stream.heads;
}

struct expected {
    const char *in;
    size_t in_size;
    const char *out;
    size_t heads;
    unsigned status;           /* of the last one's fault, or 0 */
    size_t last;               /* after which the connection ends, or 0 */
    const char *method, *path; /* of a bad head */
};

static void check(const struct expected *expected, size_t cut, size_t step, size_t room)
{
    const struct gate_fault *fault;
    struct gate gate;

    run(&gate, expected->in, expected->in_size, cut, step, room);
    if (out.size != strlen(expected->out) || memcmp(out.bytes, expected->out, out.size) != 0)
        fail_msg("cut %zu, step %zu, room %zu: %.*s, not %s", cut, step, room, (int)out.size,
                 out.bytes, expected->out);
    assert_int_equal(gate.heads_n, expected->heads);
    assert_true(out.heads >= expected->heads);
    for (size_t n = 1; n <= expected->heads; n++) {
        fault = gate_fault(&gate, n);
        assert_int_equal(fault != NULL, expected->status != 0 && n == expected->heads);
        assert_int_equal(gate_ends(&gate, n), fault != NULL || n == expected->last);
        if (fault == NULL)
            continue;
        assert_int_equal(fault->why.status, expected->status);
        assert_true(fault->why.detail[0] != '\0');
        assert_int_equal(fault->method != NULL, expected->method != NULL);
        /* Where less of it was there, less could be read. */
        if (expected->path != NULL && step == 0 && cut == expected->in_size) {
            assert_string_equal(fault->method, expected->method);
            assert_string_equal(fault->path, expected->path);
        }
    }
    assert_non_null(gate_fault(&gate, expected->heads + 1)); /* past the gate */
    assert_true(gate_ends(&gate, expected->heads + 1));
    gate_fini(&gate);
}

static void check_all(const struct expected *cases, size_t n)
{
    static const size_t rooms[] = {1, 2, 7, 100, STREAM_MAX / 2};

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < COUNT_OF(rooms); j++) {
            for (size_t cut = 0; cut <= cases[i].in_size; cut++)
                check(&cases[i], cut, 0, rooms[j]);
            for (size_t step = 1; step < 4; step++)
                check(&cases[i], 0, step, rooms[j]);
        }
}

/* A stream, what goes on of it in so many heads, and the status of the last where it is refused. */
#define GOOD(given, passed, n) .in = given, .in_size = sizeof given - 1, .out = passed, .heads = n
#define BAD(given, passed, n, code) GOOD(given, passed, n), .status = code
#define BAD_HEAD(given, passed, n, code, word, target)                                             \
    BAD(given, passed, n, code), .method = word, .path = target

static void good_streams(void **state)
{
    static const struct expected cases[] = {
        {GOOD(GET, GET, 1)},
        {GOOD(GET GET GET GET, GET GET GET GET, 4)},
        {GOOD("\r\n" GET "\r\n\r\n" GET, GET GET, 2)},
        {GOOD(POST "Content-Length: 5\r\n\r\n\r\n\r\nx" GET,
              POST "Content-Length: 5\r\n\r\n\r\n\r\nx" GET, 2)},
        {GOOD(POST "Content-Length: 0\r\n\r\n" GET, POST "Content-Length: 0\r\n\r\n" GET, 2)},
        /* A body that looks like a bad head, with a GET too. */
        {GOOD("GET / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nGET\n / \r\n" GET,
              "GET / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nGET\n / \r\n" GET, 2)},
        {GOOD("GET http://h/livez HTTP/1.1\r\n" HOST "Content-Length: 2 \r\n\r\nab" GET,
              "GET /livez HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab" GET, 2)},
        {GOOD(CHUNKED "0\r\n\r\n" GET, CHUNKED "0\r\n\r\n" GET, 2)},
        {GOOD(CHUNKED "0a;x=\"\t\"\r\n\r\n34\n0\r\n0\n\r\n0\r\n\r\n" GET,
              CHUNKED "a\r\n\r\n34\n0\r\n0\n\r\n0\r\n\r\n" GET, 2)},
        {GOOD(CHUNKED "00003;a=b\r\nabc\r\n0A\r\n1234567890\r\n00;end\r\n\r\n" GET,
              CHUNKED "3\r\nabc\r\na\r\n1234567890\r\n0\r\n\r\n" GET, 2)},
        {GOOD(CHUNKED "1\r\n\n\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n" GET,
              CHUNKED "1\r\n\n\r\n0\r\n\r\n" GET, 2)},
        {GOOD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" GET,
              CHUNKED "1\r\na\r\n0\r\n\r\n", 1),
         .last = 1},
    };

    (void)state;
    check_all(cases, COUNT_OF(cases));
}

static void bad_heads(void **state)
{
    static const struct expected cases[] = {
        {BAD_HEAD("GET  / HTTP/1.1\r\n" HOST "\r\n" GET, REFUSED, 1, 400, "GET", "/")},
        {BAD_HEAD(GET "GET /b?secret HTTP/1.1\r\nX : a\r\n\r\n" GET, GET REFUSED, 2, 400, "GET",
                  "/b")},
        {BAD_HEAD(GET "HEAD /h HTTP/1.1\r\nX : a\r\n\r\n", GET REFUSED_HEAD, 2, 400, "HEAD", "/h")},
        /* What the answer needs of it. */
        {BAD_HEAD(GET "HEAD /b HTTP/1.1\r\nX-Request-Id: a \r\n" HOST
                      "origin:\thttp://b\r\nX : a\r\n"
                      "X-Request-Id: b\r\n\r\n",
                  GET "HEAD / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n"
                      "X-Request-Id: a\r\norigin:\thttp://b\r\n\r\n",
                  2, 400, "HEAD", "/b")},
        {BAD_HEAD("GET / HTTP/1.1\r\nOrigin:\r\n\r\n",
                  "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\nOrigin:\r\n\r\n", 1, 400,
                  "GET", "/")},
        {BAD_HEAD("\n" GET, REFUSED, 1, 400, "", "")},
        {BAD_HEAD("\r\n\r" GET, REFUSED, 1, 400, "", "")},
        {BAD_HEAD("\0\0\0\0", REFUSED, 1, 400, "", "")},
        {BAD_HEAD("\x16\x03\x01\x02", REFUSED, 1, 400, "", "")},
        {BAD_HEAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED, 1, 505, "PRI", "*")},
        {BAD_HEAD("POST /classify HTTP/1.1\r\n" HOST "Transfer-Encoding: x\r\n\r\nGET /", REFUSED,
                  1, 501, "POST", "/classify")},
        /* After a length and after chunks, where the next request should begin. */
        {BAD_HEAD(POST "Content-Length: 1\r\n\r\na(" GET, POST "Content-Length: 1\r\n\r\na" REFUSED,
                  2, 400, "", "")},
        {BAD_HEAD(CHUNKED "0\r\n\r\n(" GET, CHUNKED "0\r\n\r\n" REFUSED, 2, 400, "", "")},
    };

    (void)state;
    check_all(cases, COUNT_OF(cases));
}

static void bad_chunks(void **state)
{
    static const char *const sizes[] = {
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        "\r\n",
        ";x\r\n",
        " 1\r\n",
        "1 \r\n",
        "1 ;x\r\n",
        "1\t\r\n",
        "1,\r\n",
        "1\n",
        "\n",
        "0\n\r\n",
        "1;a\rb\r\n",
        "1;a\x01\r\n",
        "1;\x7f\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffffffffffff\r\n",
    };
    static const struct expected cases[] = {
        {BAD(CHUNKED "1\r\nab\r\n0\r\n\r\n" GET, CHUNKED "1\r\na\r\n0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "1\r\na\n0\r\n\r\n" GET, CHUNKED "1\r\na\r\n0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "1\r\na\rb0\r\n\r\n" GET, CHUNKED "1\r\na\r\n0\r\n\r\n", 1, 400)},
        {BAD(GET CHUNKED "1\r\na\r\nx\r\n" GET, GET CHUNKED "1\r\na\r\n0\r\n\r\n", 2, 400)},
        {BAD(CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n" GET, CHUNKED "0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "0\r\nX : y\r\n\r\n" GET, CHUNKED "0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "0\r\n\n" GET, CHUNKED "0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "0\r\nX: a\n\r\n" GET, CHUNKED "0\r\n\r\n", 1, 400)},
        {BAD(CHUNKED "0\r\nX: a\0\r\n\r\n" GET, CHUNKED "0\r\n\r\n", 1, 400)},
    };
    char in[512];

    (void)state;
    check_all(cases, COUNT_OF(cases));
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct expected each = {.in = in, .out = CHUNKED "0\r\n\r\n", .heads = 1, .status = 400};

        each.in_size = (size_t)snprintf(in, sizeof in, "%s%sa\r\n0\r\n\r\n", CHUNKED, sizes[i]);
        check_all(&each, 1);
    }
    /* The largest that fits. */
    check_all(&(struct expected){GOOD(CHUNKED "7FFFFFFFFFFFFFFF\r\nabc",
                                      CHUNKED "7fffffffffffffff\r\nabc", 1)},
              1);
}

/* ---------------------------------------------------------------- limits --------------------- */

static char *fill(const char *start, size_t size, const char *end)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'a', size);
    memcpy(text, start, strlen(start));
    memcpy(text + size - strlen(end), end, strlen(end) + 1);
    return text;
}

static void check_size(const char *start, size_t size, const char *end, unsigned status)
{
    char *text = fill(start, size, end);
    struct expected each = {.in = text,
                            .in_size = size,
                            .out = status == 0 ? text : REFUSED,
                            .heads = 1,
                            .status = status,
                            .method = status == 0 ? NULL : "GET"};

    for (size_t step = 1; step < size; step = step * 3 + 1)
        for (size_t room = 1; room < STREAM_MAX / 2; room *= 11)
            check(&each, 0, step, room);
    free(text);
}

/* As many bytes as are allowed, and one more; the end need not come to be refused. */
static void sizes_of_heads(void **state)
{
    static const char line_end[] = " HTTP/1.1\r\n" HOST "\r\n";

    (void)state;
    check_size("GET / HTTP/1.1\r\n" HOST "X: ", HEAD_MAX, "\r\n\r\n", 0);
    check_size("GET / HTTP/1.1\r\n" HOST "X: ", HEAD_MAX + 1, "\r\n\r\n", 431);
    check_size("GET / HTTP/1.1\r\n" HOST "X: ", HEAD_MAX, "", 431);
    check_size("GET / HTTP/1.1\r\n" HOST "X: ", 3 * HEAD_MAX, "", 431);
    check_size("GET /", HEAD_MAX, line_end, 0);
    check_size("GET /", HEAD_MAX + 1, line_end, 431); /* of which the last byte is too much */
    check_size("GET /", HEAD_MAX + sizeof line_end, line_end, 414);
    check_size("GET /", HEAD_MAX, "", 414);
}

static void sizes_of_chunk_lines(void **state)
{
    static char in[8192];
    struct expected each = {.in = in, .out = CHUNKED "1\r\na\r\n0\r\n\r\n", .heads = 1};

    (void)state;
    each.in_size = (size_t)sprintf(in, "%s1;%0*d\r\na\r\n0\r\n\r\n", CHUNKED, 1000, 0);
    check(&each, 0, 100, 100);
    each.out = CHUNKED "0\r\n\r\n";
    each.status = 400;
    /* With its end and without: the pieces that it comes in do not matter. */
    each.in_size = (size_t)sprintf(in, "%s1;%0*d\r\na\r\n0\r\n\r\n", CHUNKED, 1021, 0);
    check(&each, 0, sizeof in, sizeof in);
    check(&each, 0, 100, 100);
    each.in_size = (size_t)sprintf(in, "%s1;%0*d\r\na\r\n0\r\n\r\n", CHUNKED, 1100, 0);
    check(&each, 0, 100, 100);
    each.in_size = (size_t)sprintf(in, "%s0\r\nX: %0*d\r\n\r\n", CHUNKED, HEAD_MAX, 0);
    check(&each, 0, 100, 100);
    each.in_size = (size_t)sprintf(in, "%s0\r\nX: %0*d\r\nX: %0*d\r\n\r\n", CHUNKED, HEAD_MAX / 2,
                                   0, HEAD_MAX / 2, 0);
    check(&each, 0, 100, 100);
}

/* A body goes straight through, whatever its size: nothing of it is kept. */
static void bodies_pass(void **state)
{
    static char in[STREAM_MAX / 2];
    size_t head = (size_t)sprintf(in, "%sContent-Length: %zu\r\n\r\n", POST, sizeof in);
    struct expected each = {.in = in, .in_size = sizeof in - 1, .out = in, .heads = 1};

    (void)state;
    memset(in + head, 'b', sizeof in - head - 1);
    for (size_t step = 1; step < sizeof in; step = step * 5 + 3)
        for (size_t room = 3; room < STREAM_MAX; room *= 9)
            check(&each, 0, step, room);
}

/* ---------------------------------------------------------------- the rest ------------------- */

static void ends_and_errors(void **state)
{
    struct stream stream = {.bytes = "GET /", .size = 5, .there = 4};
    const struct gate_source source = {read_stream, &stream, AGAIN};
    struct gate gate;
    char bytes[64];

    (void)state;
    assert_true(gate_init(&gate, HEAD_MAX, on_head, &stream));
    assert_false(gate_holds(&gate));
    errno = 0;
    assert_int_equal(gate_read(&gate, &source, bytes, sizeof bytes), AGAIN);
    assert_int_equal(errno, EAGAIN);
    assert_true(gate_holds(&gate));
    assert_false(gate_pending(&gate));
    assert_int_equal(gate_read(&gate, &source, bytes, sizeof bytes), AGAIN);
    stream.there = 5;
    assert_int_equal(gate_read(&gate, &source, bytes, sizeof bytes), AGAIN);
    assert_int_equal(gate_read(&gate, &source, bytes, sizeof bytes), 0);
    assert_int_equal(stream.heads, 1);
    gate_fini(&gate);
}

static void no_memory(void **state)
{
    struct gate gate;

    (void)state;
    fault_arm(1);
    assert_int_equal(gate_init(&gate, HEAD_MAX, on_head, NULL), !fault_available());
    (void)fault_disarm();
    gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_streams),         cmocka_unit_test(bad_heads),
        cmocka_unit_test(bad_chunks),           cmocka_unit_test(sizes_of_heads),
        cmocka_unit_test(sizes_of_chunk_lines), cmocka_unit_test(bodies_pass),
        cmocka_unit_test(ends_and_errors),      cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
