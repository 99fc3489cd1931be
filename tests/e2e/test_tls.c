/*
 * TLS: what ordinary clients see, certificates replaced under way, and clients that stop in the
 * middle of a handshake.
 */
#include "check.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answers.h"
#include "background.h"
#include "certificate_maker.h"
#include "process.h"
#include "work.h"

enum { CROWD = 20, CALLERS = 4, CALLS = 25, DAYS = 30 };

#define HANDSHAKE_CUT "vgg_connections_cut_total{reason=\"handshake\"}"
#define HEADERS_CUT "vgg_connections_cut_total{reason=\"headers\"}"
#define RELOADED "vgg_secrets_reloads_total{result=\"ok\"}"
#define NOT_RELOADED "vgg_secrets_reloads_total{result=\"failed\"}"

static struct server server;
static char cert[256], key[256], old_cert[256];

static void keep_path(char path[256], const char *name)
{
    snprintf(path, 256, "%s", work_file(name));
}

static void start_with(const char *option, const char *value)
{
    server_start(&server,
                 (const char *[]){"--model", model_labelled(), "--scales", "64", "--tls-cert", cert,
                                  "--tls-key", key, option, value, NULL});
    server.ca = cert;
}

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    keep_path(cert, "cert.pem");
    keep_path(key, "key.pem");
    keep_path(old_cert, "old-cert.pem");
    return certificate_make(cert, key, -1, DAYS) ? 0 : -1;
}

/* ---------------------------------------------------------------- a client by GnuTLS --------- */

struct tls_client {
    struct raw raw;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

/* Connected, nothing said yet. */
static void client_open(struct tls_client *client, const char *priorities)
{
    raw_open(&client->raw, &server);
    assert_int_equal(gnutls_certificate_allocate_credentials(&client->credentials), 0);
    assert_int_equal(gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_priority_set_direct(client->session, priorities, NULL), 0);
    assert_int_equal(
        gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials), 0);
    gnutls_transport_set_int(client->session, client->raw.fd);
}

static void client_close(struct tls_client *client)
{
    gnutls_deinit(client->session);
    gnutls_certificate_free_credentials(client->credentials);
    raw_close(&client->raw);
}

static int handshake(struct tls_client *client)
{
    int code;

    do
        code = gnutls_handshake(client->session);
    while (code != 0 && !gnutls_error_is_fatal(code));
    return code;
}

/* What the server says is not heard. */
static ssize_t pull_nothing(gnutls_transport_ptr_t unused, void *bytes, size_t size)
{
    (void)unused, (void)bytes, (void)size;
    errno = EAGAIN;
    return -1;
}

/* Send the ClientHello and nothing more. */
static void say_hello(struct tls_client *client)
{
    gnutls_transport_set_pull_function(client->session, pull_nothing);
    assert_int_equal(gnutls_handshake(client->session), GNUTLS_E_AGAIN);
}

static ssize_t pull_again(gnutls_transport_ptr_t fd, void *bytes, size_t size)
{
    return recv((int)(intptr_t)fd, bytes, size, 0);
}

static void check_livez(struct tls_client *client)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[4096];
    size_t size = 0;

    assert_int_equal(gnutls_record_send(client->session, request, sizeof request - 1),
                     sizeof request - 1);
    do {
        ssize_t n = gnutls_record_recv(client->session, answer + size, sizeof answer - size - 1);

        assert_true(n > 0);
        size += (size_t)n;
        answer[size] = '\0';
    } while (strstr(answer, "}\n") == NULL);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
}

/* ---------------------------------------------------------------- ordinary clients ----------- */

static void test_classify(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    (void)state;
    start_with("--log", "text");
    classify(&server, "", &image, &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    check_refused(&server, "?top_k=0", &image, 400, "bad-parameter");
    assert_true(server_metric(&server, "vgg_tls_certificate_expiry_seconds") > 1e9);
    ask(&server, &(struct call){.target = "/admin/model", .admin = true}, &answer); /* plain */
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    server_stop(&server);
    blob_free(&image);
}

/* Body limits are what they are without TLS; the client is still sending when it is refused. */
static void test_bodies(void **state)
{
    static uint8_t zeros[3 << 20];
    struct blob body = {zeros, 1 << 20};

    (void)state;
    start_with("--max-body", "1M");
    check_refused(&server, "", &body, 415, "unsupported-format");
    body.size++;
    check_refused(&server, "", &body, 413, "body-too-large");
    body.size = sizeof zeros;
    check_refused(&server, "", &body, 413, "body-too-large");
    check_alive(&server);
    server_stop(&server);
}

static void test_old_versions_are_refused(void **state)
{
    static const struct {
        const char *priorities;
        bool good;
    } cases[] = {
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.0", false},
    };
    struct tls_client client;

    (void)state;
    start_with("--log", "text");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        client_open(&client, cases[i].priorities);
        assert_int_equal(handshake(&client) == 0, cases[i].good);
        if (cases[i].good)
            check_livez(&client);
        client_close(&client);
    }
    server_wait_metric(&server, HANDSHAKE_CUT, 2);
    server_stop(&server);
}

/* Without a protocol in common there is no connection; without any named, HTTP/1.1 is meant. */
static void test_protocols(void **state)
{
    static const struct {
        const char *offered[2];
        bool good;
    } cases[] = {{{"h2"}, false},
                 {{"h2", "spdy/3"}, false},
                 {{"h2", "http/1.1"}, true},
                 {{"http/1.1"}, true},
                 {{NULL}, true}};
    static const char *const priorities[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                             "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
    struct tls_client client;

    (void)state;
    start_with("--log", "text");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t j = 0; j < COUNT_OF(priorities); j++) {
            gnutls_datum_t offered[2];
            unsigned n = 0;
            int code;

            for (; n < 2 && cases[i].offered[n] != NULL; n++)
                offered[n] = (gnutls_datum_t){(unsigned char *)(uintptr_t)cases[i].offered[n],
                                              (unsigned)strlen(cases[i].offered[n])};
            client_open(&client, priorities[j]);
            if (n != 0)
                assert_int_equal(gnutls_alpn_set_protocols(client.session, offered, n, 0), 0);
            code = handshake(&client);
            assert_int_equal(code == 0, cases[i].good);
            if (code == 0)
                check_livez(&client);
            else {
                assert_int_equal(code, GNUTLS_E_FATAL_ALERT_RECEIVED);
                assert_int_equal(gnutls_alert_get(client.session),
                                 GNUTLS_A_NO_APPLICATION_PROTOCOL);
            }
            client_close(&client);
        }
    server_wait_metric(&server, HANDSHAKE_CUT, 4);
    server_stop(&server);
}

static void test_drain(void **state)
{
    struct background slow;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_slow(), "--tls-cert", cert, "--tls-key",
                                           key, "--max-cost", "1000000", NULL});
    server.ca = cert;
    background_start(&slow, &server, "/classify?scales=512");
    server_wait_begun(&server, 2, 0);
    server_stop(&server);
    background_end(&slow);
    assert_true(slow.answered);
    assert_int_equal(slow.answer.status, 200);
    answer_free(&slow.answer);
}

/* Whoever was let in is served, though all of its handshake comes after the signal. */
static void test_drain_waits_for_handshakes(void **state)
{
    struct tls_client client;

    (void)state;
    start_with("--drain-timeout", "60s");
    client_open(&client, "NORMAL");
    say_hello(&client);
    server_wait_metric(&server, "vgg_connections_open", 2); /* with the one that asks */
    server_signal(&server, SIGTERM);
    server_wait_log(&server, "draining");
    for (int i = 0; i < NAPS_MAX && can_connect(&server); i++)
        nap();
    for (int i = 0; i < 30; i++) /* longer than it watches whether all is quiet */
        nap();
    gnutls_transport_set_pull_function(client.session, pull_again);
    assert_int_equal(handshake(&client), 0);
    check_livez(&client);
    client_close(&client);
    assert_int_equal(server_wait(&server), 0);
}

/* ---------------------------------------------------------------- new certificates ----------- */

static bool trusts(const char *ca)
{
    struct server seen = server;
    struct answer answer;
    bool good;

    seen.ca = ca;
    good = call_try(&seen, &(struct call){.target = "/livez"}, &answer);
    answer_free(&answer);
    return good;
}

/* A metric by whichever certificate is in use; -1 where both fail, as in between. */
static double metric_by_either(const char *series)
{
    const char *const cas[] = {cert, old_cert};
    struct server seen = server;
    double value = -1;

    for (size_t i = 0; i < COUNT_OF(cas) && value < 0; i++) {
        struct answer answer;

        seen.ca = cas[i];
        if (call_try(&seen, &(struct call){.target = "/metrics"}, &answer))
            value = metrics_value(answer.body, series);
        answer_free(&answer);
    }
    return value;
}

/* Ask for a reload and wait for its result, which that series counts. */
static void reload(const char *result)
{
    double before = metric_by_either(result);

    assert_true(before >= 0);
    server_signal(&server, SIGHUP);
    for (int i = 0; i < NAPS_MAX; i++) {
        if (metric_by_either(result) > before)
            return;
        nap();
    }
    fail_msg("%s does not grow", result);
}

static void test_reload(void **state)
{
    struct tls_client client;
    struct blob image;

    (void)state;
    start_with("--log", "text");
    client_open(&client, "NORMAL");
    assert_int_equal(handshake(&client), 0);
    check_livez(&client);

    assert_int_equal(rename(cert, old_cert), 0);
    assert_true(certificate_make(cert, key, -1, DAYS));
    assert_false(trusts(cert)); /* not before it is told */
    assert_true(trusts(old_cert));
    reload(RELOADED);
    assert_true(trusts(cert));
    assert_false(trusts(old_cert));
    check_livez(&client); /* the old connection goes on */

    /* A certificate that is not the key's; half a file; none: the good one stays. */
    image = work_read(cert);
    assert_true(certificate_make(cert, work_file("other-key.pem"), -1, DAYS));
    keep_path(old_cert, "good-cert.pem");
    work_write(old_cert, image.bytes, image.size);
    reload(NOT_RELOADED);
    server_wait_log(&server, "is not the key of");
    assert_true(trusts(old_cert));
    work_write(cert, image.bytes, image.size / 2);
    reload(NOT_RELOADED);
    assert_true(trusts(old_cert));
    assert_int_equal(unlink(cert), 0);
    reload(NOT_RELOADED);
    server_wait_log(&server, "No such file");
    assert_true(trusts(old_cert));
    work_write(cert, image.bytes, image.size);
    reload(RELOADED);
    check_livez(&client);
    client_close(&client);
    server_stop(&server);
    blob_free(&image);
}

static void *caller_main(void *failures)
{
    struct blob image = picture(64, 64);
    struct answer answer;

    for (int i = 0; i < CALLS; i++) {
        if (!call_try(
                &server,
                &(struct call){.target = "/classify", .body = image.bytes, .size = image.size},
                &answer) ||
            answer.status != 200)
            ++*(int *)failures;
        answer_free(&answer);
    }
    blob_free(&image);
    return NULL;
}

/* The same pair again and again, so that every client trusts it: nobody notices. */
static void test_reloads_under_load(void **state)
{
    pthread_t callers[CALLERS];
    int failures[CALLERS] = {0};

    (void)state;
    start_with("--max-queue", "1000s");
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, caller_main, &failures[i]), 0);
    for (int i = 0; i < 10; i++)
        reload(RELOADED);
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        assert_int_equal(failures[i], 0);
    }
    server_wait_metric(&server, CLASSIFIED, CALLERS * CALLS);
    server_stop(&server);
}

/* ---------------------------------------------------------------- hostile clients ------------ */

/*
 * Handshakes that stop are cut, and cost nothing while they last: with the epoll of libmicrohttpd
 * 0.9.75 each kept a core busy.
 */
static void test_handshakes_that_stop(void **state)
{
    struct tls_client clients[CROWD];
    double cpu_s;
    char byte;

    (void)state;
    start_with("--header-timeout", "2s");
    cpu_s = server_metric(&server, "process_cpu_seconds_total");
    for (size_t i = 0; i < CROWD; i++) {
        client_open(&clients[i], "NORMAL");
        if (i % 3 == 0)
            say_hello(&clients[i]);
        else if (i % 3 == 1)
            assert_true(raw_send(&clients[i].raw, "\x16\x03\x01\x02", 4));
    }
    check_alive(&server);
    for (size_t i = 0; i < CROWD; i++) {
        while (recv(clients[i].raw.fd, &byte, 1, 0) > 0)
            ; /* its half of the handshake, then the end */
        client_close(&clients[i]);
    }
    server_wait_metric(&server, HEADERS_CUT, CROWD);
    cpu_s = server_metric(&server, "process_cpu_seconds_total") - cpu_s;
    print_message("%.2f s of CPU for %d handshakes of 2 s\n", cpu_s, CROWD);
    if (cpu_s > 0.7)
        fail_msg("%g s of CPU for handshakes that stand still", cpu_s);
    server_stop(&server);
}

static void test_not_tls(void **state)
{
    static const char *const texts[] = {"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01",
                                        "\x80\x2e\x01\x03\x01", "SSH-2.0-x\r\n"};
    struct raw raw;
    double fds;

    (void)state;
    start_with("--header-timeout", "60s");
    fds = server_metric(&server, "process_open_fds");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        raw_open(&raw, &server);
        assert_true(raw_text(&raw, texts[i]));
        shutdown(raw.fd, SHUT_WR);
        (void)raw_ends(&raw); /* an alert, perhaps */
        raw_close(&raw);
    }
    check_alive(&server);
    check_at_rest(&server, fds);
    server_stop(&server);
}

/* ---------------------------------------------------------------- start ---------------------- */

static void check_start(const char *cert_path, const char *key_path, const char *needle)
{
    const char *args[] = {"serve",       "--listen",  "127.0.0.1:0",  "--admin-listen",
                          "127.0.0.1:0", "--model",   model_narrow(), "--tls-cert",
                          cert_path,     "--tls-key", key_path,       NULL};
    struct output output;

    if (key_path == NULL)
        args[9] = NULL;
    output = command_run(args, NULL, NULL);
    if (output.status != 2 || count_lines(output.err) != 1 || strstr(output.err, needle) == NULL)
        fail_msg("status %d, without \"%s\" or not one line: %s", output.status, needle,
                 output.err);
    output_free(&output);
}

static void test_bad_files(void **state)
{
    char other[256];

    (void)state;
    keep_path(other, "other");
    check_start(cert, NULL, "--tls-key");
    check_start("/nowhere", key, "/nowhere: No such file");
    check_start(cert, "/nowhere", "/nowhere: No such file");
    check_start(cert, "/", "not a regular file");
    check_start("/dev/zero", key, "not a regular file");
    check_start(key, key, key); /* no certificate in it */
    check_start(cert, cert, cert);
    work_write(other, "", 0);
    check_start(other, key, other);
    check_start(cert, other, other);
    work_write(other, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 58);
    check_start(other, key, other);
    assert_true(certificate_make(work_file("third-cert.pem"), other, -1, DAYS));
    check_start(cert, other, "is not the key of");
    assert_true(certificate_make_encrypted_key(other));
    check_start(cert, other, "encrypted");
}

static void test_out_of_date_is_a_warning(void **state)
{
    char kept_cert[256], kept_key[256];

    (void)state;
    snprintf(kept_cert, sizeof kept_cert, "%s", cert);
    snprintf(kept_key, sizeof kept_key, "%s", key);
    keep_path(cert, "dated-cert.pem");
    keep_path(key, "dated-key.pem");
    assert_true(certificate_make(cert, key, -DAYS, -1));
    start_with("--log", "text");
    server_wait_log(&server, "warning the certificate");
    server_wait_log(&server, "expired on");
    server_stop(&server);
    assert_true(certificate_make(cert, key, 1, DAYS));
    start_with("--log", "text");
    server_wait_log(&server, "is not valid before");
    server_stop(&server);
    snprintf(cert, sizeof cert, "%s", kept_cert);
    snprintf(key, sizeof key, "%s", kept_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_old_versions_are_refused),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_waits_for_handshakes),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reloads_under_load),
        cmocka_unit_test(test_handshakes_that_stop),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_out_of_date_is_a_warning),
    };

    return cmocka_run_group_tests_name("TLS", tests, setup, work_teardown);
}
