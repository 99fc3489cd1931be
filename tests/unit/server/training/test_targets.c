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

/* Whatever its directory is called; a link is written over, not what it leads to. */
static void one_file_spelt_otherwise(void **state)
{
    char whole[64];
    const char *const spellings[] = {"./a", "directory/../a", ".//a", "link/a", whole};

    (void)state;
    snprintf(whole, sizeof whole, "%s/a", top);
    assert_int_equal(symlink(top, "link") + symlink("there", "other"), 0);
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        struct target targets[] = {{"output", "a", false}, {"report", spellings[i], false}};

        expect(targets, 2, "--output and --report are the same file");
        targets[0].path = "directory/a";
        expect(targets, 2, NULL);
    }
    expect((struct target[]){{"output", "new", false}, {"features-cache", "./new/", true}}, 2,
           "--output and --features-cache are the same file");
    expect((struct target[]){{"output", "there", false}, {"report", "other", false}}, 2, NULL);
    expect((struct target[]){{"output", "aa", false}, {"report", "a", false}}, 2, NULL);
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
        cmocka_unit_test(one_file_spelt_otherwise),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
