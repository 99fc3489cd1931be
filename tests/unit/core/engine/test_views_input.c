/* Views that somebody else has prepared: the same bytes as from pixels, by every table of kernels.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/evaluate.h"
#include "fault.h"
#include "kernels/kernels.h"

enum { WIDTH = 45, HEIGHT = 38, PIXELS = WIDTH * HEIGHT };

static void submit(struct vgg_engine *engine, struct vgg_model *model, struct vgg_views *views,
                   struct vgg_job **job)
{
    assert_int_equal(vgg_engine_submit(engine, model, views, NULL, job, NULL), VGG_OK);
}

/* Normalised as the model says, [3][h][w]; the caller frees it. */
static float *prepare(const struct vgg_image *image, const struct vgg_model_info *info)
{
    float *input = malloc(3 * PIXELS * sizeof *input);
    bool bgr = info->channels[0] == 'B';

    assert_non_null(input);
    for (size_t c = 0; c < 3; c++)
        for (size_t p = 0; p < PIXELS; p++)
            input[c * PIXELS + p] =
                (float)((image->pixels[3 * p + (bgr ? 2 - c : c)] / 255.0 - info->mean[c]) /
                        info->std[c]);
    return input;
}

/* Three pictures as pixels and the same as tensors, in one crowd. */
static void check_same_bytes(const char *channels)
{
    const struct vgg_request request = {.scales = {HEIGHT}, .scales_n = 1};
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    struct vgg_job *jobs[3], *prepared[3];
    struct vgg_model *model;
    struct maker maker;
    size_t classes;

    maker_make(&maker, &(struct maker_spec){.width = 4});
    maker_meta(&maker, "vgg.channels", channels);
    model = load_made(&maker);
    classes = vgg_model_get_info(model)->classes;
    for (size_t i = 0; i < 3; i++) {
        struct vgg_image *image = make_image(WIDTH, HEIGHT, i);
        float *input = prepare(image, vgg_model_get_info(model));
        struct vgg_views *views;

        assert_int_equal(vgg_views_create(image, &request, &views, NULL), VGG_OK);
        submit(engine, model, views, &jobs[i]);
        assert_int_equal(vgg_views_create_input(input, WIDTH, HEIGHT, &views, NULL), VGG_OK);
        free(input); /* it was copied */
        submit(engine, model, views, &prepared[i]);
        vgg_image_destroy(image);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(vgg_job_wait(jobs[i], NULL), VGG_OK);
        assert_int_equal(vgg_job_wait(prepared[i], NULL), VGG_OK);
        assert_int_equal(vgg_job_view_count(prepared[i]), 1);
        assert_memory_equal(vgg_job_posterior(prepared[i]), vgg_job_posterior(jobs[i]),
                            classes * sizeof(float));
        assert_true(i == 0 || memcmp(vgg_job_posterior(jobs[i]), vgg_job_posterior(jobs[0]),
                                     classes * sizeof(float)) != 0);
    }
    for (size_t i = 0; i < 3; i++) {
        vgg_job_destroy(jobs[i]);
        vgg_job_destroy(prepared[i]);
    }
    vgg_model_release(model);
    vgg_engine_destroy(engine);
    maker_free(&maker);
}

static void the_same_bytes_as_from_pixels(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(setenv("VGG_KERNELS", tables[i]->name, 1), 0);
        check_same_bytes("RGB");
        check_same_bytes("BGR");
    }
    unsetenv("VGG_KERNELS");
}

static void any_address_will_do(void **state)
{
    static unsigned char bytes[3 * PIXELS * sizeof(float) + 1];
    struct vgg_views *views;
    float value = 0.75F;
    struct vgg_view view;

    (void)state;
    for (size_t i = 0; i < 3 * PIXELS; i++)
        memcpy(bytes + 1 + i * sizeof value, &value, sizeof value);
    assert_int_equal(vgg_views_create_input(bytes + 1, WIDTH, HEIGHT, &views, NULL), VGG_OK);
    assert_int_equal(vgg_views_count(views), 1);
    view = vgg_views_get(views, 0);
    assert_true(view.width == WIDTH && view.height == HEIGHT && !view.mirror);
    for (size_t i = 0; i < 3 * PIXELS; i++)
        assert_true(views->input[i] == value);
    vgg_views_destroy(views);
}

static void values_must_be_finite(void **state)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    static const size_t places[] = {0, PIXELS, 3 * PIXELS - 1};
    static float input[3 * PIXELS];

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct vgg_error error = {0};
        struct vgg_views *views = NULL;

        input[places[i / 3]] = bad[i % 3];
        assert_int_equal(vgg_views_create_input(input, WIDTH, HEIGHT, &views, &error),
                         VGG_BAD_ARGUMENT);
        assert_null(views);
        assert_non_null(strstr(error.text, "not finite"));
        input[places[i / 3]] = 0;
    }
}

static void views_without_memory(void **state)
{
    static const float input[3 * PIXELS];
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_views *views = NULL;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_views_create_input(input, WIDTH, HEIGHT, &views, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        vgg_views_destroy(views);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_as_from_pixels),
        cmocka_unit_test(any_address_will_do),
        cmocka_unit_test(values_must_be_finite),
        cmocka_unit_test(views_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
