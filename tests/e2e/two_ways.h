/* The fixture of programs that ask two servers the same, one plain and one through TLS. */
#ifndef VGG_TESTS_TWO_WAYS_H
#define VGG_TESTS_TWO_WAYS_H

#include <stdio.h>

#include "certificate_maker.h"
#include "check.h"
#include "client.h"
#include "work.h"

enum { PLAIN, TLS, WAYS, DAYS = 30 };

#define HOST "Host: x\r\n"
#define GET "GET /livez HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /classify HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static struct server servers[WAYS];
static double fds[WAYS]; /* open when nothing had happened yet */

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    for (int way = 0; way < WAYS; way++)
        server_stop(&servers[way]);
    return work_teardown(state);
}

static inline void open_way(struct raw *raw, int way)
{
    (way == TLS ? raw_open_tls : raw_open)(raw, &servers[way]);
}

static inline void check_unharmed(void)
{
    for (int way = 0; way < WAYS; way++) {
        check_alive(&servers[way]);
        check_at_rest(&servers[way], fds[way]);
    }
}

/* Send bytes, and get so many good answers. */
static inline void expect_ok(struct raw *raw, size_t n)
{
    struct answer answer;

    for (size_t i = 0; i < n; i++) {
        assert_true(raw_answer(raw, &answer));
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
}

#endif
