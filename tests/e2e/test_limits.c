/* Limits of an open network: connections, headers, time. Each refusal and cut is counted. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

#define CUT(reason) "vgg_connections_cut_total{reason=\"" reason "\"}"
#define CONNECTIONS_REFUSED(reason) "vgg_connections_refused_total{reason=\"" reason "\"}"

enum { ALLOWED = 5, HEADER_BYTES = 4096, TRIES = 20 };

static struct server server;

static void start(const char *option, const char *value, const char *second, const char *other)
{
    server_start(&server,
                 (const char *[]){"--model", model_labelled(), "--scales", "64", "--max-queue",
                                  "1000s", option, value, second, other, NULL});
}

/* ---------------------------------------------------------------- how many ------------------- */

/* Requests on a connection of its own until one comes through. */
static void wait_served(void)
{
    struct answer answer;
    bool served = false;

    for (int i = 0; i < NAPS_MAX && !served; i++) {
        served = call_try(&server, &(struct call){.target = "/livez"}, &answer);
        answer_free(&answer);
        nap();
    }
    assert_true(served);
}

/* An answer tells that the connection was let in: those are not counted in their order. */
static void ask_alive(struct raw *raw)
{
    struct answer answer;

    assert_true(raw_text(raw, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_answer(raw, &answer));
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

static void test_connections(void **state)
{
    struct raw raws[ALLOWED], late;
    struct answer answer;

    (void)state;
    start("--max-connections", "5", "--header-timeout", "60s");
    for (size_t i = 0; i < ALLOWED; i++) {
        raw_open(&raws[i], &server);
        ask_alive(&raws[i]);
    }
    for (int i = 0; i < 3; i++) {
        raw_open(&late, &server);
        assert_true(raw_ends(&late));
        raw_close(&late);
    }
    /* Those inside do not notice, nor does the other listener. */
    ask(&server, &(struct call){.target = "/admin/model", .admin = true}, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    for (size_t i = 0; i < ALLOWED; i++) {
        ask_alive(&raws[i]);
        raw_close(&raws[i]);
    }
    wait_served();
    assert_true(server_metric(&server, CONNECTIONS_REFUSED("limit")) >= 3);
    server_wait_metric(&server, "vgg_connections_open", 1); /* the one that asks */
    server_stop(&server);
}

/* Connect from another address of the loopback network. */
static void open_from(struct raw *raw, const char *address)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, peer = {.sin_family = AF_INET};

    *raw = (struct raw){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    peer.sin_port = htons(server.ports[0]);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(inet_pton(AF_INET, address, &own.sin_addr), 1);
    assert_int_equal(bind(raw->fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&peer, sizeof peer), 0);
}

static void test_connections_of_an_address(void **state)
{
    struct raw raws[3], others[3], late;

    (void)state;
    start("--max-connections-per-address", "3", "--header-timeout", "60s");
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        open_from(&raws[i], "127.0.0.2");
        open_from(&others[i], "127.0.0.3");
    }
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        ask_alive(&raws[i]);
        ask_alive(&others[i]);
    }
    for (int i = 0; i < 3; i++) {
        open_from(&late, i % 2 == 0 ? "127.0.0.2" : "127.0.0.3");
        assert_true(raw_ends(&late));
        raw_close(&late);
    }
    check_alive(&server); /* from a third address */
    assert_int_equal(server_metric(&server, CONNECTIONS_REFUSED("address_limit")), 3);
    raw_close(&raws[0]);
    server_wait_metric(&server, "vgg_connections_open", 6); /* with the one that asks */
    open_from(&raws[0], "127.0.0.2");
    ask_alive(&raws[0]);
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        raw_close(&raws[i]);
        raw_close(&others[i]);
    }
    server_stop(&server);
}

/* ---------------------------------------------------------------- how long ------------------- */

/* A byte in a tenth of a second, as long as they are taken. */
static void drip(struct raw *raw, const char *text)
{
    for (size_t i = 0; raw_send(raw, text + i % strlen(text), 1); i++) {
        assert_true(i < 600);
        for (int j = 0; j < 10; j++)
            nap();
    }
}

static void test_slow_headers(void **state)
{
    static const char *const starts[] = {"", "GET /livez", "GET /livez HTTP/1.1\r\n",
                                         "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"};
    struct raw raws[COUNT_OF(starts)], raw;

    (void)state;
    start("--header-timeout", "1s", "--idle-timeout", "60s");
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        raw_open(&raws[i], &server);
        assert_true(raw_text(&raws[i], starts[i]));
    }
    raw_open(&raw, &server);
    assert_true(raw_text(&raw, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "));
    drip(&raw, "a");
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        assert_true(raw_ends(&raws[i]));
        raw_close(&raws[i]);
    }
    server_wait_metric(&server, CUT("headers"), COUNT_OF(starts) + 1);
    check_alive(&server);
    server_stop(&server);
}

static void test_idle_between_requests(void **state)
{
    struct answer answer;
    struct raw raw;

    (void)state;
    start("--idle-timeout", "500ms", "--header-timeout", "60s");
    raw_open(&raw, &server);
    for (int i = 0; i < 3; i++) {
        assert_true(raw_text(&raw, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(raw_answer(&raw, &answer));
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_wait_metric(&server, CUT("idle"), 1);
    assert_int_equal(server_metric(&server, CUT("headers")), 0);
    server_stop(&server);
}

/* A body has until the deadline, however it trickles. */
static void test_slow_body(void **state)
{
    struct blob image = picture(80, 60);
    struct raw raw;

    (void)state;
    start("--deadline", "1s", "--header-timeout", "60s");
    raw_open(&raw, &server);
    assert_true(raw_post(&raw, "", &image, 1));
    drip(&raw, "a");
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_wait_metric(&server, CUT("body"), 1);
    server_stop(&server);
    blob_free(&image);
}

static void test_answer_not_read(void **state)
{
    struct blob image = picture(80, 60);
    struct raw raws[4];
    int little = 2048;

    (void)state;
    start("--idle-timeout", "1s", "--max-cost", "1000");
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        raw_open(&raws[i], &server);
        setsockopt(raws[i].fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        for (int j = 0; j < 6; j++) /* more than the kernel takes for us */
            if (!raw_post(&raws[i], "?scales=32,33,34,35,36,37,38,39&views=1&top_k=1000", &image,
                          image.size))
                break;
    }
    server_wait_metric(&server, CUT("answer"), COUNT_OF(raws));
    server_wait_metric(&server, "vgg_requests_cancelled_total{stage=\"answer\"}", COUNT_OF(raws));
    check_alive(&server);
    for (size_t i = 0; i < COUNT_OF(raws); i++)
        raw_close(&raws[i]);
    server_stop(&server);
    blob_free(&image);
}

/* ---------------------------------------------------------------- how large ------------------ */

/* A request with `bytes` of headers in all, `filler` a header of them. */
static bool ask_with_headers(size_t bytes, const char *filler, struct answer *answer)
{
    static char text[1 << 18];
    size_t length = (size_t)sprintf(text, "GET /livez HTTP/1.1\r\nHost: x\r\n");
    struct raw raw;
    bool answered;

    while (length + strlen(filler) + 2 <= bytes)
        length += (size_t)sprintf(text + length, "%s", filler);
    memcpy(text + length, "\r\n", 2);
    raw_open(&raw, &server);
    (void)raw_send(&raw, text, length + 2);
    answered = raw_answer(&raw, answer);
    raw_close(&raw);
    return answered;
}

static void test_headers(void **state)
{
    static const char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n"; /* 52 */
    static char line_text[1 << 16] = "GET /";
    struct answer answer;
    struct raw raw;
    double fds;

    (void)state;
    start("--max-header", "4K", "--header-timeout", "60s");
    fds = server_metric(&server, "process_open_fds");
    assert_true(ask_with_headers(HEADER_BYTES, line, &answer));
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_true(ask_with_headers(HEADER_BYTES + sizeof line, line, &answer));
    assert_non_null(answer_header(&answer, "X-Request-Id"));
    check_problem(&answer, 431, "headers-too-large");
    assert_true(ask_with_headers(1000, "a:b\r\n", &answer)); /* very many */
    check_problem(&answer, 431, "headers-too-large");
    assert_true(ask_with_headers(100 << 10, line, &answer)); /* without an end in sight */
    check_problem(&answer, 431, "headers-too-large");
    memset(line_text + 5, 'a', sizeof line_text - 6);
    raw_open(&raw, &server);
    assert_true(raw_text(&raw, line_text));
    assert_true(raw_answer(&raw, &answer));
    check_problem(&answer, 414, "uri-too-long");
    raw_close(&raw);
    server_wait_metric(&server, CUT("malformed"), 4);
    check_alive(&server);
    check_at_rest(&server, fds);
    server_stop(&server);
}

/* ---------------------------------------------------------------- 413 to one who sends ------- */

/*
 * A client that sends all of its body before it reads: the answer must survive that. Without the
 * server reading on, its kernel resets the connection and the client's drops the answer.
 */
static void test_413_reaches_a_client_that_sends(void **state)
{
    static uint8_t zeros[4 << 20];
    const struct blob body = {zeros, sizeof zeros};
    struct answer answer;
    struct raw raw;
    double fds;

    (void)state;
    start("--max-body", "64K", "--deadline", "60s");
    fds = server_metric(&server, "process_open_fds");
    for (int i = 0; i < TRIES; i++) {
        raw_open(&raw, &server);
        assert_true(raw_post(&raw, "", &body, body.size));
        assert_true(raw_answer(&raw, &answer));
        check_problem(&answer, 413, "body-too-large");
        assert_true(raw_ends(&raw));
        raw_close(&raw);
    }
    check_at_rest(&server, fds);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),  cmocka_unit_test(test_connections_of_an_address),
        cmocka_unit_test(test_slow_headers), cmocka_unit_test(test_idle_between_requests),
        cmocka_unit_test(test_slow_body),    cmocka_unit_test(test_answer_not_read),
        cmocka_unit_test(test_headers),      cmocka_unit_test(test_413_reaches_a_client_that_sends),
    };

    return cmocka_run_group_tests_name("limits", tests, work_setup, work_teardown);
}
