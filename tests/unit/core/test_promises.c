/*
 * What the public headers promise of bad arguments: each function is called with those that its
 * comment names, and answers with the status that it names; none ends the process.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vgg.h"
#include "vgg_bench.h"
#include "vgg_pictures.h"
#include "vgg_train.h"
#include "vgg_typicality.h"

enum { CROP = 32, SIDE = 40 };

static const struct vgg_init_options tiny = {
    .arch = "A", .width = 1, .fc = 2, .classes = 3, .crop = CROP};

static struct vgg_model *model;

static int setup(void **state)
{
    (void)state;
    return vgg_model_init(&tiny, NULL, &model, NULL) == VGG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vgg_model_release(model);
    return 0;
}

/* A picture: the views' tests need one, and a binary PPM is none. */
static struct vgg_image *picture(void)
{
    /* A PNG of 1x1 pixels. */
    static const unsigned char png[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0\x90\x77\x53\xde\0\0\0\x0c"
        "IDAT\x08\xd7\x63\xf8\xcf\xc0\0\0\3\1\1\0\x18\xdd\x8d\xb0\0\0\0\0IEND\xae\x42\x60\x82";
    struct vgg_image *image = NULL;

    assert_int_equal(vgg_image_decode(png, sizeof png - 1, NULL, &image, NULL), VGG_OK);
    return image;
}

/* A status is never stored twice, and always described. */
#define REFUSED(wanted, call)                                                                      \
    do {                                                                                           \
        struct vgg_error error = {0};                                                              \
                                                                                                   \
        assert_int_equal(call, wanted);                                                            \
        assert_int_equal(error.status, wanted);                                                    \
        assert_true(error.text[0] != '\0');                                                        \
    } while (0)

static void errors(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    for (int status = -1; status < 20; status++)
        assert_non_null(vgg_status_text((enum vgg_status)status));
    assert_int_equal(vgg_fail(&error, VGG_IO, "first %d", 1), VGG_IO);
    assert_int_equal(vgg_fail(&error, VGG_BAD_MODEL, "second"), VGG_BAD_MODEL);
    assert_int_equal(error.status, VGG_IO);
    assert_string_equal(error.text, "first 1");
    assert_int_equal(vgg_fail(NULL, VGG_IO, "nowhere"), VGG_IO);
}

static void images(void **state)
{
    static const unsigned char cut[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const struct vgg_image_limits one = {.pixels_max = 1};
    struct vgg_image *image = picture(), *out = NULL;
    struct vgg_image_info info;

    (void)state;
    REFUSED(VGG_UNSUPPORTED_FORMAT, vgg_image_peek(NULL, 0, NULL, &info, &error));
    REFUSED(VGG_UNSUPPORTED_FORMAT, vgg_image_decode("text", 4, &one, &out, &error));
    REFUSED(VGG_BAD_IMAGE, vgg_image_peek(cut, sizeof cut - 1, NULL, &info, &error));
    REFUSED(VGG_BAD_IMAGE, vgg_image_decode(cut, sizeof cut - 1, NULL, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_image_rescale(image, 0, &out, &error));
    REFUSED(VGG_TOO_LARGE, vgg_image_rescale(image, (1U << 24) + 1, &out, &error));
    assert_null(out);
    vgg_image_destroy(NULL);
    vgg_image_destroy(image);
}

static void models(void **state)
{
    struct vgg_load_options many = {.threads = 1U << 16};
    struct vgg_model *none = NULL;
    const char *id = "", *label = "";

    (void)state;
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_load(NULL, NULL, &none, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_load_fd(0, NULL, NULL, &none, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_load_memory("", 0, NULL, NULL, &none, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_init(&tiny, &many, &none, &error));
    REFUSED(VGG_IO, vgg_model_load("/nowhere/x.safetensors", NULL, &none, &error));
    REFUSED(VGG_IO, vgg_model_load("/", NULL, &none, &error));
    REFUSED(VGG_IO, vgg_model_load_fd(-1, "x", NULL, &none, &error));
    REFUSED(VGG_BAD_MODEL, vgg_model_load_memory("", 0, "x", NULL, &none, &error));
    setenv("VGG_KERNELS", "abacus", 1);
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_init(&tiny, NULL, &none, &error));
    unsetenv("VGG_KERNELS");
    assert_null(none);
    assert_null(vgg_model_retain(NULL));
    vgg_model_release(NULL);
    vgg_model_get_label(model, UINT32_MAX, &id, &label);
    assert_null(id);
    assert_null(label);
    assert_null(vgg_model_get_layer(model, vgg_model_layer_count(model)).name);
    assert_null(vgg_model_get_layer(model, SIZE_MAX).name);
}

static void models_from_nothing(void **state)
{
    static const struct vgg_init_options bad[] = {{.arch = "F"},
                                                  {.arch = "A", .crop = 33},
                                                  {.arch = "A", .width = UINT32_MAX},
                                                  {.arch = "A", .fc = UINT32_MAX},
                                                  {.arch = "A", .classes = UINT32_MAX}};
    struct vgg_model *none = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        REFUSED(VGG_BAD_ARGUMENT, vgg_model_init(&bad[i], NULL, &none, &error));
        REFUSED(VGG_BAD_ARGUMENT, vgg_model_init_file("/tmp/never", &bad[i], &error));
    }
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_init(NULL, NULL, &none, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_init_file(NULL, &tiny, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_model_init_file("/tmp/never", NULL, &error));
    REFUSED(VGG_IO, vgg_model_init_file("/nowhere/x", &tiny, &error));
    assert_null(none);
}

static void requests(void **state)
{
    const struct vgg_request good = {.scales = {SIDE}, .scales_n = 1};
    const struct vgg_request bad[] = {{.scales_n = 0},
                                      {.scales = {SIDE}, .scales_n = VGG_SCALES_MAX + 1},
                                      {.scales = {CROP - 1}, .scales_n = 1},
                                      {.scales = {VGG_SCALE_MAX + 1}, .scales_n = 1},
                                      {.scales = {SIDE, 0}, .scales_n = 2}};
    uint64_t macs;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        REFUSED(VGG_BAD_ARGUMENT,
                vgg_request_check(model, &bad[i], 10, 10, UINT64_MAX, &macs, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_request_check(model, &good, 0, 10, UINT64_MAX, &macs, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_request_check(model, &good, 10, 0, UINT64_MAX, &macs, &error));
    REFUSED(VGG_TOO_LARGE, vgg_request_check(model, &good, 10, 10, SIDE, &macs, &error));
    assert_int_equal(vgg_scales_normalise(NULL, 0), 0);
}

static void views(void **state)
{
    const struct vgg_request none = {.scales_n = 0},
                             many = {.scales = {1, 2, 3, 4, 5, 6, 7, 8}, .scales_n = 9},
                             zero = {.scales = {0}, .scales_n = 1},
                             large = {.scales = {(1U << 24) + 1}, .scales_n = 1},
                             good = {.scales = {SIDE}, .scales_n = 1};
    const float inf[3] = {0, INFINITY, 0};
    struct vgg_image *image = picture();
    struct vgg_views *out = NULL;

    (void)state;
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create(image, &none, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create(image, &many, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create(image, &zero, &out, &error));
    REFUSED(VGG_TOO_LARGE, vgg_views_create(image, &large, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &none, CROP, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &many, 1, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &good, 0, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &good, SIDE + 1, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &good, CROP, 0, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_crops(image, &good, CROP, 33, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_input(inf, 1, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_input(inf, 0, 1, &out, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_views_create_input(inf, 1, 0, &out, &error));
    REFUSED(VGG_NO_MEMORY, vgg_views_create_input(inf, UINT32_MAX, UINT32_MAX, &out, &error));
    assert_null(out);
    vgg_views_destroy(NULL);
    vgg_image_destroy(image);
}

static struct vgg_views *views_of(uint32_t scale)
{
    const struct vgg_request request = {.scales = {scale}, .scales_n = 1};
    struct vgg_image *image = picture();
    struct vgg_views *made = NULL;

    assert_int_equal(vgg_views_create(image, &request, &made, NULL), VGG_OK);
    vgg_image_destroy(image);
    return made;
}

static void engines(void **state)
{
    const struct vgg_engine_options many = {.threads = 1U << 16},
                                    one = {.threads = 1, .view_pixels_max = (uint64_t)SIDE * SIDE};
    const struct vgg_job_options late = {.deadline_ns = 1}, typicality = {.typicality = true};
    struct vgg_views *small = views_of(CROP - 1), *large = views_of(SIDE + 1);
    struct vgg_engine *engine = NULL;
    struct vgg_job *job = NULL;
    double p = 7;

    (void)state;
    REFUSED(VGG_BAD_ARGUMENT, vgg_engine_create(&many, &engine, &error));
    assert_int_equal(vgg_engine_create(&one, &engine, NULL), VGG_OK);
    REFUSED(VGG_BAD_ARGUMENT, vgg_engine_submit(engine, model, small, NULL, &job, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_engine_submit(engine, model, large, NULL, &job, &error));
    vgg_views_destroy(small); /* still the caller's */
    vgg_views_destroy(large);
    assert_int_equal(vgg_engine_submit(engine, model, views_of(SIDE), &late, &job, NULL), VGG_OK);
    REFUSED(VGG_DEADLINE, vgg_job_wait(job, &error));
    vgg_job_destroy(job);
    assert_int_equal(vgg_engine_submit(engine, model, views_of(SIDE), &typicality, &job, NULL),
                     VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    assert_false(vgg_job_typicality(job, &p)); /* the model has none */
    assert_true(p == 7 && vgg_reject_level(vgg_model_get_info(model), 0.5) == 0);
    assert_non_null(vgg_job_view_posterior(job, 0));
    assert_null(vgg_job_view_posterior(job, 1));
    assert_null(vgg_job_view_posterior(job, SIZE_MAX));
    assert_null(vgg_job_map(job, 0));
    assert_null(vgg_job_map(job, SIZE_MAX));
    assert_null(vgg_job_features(job));
    vgg_job_destroy(job);
    vgg_job_destroy(NULL);
    vgg_engine_destroy(engine);
    vgg_engine_destroy(NULL);
}

static void the_best(void **state)
{
    const float posterior[2] = {0.25F, 0.75F};
    uint32_t top[2] = {9, 9};

    (void)state;
    assert_int_equal(vgg_top_k(posterior, 2, 0, top), 0);
    assert_int_equal(vgg_top_k(posterior, 0, 5, top), 0);
    assert_int_equal(top[0], 9);
    assert_int_equal(vgg_top_k(posterior, 2, SIZE_MAX, top), 2);
    assert_true(top[0] == 1 && top[1] == 0);
}

static void measuring(void **state)
{
    struct vgg_bench bench;
    struct vgg_machine machine = {0};

    (void)state;
    assert_int_equal(vgg_machine_measure(0, VGG_PRECISION_AUTO, &machine, NULL), VGG_OK);
    assert_int_equal(machine.threads, vgg_threads_default());
    REFUSED(VGG_BAD_ARGUMENT, vgg_machine_measure(1U << 16, VGG_PRECISION_F32, &machine, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_machine_measure(UINT32_MAX, VGG_PRECISION_F32, &machine, &error));
    setenv("VGG_KERNELS", "abacus", 1);
    REFUSED(VGG_BAD_ARGUMENT, vgg_machine_measure(1, VGG_PRECISION_F32, &machine, &error));
    unsetenv("VGG_KERNELS");
    assert_int_equal(vgg_bench_run(model, SIDE, SIDE, 1, 0, 1, &bench, NULL), VGG_OK);
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, CROP - 1, SIDE, 1, 1, 1, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, SIDE, 0, 1, 1, 1, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, SIDE, SIDE, 0, 1, 1, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, SIDE, SIDE, 1, 1, 0, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, SIDE, SIDE, UINT32_MAX, 1, 1, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT,
            vgg_bench_run(model, UINT32_MAX, UINT32_MAX, 1, 1, 1, &bench, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_bench_run(model, SIDE, SIDE, 1, 1U << 16, 1, &bench, &error));
}

static void training(void **state)
{
    const struct vgg_train_options
        empty = {0},
        files = {.output = "/nowhere/m", .checkpoint = "/nowhere/c"},
        arch = {.arch = "F", .output = "m", .checkpoint = "c"},
        scales = {.output = "m", .checkpoint = "c", .scales_n = VGG_SCALES_MAX + 1},
        init = {.output = "m", .checkpoint = "c", .init = (enum vgg_train_init)77},
        rate = {.rate = -1, .output = "m", .checkpoint = "c"},
        fraction = {.validation_fraction = -1, .output = "m", .checkpoint = "c"};
    struct vgg_train_result result;

    (void)state;
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &rate, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &fraction, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &empty, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train(NULL, &files, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &arch, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &scales, &result, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_train("/tmp", &init, &result, &error));
    REFUSED(VGG_IO, vgg_train("/nowhere", &files, &result, &error));
    assert_int_equal(result.epochs, 0);
}

static void finding(void **state)
{
    const struct vgg_walk walk = {.user = NULL};

    (void)state;
    REFUSED(VGG_BAD_ARGUMENT, vgg_walk_pictures(NULL, &walk, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_walk_pictures("/proc/self", NULL, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_walk_classes(NULL, &walk, &error));
    REFUSED(VGG_BAD_ARGUMENT, vgg_walk_classes("/proc/self", NULL, &error));
    REFUSED(VGG_IO, vgg_walk_pictures("/nowhere", &walk, &error));
    REFUSED(VGG_IO, vgg_walk_classes("/nowhere", &walk, &error));
    assert_int_equal(vgg_walk_pictures("tests", &walk, NULL), VGG_OK); /* nobody listens */
    assert_int_equal(vgg_walk_classes("tests", &walk, NULL), VGG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),    cmocka_unit_test(images),
        cmocka_unit_test(models),    cmocka_unit_test(models_from_nothing),
        cmocka_unit_test(requests),  cmocka_unit_test(views),
        cmocka_unit_test(engines),   cmocka_unit_test(the_best),
        cmocka_unit_test(measuring), cmocka_unit_test(training),
        cmocka_unit_test(finding),
    };

    return cmocka_run_group_tests_name("promises", tests, setup, teardown);
}
