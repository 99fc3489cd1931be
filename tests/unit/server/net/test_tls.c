/* Certificate files: what is refused and why, and that the pair that serves survives all of it. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate_maker.h"
#include "fault.h"
#include "net/tls.h"

enum { DAYS = 30, HANG_S = 120 };

static char directory[] = "/tmp/vgg-tls-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64], scratch[64];

static int setup(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(cert, sizeof cert, "%s/cert", directory);
    snprintf(key, sizeof key, "%s/key", directory);
    snprintf(other_cert, sizeof other_cert, "%s/other-cert", directory);
    snprintf(other_key, sizeof other_key, "%s/other-key", directory);
    snprintf(scratch, sizeof scratch, "%s/scratch", directory);
    return certificate_make(cert, key, -1, DAYS) &&
                   certificate_make(other_cert, other_key, -2, 2 * DAYS)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    unlink(other_cert);
    unlink(other_key);
    unlink(scratch);
    return rmdir(directory);
}

static void write_scratch(const char *text, size_t size)
{
    FILE *file = fopen(scratch, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The first `size` bytes of a file. */
static void truncate_to_scratch(const char *path, size_t size)
{
    char text[8192];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_in_range(size, 1, fread(text, 1, sizeof text, file));
    fclose(file);
    write_scratch(text, size);
}

static void check_refused(const char *cert_path, const char *key_path, enum vgg_status status,
                          const char *needle)
{
    struct vgg_error error = {0};
    struct tls *tls = NULL;

    assert_int_equal(tls_create(cert_path, key_path, &tls, &error), status);
    assert_null(tls);
    if (strstr(error.text, needle) == NULL || strchr(error.text, '\n') != NULL)
        fail_msg("without \"%s\" or not one line: %s", needle, error.text);
}

static void bad_files(void **state)
{
    static char large[(1 << 20) + 1];

    (void)state;
    check_refused("/nowhere", key, VGG_IO, "--tls-cert /nowhere: No such file");
    check_refused(cert, "/nowhere", VGG_IO, "--tls-key /nowhere: No such file");
    check_refused("/", key, VGG_IO, "not a regular file");
    check_refused(cert, other_key, VGG_BAD_ARGUMENT, "is not the key of");
    check_refused(key, key, VGG_BAD_ARGUMENT, "--tls-cert");
    check_refused(cert, cert, VGG_BAD_ARGUMENT, "--tls-key");
    write_scratch("", 0);
    check_refused(scratch, key, VGG_BAD_ARGUMENT, scratch);
    check_refused(cert, scratch, VGG_BAD_ARGUMENT, scratch);
    write_scratch(large, sizeof large);
    check_refused(scratch, key, VGG_BAD_ARGUMENT, "over 1048575 bytes");
    for (size_t size = 1; size < 120; size += 7) {
        truncate_to_scratch(cert, size);
        check_refused(scratch, key, VGG_BAD_ARGUMENT, "--tls-cert");
        truncate_to_scratch(key, size);
        check_refused(cert, scratch, VGG_BAD_ARGUMENT, "--tls-key");
    }
    assert_true(certificate_make_encrypted_key(scratch));
    check_refused(cert, scratch, VGG_BAD_ARGUMENT, "encrypted");
}

/* A pipe without a writer must not hang the start. */
static void fifo(void **state)
{
    (void)state;
    (void)unlink(scratch);
    assert_int_equal(mkfifo(scratch, 0600), 0);
    check_refused(scratch, key, VGG_IO, "not a regular file");
    unlink(scratch);
}

static void bad_reloads_change_nothing(void **state)
{
    struct vgg_error error = {0};
    struct tls_validity before, after;
    struct tls *tls;

    (void)state;
    truncate_to_scratch(cert, 1);
    assert_int_equal(rename(cert, scratch), 0); /* the path is read again, not the file */
    assert_int_equal(link(scratch, cert), 0);
    assert_int_equal(tls_create(cert, key, &tls, NULL), VGG_OK);
    before = tls_get_validity(tls);
    assert_true(before.from_s < before.until_s);

    assert_int_equal(unlink(cert), 0);
    assert_int_equal(tls_reload(tls, &error), VGG_IO);
    assert_int_equal(link(other_cert, cert), 0);
    error = (struct vgg_error){0};
    assert_int_equal(tls_reload(tls, &error), VGG_BAD_ARGUMENT);
    after = tls_get_validity(tls);
    assert_int_equal(after.until_s, before.until_s);

    assert_int_equal(rename(other_key, key), 0);
    assert_int_equal(tls_reload(tls, NULL), VGG_OK);
    after = tls_get_validity(tls);
    assert_true(after.until_s > before.until_s);
    tls_destroy(tls);
    tls_destroy(NULL);
    assert_true(certificate_make(cert, key, -1, DAYS));
    assert_true(certificate_make(other_cert, other_key, -2, 2 * DAYS));
}

/* One allocation fails: the n-th, of those of at least `bytes`. */
static void check_no_memory(unsigned long n, size_t bytes)
{
    long before = fault_outstanding();
    struct vgg_error error = {0};
    struct tls *tls = NULL;

    fault_arm_size(n, bytes);
    assert_int_equal(tls_create(cert, key, &tls, &error), VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_null(tls);
    assert_true(error.text[0] != '\0');
    assert_int_equal(fault_outstanding(), before);
}

/* Our own allocations; GnuTLS's would not do: its libtasn1 (4.19) crashes without memory. */
static void no_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    check_no_memory(1, 0);
    check_no_memory(2, 0);
    check_no_memory(1, 1 << 20); /* the files */
    check_no_memory(2, 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),
        cmocka_unit_test(fifo),
        cmocka_unit_test(bad_reloads_change_nothing),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
