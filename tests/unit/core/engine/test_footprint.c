/* What is predicted of memory, beside what is taken. */
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_maker.h"
#include "vgg_footprint.h"

static unsigned char *bytes;
static size_t size;

static int make(void **state)
{
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "B", .width = 4, .batch_norm = true});
    bytes = maker_bytes(&maker, &size);
    maker_free(&maker);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

/* Loading is allowed just that much. */
static void check_loading(struct vgg_load_options load)
{
    struct vgg_footprint footprint;
    struct vgg_model *model;

    assert_int_equal(vgg_footprint_memory(bytes, size, &load, NULL, &footprint, NULL), VGG_OK);
    load.memory_max = footprint.load - 1;
    assert_int_equal(vgg_model_load_memory(bytes, size, "m", &load, &model, NULL), VGG_NO_MEMORY);
    load.memory_max++;
    assert_int_equal(vgg_model_load_memory(bytes, size, "m", &load, &model, NULL), VGG_OK);
    assert_int_equal(vgg_model_get_info(model)->memory_bytes, footprint.held);
    vgg_model_release(model);
}

static void test_loading(void **state)
{
    (void)state;
    check_loading((struct vgg_load_options){.threads = 3});
    check_loading((struct vgg_load_options){.threads = 3, .fc_half = true});
    assert_int_equal(setenv("VGG_KERNELS", "portable-i8", 1), 0);
    check_loading((struct vgg_load_options){.threads = 3, .precision = VGG_PRECISION_I8});
    assert_int_equal(unsetenv("VGG_KERNELS"), 0);
}

/* An engine's arenas, of its own options or of the defaults. */
static void check_serving(const struct vgg_load_options *load)
{
    const struct vgg_engine_options cases[] = {{.threads = 2, .view_pixels_max = 64 << 10},
                                               {.threads = 1}};
    struct vgg_footprint footprint;
    struct vgg_engine *engine;
    struct vgg_model *model;

    assert_int_equal(vgg_model_load_memory(bytes, size, "m", load, &model, NULL), VGG_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(vgg_footprint_memory(bytes, size, load, &cases[i], &footprint, NULL),
                         VGG_OK);
        assert_int_equal(vgg_engine_create(&cases[i], &engine, NULL), VGG_OK);
        assert_int_equal(footprint.held, vgg_model_get_info(model)->memory_bytes +
                                             vgg_engine_reserve_bytes(engine, model));
        assert_true(footprint.mapped > 0);
        vgg_engine_destroy(engine);
    }
    vgg_model_release(model);
}

static void test_serving(void **state)
{
    (void)state;
    check_serving(NULL);
    assert_int_equal(setenv("VGG_KERNELS", "portable-i8", 1), 0);
    check_serving(&(struct vgg_load_options){.precision = VGG_PRECISION_I8});
    assert_int_equal(unsetenv("VGG_KERNELS"), 0);
}

/* Of the address space the portable kernels take a buffer of OpenBLAS, but only to compute. */
static void test_kernels(void **state)
{
    const struct vgg_engine_options engine = {.threads = 1};
    struct vgg_footprint with, without;

    (void)state;
    assert_int_equal(setenv("VGG_KERNELS", "portable", 1), 0);
    assert_int_equal(vgg_footprint_memory(bytes, size, NULL, &engine, &with, NULL), VGG_OK);
    assert_int_equal(vgg_footprint_memory(bytes, size, NULL, NULL, &without, NULL), VGG_OK);
    assert_true(with.mapped >= without.mapped + (128 << 20));
    assert_int_equal(setenv("VGG_KERNELS", "none", 1), 0);
    assert_int_equal(vgg_footprint_memory(bytes, size, NULL, NULL, &without, NULL),
                     VGG_BAD_ARGUMENT);
    assert_int_equal(unsetenv("VGG_KERNELS"), 0);
}

static void test_an_untrained_model(void **state)
{
    const struct vgg_init_options init = {.width = 4, .fc = 8, .classes = 3, .crop = 32};
    const struct vgg_init_options bad = {.arch = "Z"};
    const struct vgg_load_options i8 = {.precision = VGG_PRECISION_I8}, *loads[] = {NULL, &i8};
    struct vgg_footprint footprint;
    struct vgg_model *model;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setenv("VGG_KERNELS", i == 0 ? "" : "portable-i8", 1), 0);
        assert_int_equal(vgg_footprint_init(&init, loads[i], NULL, &footprint, NULL), VGG_OK);
        assert_int_equal(vgg_model_init(&init, loads[i], &model, NULL), VGG_OK);
        assert_int_equal(vgg_model_get_info(model)->memory_bytes, footprint.held);
        assert_true(footprint.load >= footprint.held + vgg_model_get_info(model)->parameters * 4);
        vgg_model_release(model);
    }
    assert_int_equal(unsetenv("VGG_KERNELS"), 0);
    assert_int_equal(vgg_footprint_init(&bad, NULL, NULL, &footprint, NULL), VGG_BAD_ARGUMENT);
}

/* A file says why it is none, and is loaded from its beginning afterwards. */
static void test_a_file(void **state)
{
    char path[] = "/tmp/vgg-footprint-XXXXXX";
    struct vgg_footprint of_file, of_memory;
    struct vgg_error error = {0};
    struct vgg_model *model;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "no", 2), 2);
    assert_int_equal(vgg_footprint_fd(fd, "the-path", NULL, NULL, &of_file, &error), VGG_BAD_MODEL);
    assert_non_null(strstr(error.text, "the-path"));
    assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
    assert_int_equal(vgg_footprint_fd(fd, path, NULL, NULL, &of_file, NULL), VGG_OK);
    assert_int_equal(vgg_footprint_memory(bytes, size, NULL, NULL, &of_memory, NULL), VGG_OK);
    assert_memory_equal(&of_file, &of_memory, sizeof of_file);
    assert_int_equal(vgg_model_load_fd(fd, path, NULL, &model, NULL), VGG_OK);
    vgg_model_release(model);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading), cmocka_unit_test(test_serving),
        cmocka_unit_test(test_kernels), cmocka_unit_test(test_an_untrained_model),
        cmocka_unit_test(test_a_file),
    };

    return cmocka_run_group_tests_name("footprint", tests, make, drop);
}
