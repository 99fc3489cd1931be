/*
 * Clients that mean harm or die at a bad moment. Each test ends with the server at rest: nothing in
 * flight, no descriptor more than at the start, and a good request answered.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "work.h"

enum { CROWD = 200 };

static struct server server;
static double fds; /* open when nothing had happened yet */

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_labelled(), "--scales", "64",
                                           "--max-cost", "1000", "--max-queue", "1000s", NULL});
    fds = server_metric(&server, "process_open_fds");
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

static void check_unharmed(void)
{
    check_alive(&server);
    check_at_rest(&server, fds);
}

/* ---------------------------------------------------------------- leaving -------------------- */

static void test_leaves_in_the_middle_of_the_body(void **state)
{
    struct blob image = picture(80, 60);
    double before = server_metric(&server, "vgg_requests_cancelled_total{stage=\"body\"}");
    struct raw raw;

    (void)state;
    for (int i = 0; i < 10; i++) {
        raw_open(&raw, &server);
        assert_true(raw_post(&raw, "", &image, (size_t)i * image.size / 10));
        if (i % 2 == 0)
            raw_close(&raw);
        else
            raw_reset(&raw);
    }
    /* A reset may overtake what was sent before it, so that no request was ever seen. */
    server_wait_metric_reaches(&server, "vgg_requests_cancelled_total{stage=\"body\"}", before + 5);
    check_unharmed();
    blob_free(&image);
}

static void test_leaves_while_its_request_is_computed(void **state)
{
    struct blob image = picture(80, 60);
    double before = server_metric(&server, CLASSIFIED);
    struct raw raws[8];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        raw_open(&raws[i], &server);
        assert_true(raw_post(&raws[i], "?scales=256,512", &image, image.size));
    }
    server_wait_begun(&server, 2, before);
    for (size_t i = 0; i < COUNT_OF(raws); i++)
        if (i % 2 == 0)
            raw_close(&raws[i]);
        else
            raw_reset(&raws[i]);
    check_unharmed();
    blob_free(&image);
}

/* Megabytes of answers that nobody takes: nobody else notices. */
static void test_never_reads_its_answer(void **state)
{
    struct blob image = picture(80, 60);
    struct raw raws[4];
    int little = 2048;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        raw_open(&raws[i], &server);
        setsockopt(raws[i].fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        for (int j = 0; j < 6; j++)
            assert_true(raw_post(&raws[i], "?scales=32,33,34,35,36,37,38,39&views=1&top_k=1000",
                                 &image, image.size));
    }
    for (int i = 0; i < 5; i++)
        check_alive(&server);
    for (size_t i = 0; i < COUNT_OF(raws); i++)
        raw_close(&raws[i]);
    check_unharmed();
    blob_free(&image);
}

static void test_half_a_request_line(void **state)
{
    static const char *const pieces[] = {"",
                                         "P",
                                         "POST",
                                         "POST /class",
                                         "POST /classify HTTP/1.1",
                                         "POST /classify HTTP/1.1\r\nHost: x",
                                         "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 9"};
    struct raw raw;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        raw_open(&raw, &server);
        assert_true(raw_text(&raw, pieces[i]));
        raw_close(&raw);
    }
    check_unharmed();
}

static void test_two_hundred_connections_at_once(void **state)
{
    struct raw *raws = calloc(CROWD, sizeof *raws);

    (void)state;
    assert_non_null(raws);
    for (int i = 0; i < CROWD; i++)
        raw_open(&raws[i], &server);
    check_alive(&server);
    for (int i = 0; i < CROWD; i++)
        if (i % 3 == 0)
            raw_reset(&raws[i]);
        else
            raw_close(&raws[i]);
    free(raws);
    check_unharmed();
}

/* ---------------------------------------------------------------- bodies that are cut -------- */

/* Nothing of ours can be sent any more: the end of the connection is the answer. */
static void check_cut(struct raw *raw)
{
    assert_true(raw_ends(raw));
    raw_close(raw);
}

static void test_bodies_that_can_only_be_cut(void **state)
{
    static const char cut[] = "vgg_requests_cancelled_total{stage=\"body\"}";
    static char chunk[4096 + 8] = "1000\r\n";
    struct blob image = picture(80, 60);
    struct server strict;
    struct raw raw;
    bool open = true;

    (void)state;
    server_start(&strict, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                           "--deadline", "1s", "--max-body", "64K", NULL});
    assert_int_equal(server_metric(&strict, cut), 0);

    /* One byte in a tenth of a second: a limit between two bytes would never end this. */
    raw_open(&raw, &strict);
    assert_true(raw_post(&raw, "", &image, 0));
    for (size_t i = 0; i < image.size && i < 600 && open; i++) {
        open = raw_send(&raw, image.bytes + i, 1);
        for (int j = 0; j < 10; j++)
            nap();
    }
    assert_false(open);
    check_cut(&raw);
    server_wait_metric(&strict, cut, 1);

    /* Chunks without end. */
    raw_open(&raw, &strict);
    assert_true(raw_text(&raw, "POST /classify HTTP/1.1\r\nHost: x\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"));
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    open = true;
    for (int i = 0; i < 17 && open; i++)
        open = raw_send(&raw, chunk, sizeof chunk);
    check_cut(&raw);
    server_wait_metric(&strict, cut, 2);

    check_alive(&strict);
    server_stop(&strict);
    blob_free(&image);
}

/* ---------------------------------------------------------------- malformed HTTP ------------- */

/* Send bytes, end the request, and see the connection end; any answer is a refusal. */
static void check_malformed(const char *bytes, size_t size)
{
    struct answer answer;
    struct raw raw;

    raw_open(&raw, &server);
    (void)raw_send(&raw, bytes, size);
    shutdown(raw.fd, SHUT_WR);
    if (raw_answer(&raw, &answer)) {
        if ((answer.status < 400 || answer.status > 499) && answer.status != 505)
            fail_msg("status %ld for %.80s", answer.status, bytes);
        answer_free(&answer);
    }
    raw_close(&raw);
}

static void check_malformed_text(const char *text)
{
    check_malformed(text, strlen(text));
}

static void test_header_of_100_kilobytes(void **state)
{
    static const char start[] = "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ";
    size_t size = 100 << 10;
    char *bytes = malloc(size);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', size);
    memcpy(bytes, start, sizeof start - 1);
    memcpy(bytes + size - 4, "\r\n\r\n", 4);
    check_malformed(bytes, size);
    memset(bytes, 'a', size); /* and as a request line */
    memcpy(bytes, "GET /", 5);
    check_malformed(bytes, size);
    for (size_t i = 0; i + 1 < size; i += 6) /* and as very many headers */
        memcpy(bytes + i, "a: b\r\n", size - i < 6 ? size - i : 6);
    memcpy(bytes, start, 21);
    check_malformed(bytes, size);
    free(bytes);
    check_unharmed();
}

static void test_bad_chunk_sizes(void **state)
{
    static const char *const chunks[] = {
        "zz\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFFFFFFFFF\r\nabc\r\n",
        "8000000000000000\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcdefgh\r\n0\r\n\r\n",
        "\r\n\r\n",
        "3",
    };
    char request[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        snprintf(request, sizeof request,
                 "POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s",
                 chunks[i]);
        check_malformed_text(request);
    }
    check_unharmed();
}

static void test_bad_requests(void **state)
{
    static const char zeros[64];

    (void)state;
    check_malformed(zeros, sizeof zeros);
    check_malformed("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); /* TLS */
    check_malformed_text("POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n");
    check_malformed_text("POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\nab");
    check_malformed_text("POST /classify HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 99999999999999999999999\r\n\r\n");
    check_malformed_text("POST /classify HTTP/1.1\r\nContent-Length: 0\r\n\r\n"); /* no Host */
    check_malformed_text("POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n");
    check_malformed_text("GARBAGE\r\n\r\n");
    check_malformed_text("GET /classify HTTP/9.9\r\nHost: x\r\n\r\n");
    check_unharmed();
}

/* ---------------------------------------------------------------- old and eager clients ------ */

static void test_http_1_0(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;
    struct raw raw;
    char head[128];

    (void)state;
    raw_open(&raw, &server);
    snprintf(head, sizeof head, "POST /classify HTTP/1.0\r\nContent-Length: %zu\r\n\r\n",
             image.size);
    assert_true(raw_text(&raw, head));
    assert_true(raw_send(&raw, image.bytes, image.size));
    assert_true(raw_answer(&raw, &answer));
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    assert_true(raw_ends(&raw)); /* it does not keep alive unasked */
    raw_close(&raw);
    check_unharmed();
    blob_free(&image);
}

/* A client may say that it will send no more, and still wait for its answer. */
static void test_half_closed_client(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;
    struct raw raw;

    (void)state;
    raw_open(&raw, &server);
    assert_true(raw_post(&raw, "?scales=256", &image, image.size));
    shutdown(raw.fd, SHUT_WR);
    assert_true(raw_answer(&raw, &answer));
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    check_unharmed();
    blob_free(&image);
}

static void test_pipelined_requests(void **state)
{
    static const char get[] = "GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: first\r\n\r\n";
    static const char missing[] = "GET /none HTTP/1.1\r\nHost: x\r\nX-Request-Id: third\r\n\r\n";
    struct blob image = picture(80, 60), all;
    struct answer answer;
    struct raw raw;
    int head;

    (void)state;
    all.bytes = calloc(1, 2 * (image.size + 512));
    assert_non_null(all.bytes);
    head = sprintf((char *)all.bytes,
                   "%sPOST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: "
                   "%zu\r\n\r\n",
                   get, image.size);
    memcpy(all.bytes + head, image.bytes, image.size);
    all.size = (size_t)head + image.size;
    memcpy(all.bytes + all.size, missing, sizeof missing - 1);
    all.size += sizeof missing - 1;
    raw_open(&raw, &server);
    assert_true(raw_send(&raw, all.bytes, all.size));
    assert_true(raw_answer(&raw, &answer));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_header(&answer, "X-Request-Id"), "first");
    answer_free(&answer);
    assert_true(raw_answer(&raw, &answer));
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    assert_true(raw_answer(&raw, &answer));
    assert_string_equal(answer_header(&answer, "X-Request-Id"), "third");
    check_problem(&answer, 404, "not-found");
    raw_close(&raw);
    check_unharmed();
    blob_free(&all);
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_in_the_middle_of_the_body),
        cmocka_unit_test(test_leaves_while_its_request_is_computed),
        cmocka_unit_test(test_never_reads_its_answer),
        cmocka_unit_test(test_half_a_request_line),
        cmocka_unit_test(test_two_hundred_connections_at_once),
        cmocka_unit_test(test_bodies_that_can_only_be_cut),
        cmocka_unit_test(test_header_of_100_kilobytes),
        cmocka_unit_test(test_bad_chunk_sizes),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_half_closed_client),
        cmocka_unit_test(test_pipelined_requests),
    };

    return cmocka_run_group_tests_name("hostile", tests, setup, teardown);
}
