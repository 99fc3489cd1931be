/* A log that nobody reads, or that has nowhere to go: the server answers on. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

#define DROPPED "vgg_log_lines_dropped_total"

enum { REQUESTS = 4000, PATH_BYTES = 500, PIECE_BYTES = 64 << 10 };

static void start(struct server *server, int err_fd)
{
    server_start_to(
        server,
        (const char *[]){"--model", model_narrow(), "--scales", "64", "--log", "json", NULL},
        err_fd);
}

/* Many requests with long lines in the log, one after the other on one connection. */
static void make_requests(const struct server *server, size_t n)
{
    char request[PATH_BYTES + 64], path[PATH_BYTES];
    struct answer answer;
    struct raw raw;

    memset(path, 'p', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    raw_open(&raw, server);
    for (size_t i = 0; i < n; i++) {
        assert_true(raw_text(&raw, request));
        assert_true(raw_answer(&raw, &answer));
        assert_int_equal(answer.status, 404);
        answer_free(&answer);
    }
    raw_close(&raw);
}

/* Read what is there, and go on while lines come; how many there were, each whole and JSON. */
static size_t read_lines(int fd, char *rest, size_t *rest_size)
{
    size_t lines = 0;
    ssize_t n;

    while ((n = read(fd, rest + *rest_size, PIECE_BYTES - *rest_size)) > 0) {
        char *at = rest, *end;

        *rest_size += (size_t)n;
        while ((end = memchr(at, '\n', *rest_size - (size_t)(at - rest))) != NULL) {
            json_t *line = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);

            if (line == NULL)
                fail_msg("not JSON: %.*s", (int)(end - at), at);
            lines += json_object_get(line, "path") != NULL;
            json_decref(line);
            at = end + 1;
        }
        *rest_size -= (size_t)(at - rest);
        memmove(rest, at, *rest_size);
    }
    return lines;
}

static void test_full_pipe(void **state)
{
    static char rest[PIECE_BYTES];
    struct server server;
    size_t rest_size = 0;
    double lines = 0, dropped;
    int log[2];

    (void)state;
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    start(&server, log[1]);
    make_requests(&server, REQUESTS);
    check_alive(&server);
    assert_true(server_metric(&server, DROPPED) > 0);
    assert_int_equal(fcntl(log[0], F_SETFL, O_NONBLOCK), 0);
    lines += (double)read_lines(log[0], rest, &rest_size);
    make_requests(&server, REQUESTS); /* more, while some of the first still wait */
    dropped = server_metric(&server, DROPPED);
    for (int i = 0; i < NAPS_MAX && lines + dropped < 2 * REQUESTS; i++) {
        lines += (double)read_lines(log[0], rest, &rest_size);
        nap();
    }
    assert_true(lines + dropped >= 2 * REQUESTS);
    print_message("%g lines read, %g dropped of %d\n", lines, dropped, 2 * REQUESTS);

    /* Once it is read again nothing is lost. */
    dropped = server_metric(&server, DROPPED);
    for (int i = 0; i < 10; i++) {
        make_requests(&server, 1);
        (void)read_lines(log[0], rest, &rest_size);
    }
    assert_int_equal(server_metric(&server, DROPPED), dropped);
    server_stop(&server);
    close(log[0]);
    close(log[1]);
}

/* The end waits for the reader, but not for ever. */
static void test_end_with_a_full_pipe(void **state)
{
    struct server server;
    int log[2];

    (void)state;
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    start(&server, log[1]);
    make_requests(&server, 500);
    server_stop(&server);
    close(log[0]);
    close(log[1]);
}

static void test_reader_that_left(void **state)
{
    struct server server;
    int log[2];

    (void)state;
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    start(&server, log[1]);
    close(log[0]);
    make_requests(&server, 10);
    server_wait_metric_reaches(&server, DROPPED, 10);
    check_alive(&server);
    server_stop(&server);
    close(log[1]);
}

static void test_full_disk(void **state)
{
    struct server server;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    start(&server, full);
    make_requests(&server, 10);
    server_wait_metric_reaches(&server, DROPPED, 10);
    check_alive(&server);
    server_stop(&server);
    close(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_pipe),
        cmocka_unit_test(test_end_with_a_full_pipe),
        cmocka_unit_test(test_reader_that_left),
        cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests_name("log blocked", tests, work_setup, work_teardown);
}
