/* The base that is said or found, and what is said where there is none. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "training/base.h"

static char top[] = "/tmp/vgg-base-XXXXXX";

static void put(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fclose(file);
}

/* The published one is found in models/, and only there is it looked for by its name. */
static void a_published_one(void **state)
{
    struct vgg_train_options options = {0};
    struct base base;

    (void)state;
    put("models/vgg16.safetensors");
    assert_int_equal(base_open("vgg16", &base, NULL), VGG_OK);
    assert_int_equal(base.kind, BASE_PUBLISHED);
    assert_string_equal(base_word(&base), "models/vgg16.safetensors");
    base_choose(&base);
    assert_int_equal(base.kind, BASE_PUBLISHED);
    base_apply(&base, &options);
    assert_string_equal(options.base, "models/vgg16.safetensors");
    assert_null(options.base_bytes);
    assert_int_equal(unlink("models/vgg16.safetensors"), 0);
}

/* This test embeds no model, and no VGG-19 is here. */
static void none(void **state)
{
    struct vgg_train_options options = {0};
    struct vgg_error error = {0};
    struct base base;

    (void)state;
    assert_int_equal(base_open("vgg19_bn", &base, &error), VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "once): "));
    assert_non_null(strstr(error.text, "vgg19_bn"));
    error = (struct vgg_error){0};
    assert_int_equal(base_open("embedded", &base, &error), VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "no embedded model"));
    base_choose(&base);
    if (base.kind != BASE_PUBLISHED) /* of this machine */
        assert_int_equal(base.kind, BASE_NONE);
    base = (struct base){.kind = BASE_NONE};
    base_apply(&base, &options);
    assert_null(options.base);
}

static void a_file(void **state)
{
    struct vgg_error error = {0};
    struct base base;

    (void)state;
    put("mine.safetensors");
    assert_int_equal(base_open("mine.safetensors", &base, NULL), VGG_OK);
    assert_int_equal(base.kind, BASE_FILE);
    assert_string_equal(base_word(&base), "mine.safetensors");
    assert_int_equal(base_open("nowhere.safetensors", &base, &error), VGG_IO);
    assert_string_equal(error.text, "--base nowhere.safetensors: No such file or directory");
}

/* In a checkout the script brings it, to where it is found. */
static void how_to_get_one(void **state)
{
    char checkout[BASE_PATH_BYTES];
    struct text text = {0};

    (void)state;
    assert_int_equal(mkdir("docker", 0700), 0);
    put("docker/fetch-model.sh");
    assert_true(base_find_checkout(checkout));
    assert_string_equal(checkout, "");
    base_print_fetch("vgg16", &text);
    text_append(&text, "", 1);
    assert_string_equal(text.bytes, "sh docker/fetch-model.sh vgg16 models");
    free(text.bytes);
    assert_int_equal(unlink("docker/fetch-model.sh") + rmdir("docker"), 0);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(top) != NULL && chdir(top) == 0 && mkdir("models", 0700) == 0 ? 0 : -1;
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
        cmocka_unit_test(a_published_one),
        cmocka_unit_test(none),
        cmocka_unit_test(a_file),
        cmocka_unit_test(how_to_get_one),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
