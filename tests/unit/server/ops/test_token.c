/* Token files and Authorization headers. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "ops/token.h"

static char path[] = "/tmp/vgg-token-XXXXXX";

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* What a file of these bytes gives; NULL with the error. */
static char *read_bytes(const char *bytes, size_t size, struct vgg_error *error)
{
    char *token = NULL;

    memset(error, 0, sizeof *error);
    write_file(bytes, size);
    if (token_read(path, &token, error) != VGG_OK)
        assert_null(token);
    return token;
}

static void first_line_is_the_token(void **state)
{
    static const struct {
        const char *bytes, *token;
    } cases[] = {
        {"secret", "secret"},         {"secret\n", "secret"},
        {"secret\r\n", "secret"},     {"secret\nmore", "secret"},
        {"two words\n", "two words"}, {"\xe2\x82\xac\n", "\xe2\x82\xac"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error;
        char *token = read_bytes(cases[i].bytes, strlen(cases[i].bytes), &error);

        assert_non_null(token);
        assert_string_equal(token, cases[i].token);
        free(token);
    }
}

static void unusable_files(void **state)
{
    static const char *const empty[] = {"", "\n", "\r\n", "\nsecret\n"};
    struct vgg_error error = {0};
    char *token = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        assert_null(read_bytes(empty[i], strlen(empty[i]), &error));
        assert_int_equal(error.status, VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, path));
    }
    assert_null(read_bytes("\0secret", 7, &error));
    assert_int_equal(error.status, VGG_BAD_ARGUMENT);
    memset(&error, 0, sizeof error);
    assert_int_equal(token_read("/nonexistent/token", &token, &error), VGG_IO);
    assert_non_null(strstr(error.text, "/nonexistent/token: No such file"));
    memset(&error, 0, sizeof error);
    assert_int_equal(token_read("/tmp", &token, &error), VGG_IO);
    assert_non_null(strstr(error.text, "directory"));
    assert_null(token);
}

/* A token that cannot be kept whole must not be cut to another one. */
static void long_tokens_are_whole_or_refused(void **state)
{
    static char bytes[20000];

    (void)state;
    for (size_t length = 4000; length <= sizeof bytes; length += 97) {
        struct vgg_error error;
        char *token;

        memset(bytes, 'x', length);
        token = read_bytes(bytes, length, &error);
        if (token != NULL && strlen(token) != length)
            fail_msg("%zu characters became %zu", length, strlen(token));
        assert_true(token != NULL || error.status == VGG_BAD_ARGUMENT);
        free(token);
    }
}

static void headers(void **state)
{
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer secre",
                                        "Bearer secret ",
                                        "Bearer secrets",
                                        "Bearer secretsecret",
                                        "Bearer Secret",
                                        "Bearer  secret",
                                        " Bearer secret",
                                        "Bearersecret",
                                        "Basic secret",
                                        "secret",
                                        "Bearer terces",
                                        NULL};

    (void)state;
    assert_true(token_matches("secret", "Bearer secret"));
    assert_true(token_matches("secret", "bearer secret")); /* the scheme has no case */
    assert_true(token_matches("s", "BEARER s"));
    assert_false(token_matches("secret", NULL));
    for (size_t i = 0; wrong[i] != NULL; i++)
        if (token_matches("secret", wrong[i]))
            fail_msg("\"%s\" was let in", wrong[i]);
    assert_false(token_matches("s", "Bearer ss"));
    assert_false(token_matches("s", "Bearer sss"));
}

static void out_of_memory(void **state)
{
    unsigned long failures = 0;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    write_file("secret\n", 7);
    before = fault_outstanding();
    for (unsigned long n = 1;; n++) {
        struct vgg_error error = {0};
        char *token = NULL;
        enum vgg_status status;
        bool fired;

        fault_arm(n);
        status = token_read(path, &token, &error);
        fired = fault_disarm();
        assert_int_equal(status == VGG_OK, token != NULL);
        assert_int_equal(error.status, status);
        free(token);
        assert_int_equal(fault_outstanding(), before);
        if (!fired) {
            assert_int_equal(status, VGG_OK);
            break;
        }
        failures += status != VGG_OK;
    }
    assert_true(failures >= 2); /* the stream and the copy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_line_is_the_token),
        cmocka_unit_test(unusable_files),
        cmocka_unit_test(long_tokens_are_whole_or_refused),
        cmocka_unit_test(headers),
        cmocka_unit_test(out_of_memory),
    };
    int fd = mkstemp(path), failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
