/* The format-independent part: telling formats apart, limits, creation, sizes of a rescale. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "image/image.h"
#include "jpeg_maker.h"

static void names_formats_it_does_not_read(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t size;
    } strangers[] = {
        {"GIF", "GIF89a\1\0\1\0", 10},
        {"GIF", "GIF87a\1\0\1\0", 10},
        {"BMP", "BM\x36\0\0\0\0\0\0\0", 10},
        {"TIFF", "II*\0\x08\0\0\0", 8},
        {"TIFF", "MM\0*\0\0\0\x08", 8},
        {"BigTIFF", "II+\0\x08\0\0\0", 8},
        {"HEIC",
         "\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16},
        {"AVIF",
         "\0\0\0\x20"
         "ftypavif\0\0\0\0",
         16},
        {"JPEG XL", "\xff\x0a\xfa\x1f", 4},
        {"JPEG 2000", "\0\0\0\x0cjP  \r\n\x87\n", 12},
        {"a video (MP4, QuickTime)",
         "\0\0\0\x18"
         "ftypisom\0\0\0\0",
         16},
        {"MNG", "\x8aMNG\r\n\x1a\n", 8},
        {"Photoshop", "8BPS\0\1", 6},
        {"an icon (ICO)", "\0\0\1\0\1\0", 6},
        {"QOI", "qoif\0\0", 6},
        {"SVG", "<svg xmlns=", 11},
        {"PDF", "%PDF-1.7\n", 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct vgg_error error = {0};
        struct vgg_image_info info;
        struct vgg_image *image = NULL;
        char expected[192];

        snprintf(expected, sizeof expected,
                 "not an image format we read (JPEG, PNG, WebP); the bytes look like %s: ",
                 strangers[i].name);
        assert_int_equal(vgg_image_peek(strangers[i].bytes, strangers[i].size, NULL, &info, &error),
                         VGG_UNSUPPORTED_FORMAT);
        assert_memory_equal(error.text, expected, strlen(expected));
        error = (struct vgg_error){0};
        assert_int_equal(
            vgg_image_decode(strangers[i].bytes, strangers[i].size, NULL, &image, &error),
            VGG_UNSUPPORTED_FORMAT);
        assert_memory_equal(error.text, expected, strlen(expected));
        assert_null(image);
    }
}

/* Every beginning of a signature. */
static void short_and_unknown_bytes(void **state)
{
    static const char *const starts[] = {"\x89PNG", "\1RIFF.", "\1\1\1\1ftyp", "\xff\xd8"};
    struct vgg_image_info info;

    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct damage damage = damage_of(starts[i], strlen(starts[i]));

        while (damage_cut(&damage)) {
            struct vgg_error error = {0};

            assert_int_equal(vgg_image_peek(damage.bytes, damage.size, NULL, &info, &error),
                             VGG_UNSUPPORTED_FORMAT);
            assert_non_null(strstr(error.text, damage.size == 0 ? "no bytes" : "JPEG"));
            assert_null(strstr(error.text, "look like"));
        }
    }
}

static void nothing_at_all(void **state)
{
    struct vgg_error error = {0};
    struct vgg_image_info info;
    struct vgg_image *image = NULL;

    (void)state;
    assert_int_equal(vgg_image_peek("", 0, NULL, &info, &error), VGG_UNSUPPORTED_FORMAT);
    assert_non_null(strstr(error.text, "no bytes"));
    assert_int_equal(vgg_image_peek(NULL, 0, NULL, &info, NULL), VGG_UNSUPPORTED_FORMAT);
    assert_int_equal(vgg_image_decode(NULL, 0, NULL, &image, NULL), VGG_UNSUPPORTED_FORMAT);
    assert_null(image);
}

/* 64 Mi pixels where nothing else is said: 8192 x 8192, and not a row more. */
static void default_limit(void **state)
{
    struct jpeg_spec spec = {.width = 8, .height = 8};
    struct vgg_image_limits zero = {0};
    struct vgg_image_info info;
    struct vgg_error error = {0};
    uint8_t *bytes;
    size_t size;

    (void)state;
    assert_true(jpeg_make(&spec, &bytes, &size));
    assert_true(jpeg_patch_dimensions(bytes, size, 8192, 8192));
    assert_int_equal(vgg_image_peek(bytes, size, NULL, &info, NULL), VGG_OK);
    assert_int_equal(vgg_image_peek(bytes, size, &zero, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 8192);
    assert_true(jpeg_patch_dimensions(bytes, size, 8192, 8193));
    assert_int_equal(vgg_image_peek(bytes, size, NULL, &info, NULL), VGG_TOO_LARGE);
    assert_int_equal(vgg_image_peek(bytes, size, &zero, &info, &error), VGG_TOO_LARGE);
    assert_non_null(strstr(error.text, "8192 x 8193"));
    assert_non_null(strstr(error.text, "67108864"));
    free(bytes);
}

static void creation(void **state)
{
    struct vgg_image *image = vgg_image_create("test", 7, 5);

    (void)state;
    assert_non_null(image);
    memset(image->pixels, 0x5a, 7 * 5 * 3); /* a sanitizer would object to a block too small */
    assert_string_equal(vgg_image_get_info(image).format, "test");
    assert_int_equal(vgg_image_get_info(image).width, 7);
    assert_int_equal(vgg_image_get_info(image).height, 5);
    assert_ptr_equal(vgg_image_pixels(image), image->pixels);
    vgg_image_destroy(image);
    vgg_image_destroy(NULL);
    /* 2^64 - 2^33 + 1 pixels do not fit three bytes each into any address space. */
    assert_null(vgg_image_create("test", UINT32_MAX, UINT32_MAX));
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
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
        cmocka_unit_test(names_formats_it_does_not_read),
        cmocka_unit_test(short_and_unknown_bytes),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(default_limit),
        cmocka_unit_test(creation),
        cmocka_unit_test(sizes_of_a_rescale),
        cmocka_unit_test(rescales_that_cannot_be),
        cmocka_unit_test(large_pictures_in_bands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
