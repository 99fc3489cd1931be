/* Paths that cannot be written are found before anything is computed. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "training/targets.h"

static char top[] = "/tmp/vgg-targets-XXXXXX";

static void expect(const struct target *targets, size_t n, const char *reason)
{
    struct vgg_error error = {0};
    enum vgg_status status = targets_try(targets, n, &error);

    assert_int_equal(status == VGG_OK, reason == NULL);
    if (reason != NULL && strstr(error.text, reason) == NULL)
        fail_msg("not \"%s\": %s", reason, error.text);
}

static void expect_one(const char *path, bool directory, const char *reason)
{
    expect(&(struct target){"output", path, directory}, 1, reason);
}

static void files(void **state)
{
    (void)state;
    expect_one(NULL, false, NULL);
    expect_one("new.safetensors", false, NULL);
    assert_int_equal(access("new.safetensors", F_OK), -1);
    expect_one("there", false, NULL);
    expect_one("directory", false, "--output directory: a file is meant");
    expect_one("directory/", false, "a file is meant");
    expect_one("nowhere/x", false, "--output nowhere/x: cannot create it: No such file");
    expect_one("there/x", false, "Not a directory");
    expect_one("/dev/null", false, "not a regular file");
}

static void directories(void **state)
{
    (void)state;
    expect_one("directory", true, NULL);
    expect_one("new", true, NULL);
    expect_one("there", true, "it is no directory");
}

static void one_file_twice(void **state)
{
    const struct target targets[] = {
        {"output", "a", false}, {"history", NULL, false}, {"report", "a", false}};

    (void)state;
    expect(targets, 2, NULL);
    expect(targets, 3, "--output and --report are the same file, a");
}

static int setup(void **state)
{
    FILE *file;

    (void)state;
    if (mkdtemp(top) == NULL || chdir(top) != 0 || mkdir("directory", 0700) != 0)
        return -1;
    file = fopen("there", "w");
    return file != NULL ? fclose(file) : -1;
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", top);
    return chdir("/") == 0 ? system(command) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(directories),
        cmocka_unit_test(one_file_twice),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
