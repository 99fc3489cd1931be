/* Tokens and certificates that are replaced while requests come in. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificate_maker.h"
#include "ops/log.h"
#include "ops/secrets.h"
#include "server/capture.h"

enum { DAYS = 30, RELOADS = 200 };

static char paths[2][32] = {"/tmp/vgg-secret-XXXXXX", "/tmp/vgg-secret-XXXXXX"};
static struct capture captured;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    log_init(LOG_TEXT);
    for (size_t i = 0; i < 2; i++) {
        int fd = mkstemp(paths[i]);

        if (fd < 0)
            return -1;
        close(fd);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(paths[0]) + unlink(paths[1]);
}

/* What the reload logs is in captured.text. */
static bool reload(struct secrets *secrets)
{
    bool good;

    capture_begin(&captured, STDERR_FILENO);
    good = secrets_reload(secrets);
    capture_end(&captured);
    return good;
}

static void tokens_are_replaced(void **state)
{
    const struct secrets_files files = {.tokens = {paths[0], NULL}};
    struct secrets secrets;

    (void)state;
    write_file(paths[0], "first\n");
    assert_int_equal(secrets_init(&secrets, &files, NULL), VGG_OK);
    assert_true(secrets_admit(&secrets, false, "Bearer first"));
    assert_false(secrets_admit(&secrets, false, NULL));
    assert_true(secrets_admit(&secrets, true, NULL)); /* it has none */
    write_file(paths[0], "second\n");
    assert_true(secrets_admit(&secrets, false, "Bearer first"));
    assert_true(reload(&secrets));
    assert_false(secrets_admit(&secrets, false, "Bearer first"));
    assert_true(secrets_admit(&secrets, false, "Bearer second"));

    /* An empty file opens nothing: the old token stays, and the log says why. */
    write_file(paths[0], "\n");
    assert_false(reload(&secrets));
    assert_non_null(strstr(captured.text, "error the old token stays: --api-token-file: "));
    assert_true(secrets_admit(&secrets, false, "Bearer second"));
    assert_false(secrets_admit(&secrets, false, "Bearer "));
    assert_false(secrets_admit(&secrets, false, NULL));
    assert_int_equal(secrets_get_state(&secrets).reloads[0], 1);
    assert_int_equal(secrets_get_state(&secrets).reloads[1], 1);
    assert_true(secrets_get_state(&secrets).tls_until_s == 0);
    secrets_fini(&secrets);
}

static void certificate_and_key_go_together(void **state)
{
    const struct secrets_files halves[2] = {{.tls_cert = paths[0]}, {.tls_key = paths[0]}};
    static const char *const missing[2] = {"--tls-cert needs --tls-key",
                                           "--tls-key needs --tls-cert"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct vgg_error error = {0};
        struct secrets secrets;

        assert_int_equal(secrets_init(&secrets, &halves[i], &error), VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, missing[i]));
        secrets_fini(&secrets);
    }
}

static void certificates_are_replaced(void **state)
{
    const struct secrets_files files = {.tls_cert = paths[0], .tls_key = paths[1]};
    struct secrets secrets;
    double until_s;

    (void)state;
    assert_true(certificate_make(paths[0], paths[1], -1, DAYS));
    capture_begin(&captured, STDERR_FILENO);
    assert_int_equal(secrets_init(&secrets, &files, NULL), VGG_OK);
    capture_end(&captured);
    assert_non_null(strstr(captured.text, "info TLS by "));
    until_s = secrets_get_state(&secrets).tls_until_s;
    assert_true(certificate_make(paths[0], paths[1], -DAYS, -1));
    assert_true(reload(&secrets)); /* with a warning */
    assert_non_null(strstr(captured.text, "warning the certificate "));
    assert_true(secrets_get_state(&secrets).tls_until_s < until_s);
    until_s = secrets_get_state(&secrets).tls_until_s;
    write_file(paths[1], "nothing");
    assert_false(reload(&secrets));
    assert_non_null(strstr(captured.text, "error TLS goes on with the old certificate: "));
    assert_true(secrets_get_state(&secrets).tls_until_s == until_s);
    secrets_fini(&secrets);
}

static atomic_bool over;

static void *admit_main(void *secrets)
{
    size_t wrong = 0;

    while (!over)
        wrong +=
            secrets_admit(secrets, false, "Bearer neither") || secrets_admit(secrets, false, NULL);
    return (void *)wrong;
}

/* At no moment between two tokens is the door open. */
static void reloads_beside_requests(void **state)
{
    const struct secrets_files files = {.tokens = {paths[0], NULL}};
    struct secrets secrets;
    pthread_t thread;
    void *wrong;

    (void)state;
    write_file(paths[0], "first\n");
    assert_int_equal(secrets_init(&secrets, &files, NULL), VGG_OK);
    assert_int_equal(pthread_create(&thread, NULL, admit_main, &secrets), 0);
    for (int i = 0; i < RELOADS; i++) {
        write_file(paths[0], i % 2 == 0 ? "second\n" : "first\n");
        assert_true(secrets_reload(&secrets));
        assert_true(secrets_admit(&secrets, false, i % 2 == 0 ? "Bearer second" : "Bearer first"));
    }
    over = true;
    pthread_join(thread, &wrong);
    assert_null(wrong);
    secrets_fini(&secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_replaced),
        cmocka_unit_test(certificate_and_key_go_together),
        cmocka_unit_test(certificates_are_replaced),
        cmocka_unit_test(reloads_beside_requests),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
