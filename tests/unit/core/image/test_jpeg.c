/*
 * The JPEG decoder on good files: pixels against libjpeg called plainly, against the picture that
 * was encoded and against formulas; orientation; and memory that runs out at every allocation.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "fault.h"
#include "image/image.h"
#include "jpeg_maker.h"

/* ---- helpers ---- */

static struct vgg_image *decode_bytes(const uint8_t *bytes, size_t size)
{
    struct vgg_image *image = NULL;
    struct vgg_error error = {0};

    if (vgg_image_decode(bytes, size, NULL, &image, &error) != VGG_OK)
        fail_msg("not decoded: %s", error.text);
    return image;
}

static struct vgg_image *decode_spec(const struct jpeg_spec *spec)
{
    struct vgg_image *image;
    uint8_t *bytes;
    size_t size;

    assert_true(jpeg_make(spec, &bytes, &size));
    image = decode_bytes(bytes, size);
    free(bytes);
    return image;
}

/* libjpeg as its manual says, with no care for errors: [height][width][components]. */
static uint8_t *decode_plainly(const uint8_t *bytes, size_t size, J_COLOR_SPACE space)
{
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    size_t row_bytes;
    uint8_t *pixels;

    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&cinfo);
    jpeg_mem_src(&cinfo, bytes, size);
    jpeg_read_header(&cinfo, TRUE);
    cinfo.out_color_space = space;
    cinfo.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&cinfo);
    row_bytes = (size_t)cinfo.output_width * (size_t)cinfo.output_components;
    pixels = malloc(row_bytes * cinfo.output_height);
    assert_non_null(pixels);
    while (cinfo.output_scanline < cinfo.output_height) {
        uint8_t *row = pixels + row_bytes * cinfo.output_scanline;

        jpeg_read_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_decompress(&cinfo);
    jpeg_destroy_decompress(&cinfo);
    return pixels;
}

static void assert_same_pixels(const struct vgg_image *a, const struct vgg_image *b)
{
    assert_int_equal(a->info.width, b->info.width);
    assert_int_equal(a->info.height, b->info.height);
    assert_memory_equal(a->pixels, b->pixels, (size_t)a->info.width * a->info.height * 3);
}

/* ---- pixels ---- */

static void three_components_as_libjpeg(void **state)
{
    static const int samplings[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}};
    static const uint32_t sizes[][2] = {{1, 1}, {16, 16}, {17, 31}, {97, 64}, {200, 3}};

    (void)state;
    for (size_t s = 0; s < COUNT_OF(samplings); s++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct jpeg_spec spec = {.width = sizes[i][0],
                                     .height = sizes[i][1],
                                     .luma_h = samplings[s][0],
                                     .luma_v = samplings[s][1]};
            struct vgg_image *image;
            uint8_t *bytes;
            uint8_t *expected;
            size_t size;

            assert_true(jpeg_make(&spec, &bytes, &size));
            image = decode_bytes(bytes, size);
            expected = decode_plainly(bytes, size, JCS_RGB);
            assert_string_equal(image->info.format, "jpeg");
            assert_int_equal(image->info.width, spec.width);
            assert_int_equal(image->info.height, spec.height);
            assert_memory_equal(image->pixels, expected, (size_t)spec.width * spec.height * 3);
            vgg_image_destroy(image);
            free(bytes);
            free(expected);
        }
    }
}

/* What comes out is what went in, but for quantisation: at quality 100 a few levels. */
static void close_to_the_original(void **state)
{
    static const enum jpeg_color colors[] = {JPEG_YCBCR, JPEG_RGB, JPEG_GREY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(colors); i++) {
        struct jpeg_spec spec = {.width = 90, .height = 70, .color = colors[i], .quality = 100};
        struct vgg_image *image = decode_spec(&spec);
        const uint8_t *at = image->pixels;

        for (uint32_t y = 0; y < spec.height; y++)
            for (uint32_t x = 0; x < spec.width; x++)
                for (unsigned c = 0; c < 3; c++) {
                    unsigned original = colors[i] == JPEG_GREY ? 0 : c;

                    assert_true(abs(*at++ - jpeg_sample(&spec, x, y, original)) <= 5);
                }
        vgg_image_destroy(image);
    }
}

static void grey_has_three_equal_channels(void **state)
{
    struct jpeg_spec spec = {.width = 40, .height = 30, .color = JPEG_GREY};
    struct vgg_image *image = decode_spec(&spec);

    (void)state;
    for (size_t i = 0; i < 40 * 30; i++) {
        assert_int_equal(image->pixels[3 * i], image->pixels[3 * i + 1]);
        assert_int_equal(image->pixels[3 * i], image->pixels[3 * i + 2]);
    }
    vgg_image_destroy(image);
}

static void four_components_by_formula(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct jpeg_spec spec = {.width = 61,
                                 .height = 45,
                                 .color = i % 2 == 0 ? JPEG_CMYK : JPEG_YCCK,
                                 .progressive = i >= 2};
        struct vgg_image *image;
        uint8_t *bytes;
        uint8_t *cmyk;
        size_t size;

        assert_true(jpeg_make(&spec, &bytes, &size));
        image = decode_bytes(bytes, size);
        cmyk = decode_plainly(bytes, size, JCS_CMYK);
        for (size_t pixel = 0; pixel < 61 * 45; pixel++)
            for (unsigned c = 0; c < 3; c++) {
                unsigned product = cmyk[4 * pixel + c] * cmyk[4 * pixel + 3];

                assert_int_equal(image->pixels[3 * pixel + c], (2 * product + 255) / 510);
            }
        /* And the file does hold what was meant, so that "inverted" is tested too. */
        assert_true(abs(cmyk[3] - jpeg_sample(&spec, 0, 0, 3)) <= 8);
        assert_true(abs(cmyk[1] - jpeg_sample(&spec, 0, 0, 1)) <= 8);
        vgg_image_destroy(image);
        free(bytes);
        free(cmyk);
    }
}

/* The coding of the same coefficients changes no pixel. */
static void coding_does_not_matter(void **state)
{
    static const enum jpeg_color colors[] = {JPEG_YCBCR, JPEG_RGB, JPEG_GREY, JPEG_CMYK, JPEG_YCCK};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(colors); i++) {
        struct jpeg_spec spec = {.width = 75, .height = 50, .color = colors[i], .luma_h = 2};
        struct vgg_image *plain = decode_spec(&spec);

        for (unsigned variant = 1; variant < 8; variant++) {
            struct vgg_image *image;

            spec.progressive = (variant & 1) != 0;
            spec.arithmetic = (variant & 2) != 0;
            spec.restart_interval = (variant & 4) != 0 ? 3 : 0;
            image = decode_spec(&spec);
            assert_same_pixels(image, plain);
            vgg_image_destroy(image);
        }
        vgg_image_destroy(plain);
    }
}

/* ---- orientation ---- */

static void peek_and_decode_turn_alike(void **state)
{
    struct jpeg_spec spec = {.width = 50, .height = 20};
    struct vgg_image *upright = decode_spec(&spec);

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct vgg_image *image;
        struct vgg_image *expected;
        struct vgg_image_info info;
        uint8_t *bytes;
        size_t size;

        spec.orientation = i % 8 + 1;
        spec.big_endian = i >= 8;
        assert_true(jpeg_make(&spec, &bytes, &size));
        assert_int_equal(vgg_image_peek(bytes, size, NULL, &info, NULL), VGG_OK);
        assert_string_equal(info.format, "jpeg");
        assert_int_equal(info.width, spec.orientation >= 5 ? 20 : 50);
        assert_int_equal(info.height, spec.orientation >= 5 ? 50 : 20);
        image = decode_bytes(bytes, size);
        assert_int_equal(image->info.width, info.width);
        assert_int_equal(image->info.height, info.height);

        expected = vgg_image_create("jpeg", 50, 20);
        assert_non_null(expected);
        memcpy(expected->pixels, upright->pixels, 50 * 20 * 3);
        assert_int_equal(vgg_image_orient(&expected, spec.orientation, NULL, NULL), VGG_OK);
        assert_same_pixels(image, expected);
        vgg_image_destroy(expected);
        vgg_image_destroy(image);
        free(bytes);
    }
    vgg_image_destroy(upright);
}

/* The first EXIF segment counts; other APP1 segments (XMP) are passed over. */
static void first_exif_wins(void **state)
{
    static const uint8_t xmp[] = "\xff\xe1\0\x23http://ns.adobe.com/xap/1.0/\0<x/>";
    struct jpeg_spec spec = {.width = 50, .height = 20, .orientation = 6};
    uint8_t second[4 + JPEG_EXIF_BYTES] = {0xff, 0xe1, 0, 2 + JPEG_EXIF_BYTES};
    struct vgg_image_info info;
    uint8_t *bytes;
    uint8_t *with_xmp;
    uint8_t *with_second;
    size_t size;
    size_t quantisation;

    (void)state;
    assert_int_equal(sizeof xmp - 1, 2 + 0x23);
    assert_true(jpeg_make(&spec, &bytes, &size));
    with_xmp = jpeg_insert(bytes, size, 2, xmp, sizeof xmp - 1);
    assert_non_null(with_xmp);
    assert_int_equal(vgg_image_peek(with_xmp, size + sizeof xmp - 1, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 20);

    jpeg_exif(1, false, second + 4);
    quantisation = jpeg_find_segment(bytes, size, 0xdb);
    assert_true(quantisation > jpeg_find_segment(bytes, size, 0xe1));
    with_second = jpeg_insert(bytes, size, quantisation, second, sizeof second);
    assert_non_null(with_second);
    assert_int_equal(vgg_image_peek(with_second, size + sizeof second, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 20);
    free(with_second);
    with_second = jpeg_insert(bytes, size, 2, second, sizeof second);
    assert_non_null(with_second);
    assert_int_equal(vgg_image_peek(with_second, size + sizeof second, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 50);
    free(with_second);
    free(with_xmp);
    free(bytes);
}

static void broken_exif_means_upright(void **state)
{
    struct jpeg_spec spec = {.width = 50, .height = 20, .orientation = 6};
    struct vgg_image_info info;
    uint8_t *bytes;
    size_t size;
    size_t exif;

    (void)state;
    assert_true(jpeg_make(&spec, &bytes, &size));
    exif = jpeg_find_segment(bytes, size, 0xe1);
    assert_int_not_equal(exif, 0);
    memset(bytes + exif + 4 + 10, 0xff, 4); /* the offset of the directory */
    assert_int_equal(vgg_image_peek(bytes, size, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 50);
    free(bytes);
}

/* ---- memory ---- */

/* Fail the 1st, 2nd, 3rd ... allocation until none is left to fail. */
static void survives_every_failed_allocation(void **state)
{
    static const struct jpeg_spec specs[] = {
        {.width = 40, .height = 30, .luma_h = 2, .luma_v = 2},
        {.width = 40, .height = 30, .progressive = true, .orientation = 6},
        {.width = 40, .height = 30, .color = JPEG_YCCK, .arithmetic = true},
        {.width = 40, .height = 30}, /* its end is overwritten below */
    };

    (void)state;
    if (!fault_available()) {
        printf("SKIPPED: allocations cannot be failed under this sanitizer\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        uint8_t *bytes;
        size_t size;
        unsigned failures = 0;
        bool fired = true;

        assert_true(jpeg_make(&specs[i], &bytes, &size));
        if (i + 1 == COUNT_OF(specs))
            memset(bytes + size - 2, 0, 2);
        for (unsigned n = 1; fired && n < 1000; n++) {
            struct vgg_error error = {0};
            struct vgg_image *image = NULL, *scaled = NULL;
            long live = fault_outstanding();
            enum vgg_status status;

            fault_arm(n);
            status = vgg_image_decode(bytes, size, NULL, &image, &error);
            if (status == VGG_OK)
                status = vgg_image_rescale(image, 32, &scaled, &error);
            fired = fault_disarm();
            vgg_image_destroy(image);
            vgg_image_destroy(scaled);
            assert_int_equal(fault_outstanding(), live);
            if (status != VGG_OK) {
                assert_true(fired);
                assert_int_equal(status, VGG_NO_MEMORY);
                assert_string_equal(error.text, "out of memory");
                failures++;
            }
        }
        assert_false(fired);
        assert_true(failures >=
                    5); /* libjpeg tries again with less where it asked for spare room */
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_components_as_libjpeg),
        cmocka_unit_test(close_to_the_original),
        cmocka_unit_test(grey_has_three_equal_channels),
        cmocka_unit_test(four_components_by_formula),
        cmocka_unit_test(coding_does_not_matter),
        cmocka_unit_test(peek_and_decode_turn_alike),
        cmocka_unit_test(first_exif_wins),
        cmocka_unit_test(broken_exif_means_upright),
        cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
