/* The choice of a decoder: telling formats apart, and the limits where none are given. */
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
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
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
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_formats_it_does_not_read),
        cmocka_unit_test(short_and_unknown_bytes),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(default_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
