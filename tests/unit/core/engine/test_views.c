/* The checks before anything is decoded, and the predicted cost. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/views.h"
#include "fault.h"
#include "image/image.h"
#include "model_maker.h"

static struct vgg_model *model; /* crop 64 */

/* ---------------------------------------------------------------- checks --------------------- */

static void cost_is_the_sum_over_views(void **state)
{
    struct vgg_request request = {.scales = {64, 96, 200}, .scales_n = 3};
    uint64_t macs = 1, expected = vgg_model_view_macs(model, 85, 64) +
                                  vgg_model_view_macs(model, 128, 96) +
                                  vgg_model_view_macs(model, 266, 200);

    (void)state;
    assert_true(vgg_model_view_macs(model, 85, 64) > 0);
    assert_int_equal(vgg_request_check(model, &request, 640, 480, 1 << 20, &macs, NULL), VGG_OK);
    assert_int_equal(macs, expected);
    request.flip = true;
    assert_int_equal(vgg_request_check(model, &request, 640, 480, 1 << 20, &macs, NULL), VGG_OK);
    assert_int_equal(macs, 2 * expected);
    /* The picture's own size does not matter, only its shape. */
    assert_int_equal(vgg_request_check(model, &request, 4, 3, 1 << 20, &macs, NULL), VGG_OK);
    assert_int_equal(macs, 2 * expected);
}

static void scales_outside_the_range(void **state)
{
    static const uint32_t bad[] = {0, 1, 63, 1025, 100000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct vgg_request request = {.scales = {64, bad[i]}, .scales_n = 2};
        struct vgg_error error = {0};
        char text[32];
        uint64_t macs;

        assert_int_equal(vgg_request_check(model, &request, 100, 100, UINT64_MAX, &macs, &error),
                         VGG_BAD_ARGUMENT);
        assert_int_equal(error.status, VGG_BAD_ARGUMENT);
        snprintf(text, sizeof text, "scale %u ", bad[i]);
        assert_non_null(strstr(error.text, text));
        assert_non_null(strstr(error.text, "64"));
        assert_non_null(strstr(error.text, "1024"));
    }
    for (uint32_t good = 64; good <= 1024; good += 960) {
        struct vgg_request request = {.scales = {good}, .scales_n = 1};
        uint64_t macs;

        assert_int_equal(vgg_request_check(model, &request, 100, 100, 1 << 20, &macs, NULL),
                         VGG_OK);
    }
}

static void views_over_the_limit(void **state)
{
    struct vgg_request request = {.scales = {64, 100}, .scales_n = 2};
    struct vgg_error error = {0};
    uint64_t macs;

    (void)state;
    /* 150x100 is the larger view of a 3:2 picture. */
    assert_int_equal(vgg_request_check(model, &request, 300, 200, 15000, &macs, NULL), VGG_OK);
    assert_int_equal(vgg_request_check(model, &request, 300, 200, 14999, &macs, &error),
                     VGG_TOO_LARGE);
    assert_int_equal(error.status, VGG_TOO_LARGE);
    assert_non_null(strstr(error.text, "scale 100"));
    assert_non_null(strstr(error.text, "300x200"));
    assert_non_null(strstr(error.text, "150x100"));
    assert_non_null(strstr(error.text, "14999"));
    /* The sides of a ribbon's view need more than 32 bits in a product. */
    assert_int_equal(vgg_request_check(model, &request, UINT32_MAX, 1, 1 << 20, &macs, NULL),
                     VGG_TOO_LARGE);
    assert_int_equal(vgg_request_check(model, &request, 1, UINT32_MAX, UINT32_MAX, &macs, NULL),
                     VGG_TOO_LARGE);
    assert_int_equal(vgg_request_check(model, &request, 2000, 2, 1 << 20, &macs, NULL),
                     VGG_TOO_LARGE);
}

/* ---------------------------------------------------------------- views ---------------------- */

static struct vgg_image *make_image(uint32_t width, uint32_t height)
{
    struct vgg_image *image = vgg_image_create("test", width, height);
    uint8_t *rgb = maker_picture(width, height, 5);

    assert_non_null(image);
    memcpy(image->pixels, rgb, (size_t)width * height * 3);
    free(rgb);
    return image;
}

static void views_in_order(void **state)
{
    struct vgg_request request = {.scales = {40, 64, 90}, .scales_n = 3};
    struct vgg_image *image = make_image(80, 60);

    (void)state;
    for (unsigned flip = 0; flip < 2; flip++) {
        struct vgg_views *views;

        request.flip = flip;
        assert_int_equal(vgg_views_create(image, &request, &views, NULL), VGG_OK);
        assert_int_equal(vgg_views_count(views), flip ? 6 : 3);
        for (size_t i = 0; i < vgg_views_count(views); i++) {
            uint32_t scale = request.scales[flip ? i / 2 : i];
            struct vgg_image *expected;
            struct vgg_view view = vgg_views_get(views, i);

            assert_int_equal(view.mirror, flip && i % 2 == 1);
            assert_int_equal(vgg_image_rescale(image, scale, &expected, NULL), VGG_OK);
            assert_true(view.x == 0 && view.y == 0 && view.height == scale);
            assert_int_equal(view.width, expected->info.width);
            assert_int_equal(view.image->info.width, expected->info.width);
            assert_memory_equal(view.image->pixels, expected->pixels,
                                (size_t)3 * scale * expected->info.width);
            vgg_image_destroy(expected);
        }
        vgg_views_destroy(views);
    }
    vgg_image_destroy(image);
    vgg_views_destroy(NULL);
}

static void views_without_memory(void **state)
{
    struct vgg_request request = {.scales = {40, 64, 90}, .scales_n = 3, .flip = true};
    struct vgg_image *image = make_image(80, 60);
    bool fired = fault_available();
    long before = fault_outstanding();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        struct vgg_views *views = NULL;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_views_create(image, &request, &views, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        vgg_views_destroy(views);
        assert_int_equal(fault_outstanding(), before);
    }
    vgg_image_destroy(image);
}

static int start(void **state)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;
    enum vgg_status status;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.side = 2});
    bytes = maker_bytes(&maker, &size);
    status = vgg_model_load_memory(bytes, size, "model", NULL, &model, NULL);
    free(bytes);
    maker_free(&maker);
    return status;
}

static int stop(void **state)
{
    (void)state;
    vgg_model_release(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_is_the_sum_over_views), cmocka_unit_test(scales_outside_the_range),
        cmocka_unit_test(views_over_the_limit),       cmocka_unit_test(views_in_order),
        cmocka_unit_test(views_without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
