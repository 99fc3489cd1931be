/* Rescaling to a scale: sizes, limits, bands. */
#include "check.h"

#include <string.h>

#include "image/image.h"

static void sizes_are_rounded_down(void **state)
{
    static const struct {
        uint32_t width, height, scale;
        uint64_t scaled_width, scaled_height;
    } cases[] = {
        {512, 384, 256, 341, 256},
        {384, 512, 256, 256, 341},
        {512, 384, 384, 512, 384},
        {100, 100, 256, 256, 256},
        {1, 1, 1024, 1024, 1024},
        {3, 2, 7, 10, 7},
        {2, 3, 7, 7, 10},
        {2000, 2, 256, 256000, 256},
        {2, 2000, 256, 256, 256000},
        {65500, 65500, 32, 32, 32},
        {640, 427, 256, 383, 256},
        {500, 333, 384, 576, 384},
        {1, 4294967295, 1024, 1024, 4398046510080},
        {4294967295, 1, 1024, 4398046510080, 1024},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t width = 0, height = 0;

        vgg_image_scaled_size(cases[i].width, cases[i].height, cases[i].scale, &width, &height);
        assert_int_equal(width, cases[i].scaled_width);
        assert_int_equal(height, cases[i].scaled_height);
    }
}

static void the_rescaled_picture_has_that_size(void **state)
{
    static const uint32_t sides[][2] = {{37, 53}, {53, 37}, {100, 33}, {64, 64}, {2, 9}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        for (uint32_t scale = 31; scale < 70; scale += 19) {
            struct vgg_image *image = vgg_image_create("test", sides[i][0], sides[i][1]), *view;
            uint64_t width, height;

            assert_non_null(image);
            memset(image->pixels, 7, (size_t)sides[i][0] * sides[i][1] * 3);
            assert_int_equal(vgg_image_rescale(image, scale, &view, NULL), VGG_OK);
            vgg_image_scaled_size(sides[i][0], sides[i][1], scale, &width, &height);
            assert_int_equal(view->info.width, width);
            assert_int_equal(view->info.height, height);
            vgg_image_destroy(view);
            vgg_image_destroy(image);
        }
}

static void sizes_of_a_rescale(void **state)
{
    static const uint32_t cases[][5] = {
        /* width, height, scale -> width, height */
        {640, 480, 256, 341, 256}, {480, 640, 256, 256, 341}, {500, 375, 384, 512, 384},
        {1, 1, 32, 32, 32},        {3, 2, 7, 10, 7},          {100, 100, 33, 33, 33},
        {4000, 3000, 3, 4, 3},     {2, 999, 1, 1, 499},       {7, 7, 7, 7, 7},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_image *image = vgg_image_create("test", cases[i][0], cases[i][1]);
        struct vgg_image *out = NULL;
        struct vgg_image_info info;

        assert_non_null(image);
        memset(image->pixels, 77, (size_t)cases[i][0] * cases[i][1] * 3);
        assert_int_equal(vgg_image_rescale(image, cases[i][2], &out, NULL), VGG_OK);
        info = vgg_image_get_info(out);
        assert_int_equal(info.width, cases[i][3]);
        assert_int_equal(info.height, cases[i][4]);
        assert_string_equal(info.format, "test");
        for (size_t j = 0; j < (size_t)info.width * info.height * 3; j++)
            assert_int_equal(vgg_image_pixels(out)[j], 77);
        vgg_image_destroy(out);
        vgg_image_destroy(image);
    }
}

static void rescales_that_cannot_be(void **state)
{
    struct vgg_image *image = vgg_image_create("test", 1, 60000);
    struct vgg_image *out = NULL;
    struct vgg_error error = {0};

    (void)state;
    assert_non_null(image);
    memset(image->pixels, 0, 60000 * 3);
    assert_int_equal(vgg_image_rescale(image, 0, &out, NULL), VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_image_rescale(image, 280, &out, &error), VGG_TOO_LARGE); /* 16,800,000 */
    assert_non_null(strstr(error.text, "1 x 60000"));
    assert_int_equal(vgg_image_rescale(image, UINT32_MAX, &out, NULL), VGG_TOO_LARGE);
    assert_null(out);
    vgg_image_destroy(image);
}

static enum vgg_status count_down(void *user)
{
    unsigned *left = user;

    return --*left == 0 ? VGG_CANCELLED : VGG_OK;
}

/* Two bands of rows give what one gives, and the poll before either ends it. */
static void large_pictures_in_bands(void **state)
{
    enum { WIDTH = 4096, HEIGHT = 3000, SCALE = 37, OUT_WIDTH = SCALE * WIDTH / HEIGHT };
    struct vgg_image *image = vgg_image_create("test", WIDTH, HEIGHT), *out = NULL;
    uint8_t whole[OUT_WIDTH * SCALE * 3];
    unsigned left;

    (void)state;
    assert_non_null(image);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
        image->pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(vgg_resample_part(image->pixels, WIDTH, HEIGHT, whole, OUT_WIDTH, SCALE,
                                       &(struct vgg_rect){0, 0, OUT_WIDTH, SCALE}, NULL),
                     VGG_OK);
    assert_int_equal(vgg_image_rescale(image, SCALE, &out, NULL), VGG_OK);
    assert_memory_equal(out->pixels, whole, sizeof whole);
    vgg_image_destroy(out);
    for (unsigned at = 1; at <= 3; at++) {
        const struct vgg_image_limits limits = {.poll = count_down, .user = &left};
        enum vgg_status status;

        left = at;
        out = NULL;
        status = vgg_image_rescale_within(image, SCALE, &limits, &out, NULL);
        assert_int_equal(status, at <= 2 ? VGG_CANCELLED : VGG_OK);
        assert_true((status == VGG_OK) == (out != NULL));
        vgg_image_destroy(out);
    }
    vgg_image_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_rounded_down),
        cmocka_unit_test(the_rescaled_picture_has_that_size),
        cmocka_unit_test(sizes_of_a_rescale),
        cmocka_unit_test(rescales_that_cannot_be),
        cmocka_unit_test(large_pictures_in_bands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
