/*
 * The JPEG decoder on files that are cut, damaged, of a kind it does not read, or made to cost
 * much: each gets the status it deserves and a text, and what is only untidy still decodes.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "image/image.h"
#include "jpeg_maker.h"

enum { SOF0 = 0xc0, SOS = 0xda, APP0 = 0xe0, APP14 = 0xee };

struct file {
    uint8_t *bytes;
    size_t size;
};

static struct file make(const struct jpeg_spec *spec)
{
    struct file file;

    assert_true(jpeg_make(spec, &file.bytes, &file.size));
    return file;
}

static struct file make_plain(void)
{
    return make(&(struct jpeg_spec){.width = 40, .height = 30});
}

/* Decode a copy of exactly `size` bytes; a refusal has to say why. */
static enum vgg_status try_decode(const uint8_t *bytes, size_t size,
                                  const struct vgg_image_limits *limits, struct vgg_error *error)
{
    struct vgg_image *image = NULL;
    uint8_t *copy = malloc(size != 0 ? size : 1);
    enum vgg_status status;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    *error = (struct vgg_error){0};
    status = vgg_image_decode(copy, size, limits, &image, error);
    assert_int_equal(status, error->status);
    assert_true((status == VGG_OK) == (image != NULL));
    assert_true((status == VGG_OK) == (error->text[0] == '\0'));
    vgg_image_destroy(image);
    free(copy);
    return status;
}

static void expect(const uint8_t *bytes, size_t size, const struct vgg_image_limits *limits,
                   enum vgg_status status, const char *text)
{
    struct vgg_error error;

    assert_int_equal(try_decode(bytes, size, limits, &error), status);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

/* Where the header alone tells, peek has to refuse as decode does. */
static void expect_both(const uint8_t *bytes, size_t size, enum vgg_status status, const char *text)
{
    struct vgg_image_info info;
    struct vgg_error error = {0};

    assert_int_equal(vgg_image_peek(bytes, size, NULL, &info, &error), status);
    assert_non_null(strstr(error.text, text));
    expect(bytes, size, NULL, status, text);
}

/* ---- cut and damaged ---- */

static void every_truncation(void **state)
{
    static const struct jpeg_spec specs[] = {
        {.width = 24, .height = 20, .luma_h = 2},
        {.width = 24, .height = 20, .progressive = true, .orientation = 8},
        {.width = 24, .height = 20, .restart_interval = 1},
        {.width = 24, .height = 20, .arithmetic = true, .color = JPEG_GREY},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct file file = make(&specs[i]);
        struct damage damage = damage_of(file.bytes, file.size);
        struct vgg_error error;

        while (damage_cut(&damage))
            assert_int_equal(try_decode(damage.bytes, damage.size, NULL, &error),
                             damage.size < 2 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
        assert_int_equal(try_decode(file.bytes, file.size, NULL, &error), VGG_OK);
        free(file.bytes);
    }
}

/* peek needs the header and no more. */
static void peek_reads_the_header_only(void **state)
{
    struct file file = make_plain();
    size_t scan = jpeg_find_segment(file.bytes, file.size, SOS);
    size_t header = scan + 2 + file.bytes[scan + 3];
    struct vgg_image_info info = {0};

    (void)state;
    assert_int_not_equal(scan, 0);
    assert_int_equal(vgg_image_peek(file.bytes, header - 1, NULL, &info, NULL), VGG_BAD_IMAGE);
    assert_int_equal(vgg_image_peek(file.bytes, header, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, 40);
    assert_int_equal(info.height, 30);
    expect(file.bytes, header, NULL, VGG_BAD_IMAGE, "Premature end of JPEG file");
    free(file.bytes);
}

/* Any single bit wrong: never a crash, and errors within the contract. Many must be noticed. */
static void every_bit_wrong(void **state)
{
    static const struct jpeg_spec specs[] = {
        {.width = 24, .height = 20, .orientation = 5},
        {.width = 24, .height = 20, .progressive = true, .luma_v = 2},
        {.width = 24, .height = 20, .arithmetic = true, .progressive = true},
    };
    const struct vgg_image_limits limits = {.pixels_max = 1 << 20};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct file file = make(&specs[i]);
        struct damage damage = damage_of(file.bytes, file.size);
        size_t refused = 0;

        while (damage_bit(&damage)) {
            struct vgg_error error;
            enum vgg_status status = try_decode(damage.bytes, damage.size, &limits, &error);

            assert_true(status == VGG_OK || status == VGG_BAD_IMAGE || status == VGG_TOO_LARGE ||
                        (status == VGG_UNSUPPORTED_FORMAT && damage.at < 2));
            refused += status != VGG_OK;
        }
        assert_true(refused > 8 * file.size / 16);
        free(file.bytes);
    }
}

static void damage_within_the_scan(void **state)
{
    struct file file = make(&(struct jpeg_spec){.width = 64, .height = 64, .restart_interval = 8});
    size_t scan = jpeg_find_segment(file.bytes, file.size, SOS);
    size_t restart = scan + 2;
    size_t middle;

    (void)state;
    while (file.bytes[restart] != 0xff || file.bytes[restart + 1] != 0xd0)
        restart++;
    file.bytes[restart + 1] = 0xd3;
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "instead of RST0");
    file.bytes[restart + 1] = 0xd0;
    expect(file.bytes, file.size, NULL, VGG_OK, "");

    /* End the image in the middle of a row of blocks. */
    middle = restart + 40;
    while (file.bytes[middle - 1] == 0xff || file.bytes[middle] == 0xff ||
           file.bytes[middle + 1] == 0xff)
        middle++;
    file.bytes[middle] = 0xff;
    file.bytes[middle + 1] = 0xd9;
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "premature end of data segment");
    free(file.bytes);
}

/* `bytes` in the place of the last two. */
static void expect_end(const struct file *file, const void *bytes, size_t size,
                       enum vgg_status status, const char *text)
{
    uint8_t *changed = malloc(file->size + size);

    assert_non_null(changed);
    memcpy(changed, file->bytes, file->size - 2);
    memcpy(changed + file->size - 2, bytes, size);
    expect(changed, file->size - 2 + size, NULL, status, text);
    free(changed);
}

/* Bytes in the place of EOI: a single scan has all of its pixels before them, of others nobody
 * knows. */
static void overwritten_end(void **state)
{
    static const uint8_t zeros[64] = {0};
    static const struct jpeg_spec singles[] = {
        {.width = 40, .height = 30},
        {.width = 40, .height = 30, .color = JPEG_GREY},
        {.width = 40, .height = 30, .color = JPEG_CMYK, .orientation = 6},
        {.width = 40, .height = 30, .restart_interval = 2}};
    static const struct jpeg_spec others[] = {
        {.width = 40, .height = 30, .progressive = true},
        {.width = 40, .height = 30, .color = JPEG_GREY, .arithmetic = true}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(singles); i++) {
        struct file file = make(&singles[i]);

        expect_end(&file, zeros, 2, VGG_OK, "");
        expect_end(&file, zeros, 3, VGG_OK, "");
        expect_end(&file, zeros, sizeof zeros, VGG_OK, "");
        expect_end(&file, "\xff", 2, VGG_OK, "");
        expect_end(&file, "\xff\xff", 2, VGG_OK, "");
        expect_end(&file, "some words", 10, VGG_OK, "");
        expect_end(&file, zeros, 0, VGG_BAD_IMAGE, "Premature end of JPEG file");
        expect_end(&file, zeros, 1, VGG_BAD_IMAGE, "Premature end of JPEG file");
        free(file.bytes);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct file file = make(&others[i]);

        expect_end(&file, zeros, 2, VGG_BAD_IMAGE, "Premature end of JPEG file");
        expect_end(&file, zeros, sizeof zeros, VGG_BAD_IMAGE, "Premature end of JPEG file");
        free(file.bytes);
    }
}

/* A scan that refines what no scan has begun. */
static void progression_out_of_order(void **state)
{
    struct file file = make(
        &(struct jpeg_spec){.width = 16, .height = 16, .color = JPEG_GREY, .progressive = true});
    size_t scan = jpeg_find_segment(file.bytes, file.size, SOS);
    uint8_t *approximation = file.bytes + scan + 2 + file.bytes[scan + 3] - 1;

    (void)state;
    assert_int_equal(*approximation, 0x01); /* first pass, bit 1 */
    *approximation = 0x10;                  /* refinement of bit 1 to bit 0 */
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "Inconsistent progression");
    free(file.bytes);
}

/* ---- untidy, and fine ---- */

static void harmless_remarks(void **state)
{
    static const uint8_t junk[] = {0x00, 0x11, 0x22, 0x33};
    struct file file = make_plain();
    struct file rgb = make(&(struct jpeg_spec){.width = 40, .height = 30, .color = JPEG_RGB});
    uint8_t *longer = jpeg_insert(file.bytes, file.size, file.size - 2, junk, sizeof junk);
    size_t marker;

    (void)state;
    assert_non_null(longer);
    expect(longer, file.size + sizeof junk, NULL, VGG_OK, ""); /* before the end of the image */
    free(longer);
    longer = jpeg_insert(file.bytes, file.size, file.size, junk, sizeof junk);
    assert_non_null(longer);
    expect(longer, file.size + sizeof junk, NULL, VGG_OK, ""); /* and after it */
    free(longer);

    marker = jpeg_find_segment(file.bytes, file.size, APP0);
    assert_int_not_equal(marker, 0);
    file.bytes[marker + 4 + 5] = 9; /* JFIF 9.x */
    expect(file.bytes, file.size, NULL, VGG_OK, "");

    marker = jpeg_find_segment(rgb.bytes, rgb.size, APP14);
    assert_int_not_equal(marker, 0);
    rgb.bytes[marker + 4 + 11] = 7; /* no such transform */
    expect(rgb.bytes, rgb.size, NULL, VGG_OK, "");
    free(file.bytes);
    free(rgb.bytes);
}

/* ---- kinds that are not read ---- */

static void other_processes(void **state)
{
    struct file file = make_plain();
    size_t frame = jpeg_find_segment(file.bytes, file.size, SOF0);

    (void)state;
    assert_int_not_equal(frame, 0);
    assert_true(jpeg_patch_precision(file.bytes, file.size, 12));
    expect_both(file.bytes, file.size, VGG_BAD_IMAGE, "Unsupported JPEG data precision 12");
    assert_true(jpeg_patch_precision(file.bytes, file.size, 8));
    assert_true(jpeg_patch_process(file.bytes, file.size, 0xc3));
    expect_both(file.bytes, file.size, VGG_BAD_IMAGE, "Unsupported JPEG process: SOF type 0xc3");
    assert_true(jpeg_patch_process(file.bytes, file.size, SOF0));
    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 40, 0));
    expect_both(file.bytes, file.size, VGG_BAD_IMAGE, "DNL not supported");
    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 40, 30));
    expect_both(file.bytes, file.size, VGG_OK, "");
    free(file.bytes);
}

/* A frame of two components, put together by hand: the header is all that is looked at. */
static void two_components(void **state)
{
    static const uint8_t header[] = {
        0xff, 0xd8,                                                   /* SOI */
        0xff, SOF0, 0, 14, 8, 0, 8, 0, 8, 2, 1,  0x11, 0, 2, 0x11, 0, /* 8 x 8 */
        0xff, SOS,  0, 10, 2, 1, 0, 2, 0, 0, 63, 0,                   /* both */
        0xff, 0xd9,
    };

    (void)state;
    expect_both(header, sizeof header, VGG_BAD_IMAGE, "a JPEG of 2 components");
}

static void tables_without_a_picture(void **state)
{
    static const uint8_t nothing[] = {0xff, 0xd8, 0xff, 0xd9};

    (void)state;
    expect_both(nothing, sizeof nothing, VGG_BAD_IMAGE, "contains no image");
}

/* ---- made to cost much ---- */

static void too_many_pixels(void **state)
{
    struct file file = make_plain();
    struct vgg_image_limits limits = {.pixels_max = 40 * 30};
    struct vgg_image_info info;

    (void)state;
    expect(file.bytes, file.size, &limits, VGG_OK, "");
    limits.pixels_max--;
    expect(file.bytes, file.size, &limits, VGG_TOO_LARGE,
           "40 x 30 are 1200 pixels, over the limit of 1199");
    assert_int_equal(vgg_image_peek(file.bytes, file.size, &limits, &info, NULL), VGG_TOO_LARGE);

    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 65500, 65500));
    expect_both(file.bytes, file.size, VGG_TOO_LARGE,
                "65500 x 65500 are 4290250000 pixels, over the limit of 67108864");
    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 65501, 1));
    expect_both(file.bytes, file.size, VGG_TOO_LARGE, "65500"); /* the library's own limit */
    free(file.bytes);
}

static void expect_scans_of(uint32_t side, unsigned scans, bool arithmetic,
                            struct vgg_image_limits limits, enum vgg_status status)
{
    struct file file;

    assert_true(jpeg_make_bomb(side, side, scans, arithmetic, &file.bytes, &file.size));
    assert_int_equal(
        vgg_image_peek(file.bytes, file.size, &limits, &(struct vgg_image_info){0}, NULL), status);
    expect(file.bytes, file.size, &limits, status, status == VGG_OK ? "" : " scans for ");
    free(file.bytes);
}

static void expect_scans(unsigned scans, struct vgg_image_limits limits, enum vgg_status status)
{
    expect_scans_of(64, scans, false, limits, status);
}

static void too_many_scans(void **state)
{
    const uint64_t pixels = 64 * 64;

    (void)state;
    expect_scans(20000, (struct vgg_image_limits){0}, VGG_BAD_IMAGE);
    expect_scans(100, (struct vgg_image_limits){0}, VGG_OK);
    expect_scans(101, (struct vgg_image_limits){0}, VGG_BAD_IMAGE);
    expect_scans(5, (struct vgg_image_limits){.scans_max = 5}, VGG_OK);
    expect_scans(6, (struct vgg_image_limits){.scans_max = 5}, VGG_BAD_IMAGE);
    expect_scans(101, (struct vgg_image_limits){.scans_max = 101}, VGG_OK);

    /* Their work is bounded by the picture's pixels: so many of these fit into 8 units for each. */
    expect_scans_of(1024, 115, false, (struct vgg_image_limits){.scans_max = 1000}, VGG_OK);
    expect_scans_of(1024, 116, false, (struct vgg_image_limits){.scans_max = 1000}, VGG_BAD_IMAGE);
    expect_scans_of(1032, 115, false, (struct vgg_image_limits){.scans_max = 1000}, VGG_OK);
    expect_scans_of(1032, 116, false, (struct vgg_image_limits){.scans_max = 1000}, VGG_BAD_IMAGE);
    expect_scans(1000, (struct vgg_image_limits){.scans_max = 1000}, VGG_OK);

    /* Arithmetic coding: no bytes are needed for a scan that takes long. */
    expect_scans_of(64, 3, true, (struct vgg_image_limits){.pixels_max = 12 * pixels}, VGG_OK);
    expect_scans_of(64, 4, true, (struct vgg_image_limits){.pixels_max = 12 * pixels},
                    VGG_BAD_IMAGE);
    expect_scans_of(64, 4, true, (struct vgg_image_limits){.pixels_max = UINT64_MAX}, VGG_OK);
}

static void arithmetic_giants(void **state)
{
    struct file file = make(&(struct jpeg_spec){.width = 16, .height = 16, .arithmetic = true});
    struct vgg_image_info info;

    (void)state;
    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 2000, 1950)); /* 3.9 M, 4:4:4 */
    assert_int_equal(vgg_image_peek(file.bytes, file.size, NULL, &info, NULL), VGG_OK);
    assert_true(jpeg_patch_dimensions(file.bytes, file.size, 2000, 2000));
    expect_both(file.bytes, file.size, VGG_BAD_IMAGE, "arithmetic-coded");
    free(file.bytes);
}

/* `count` empty segments before the tables. */
static struct file flood(const struct file *file, uint8_t code, size_t count)
{
    uint8_t *segments = malloc(count * 4);
    struct file flooded;

    assert_non_null(segments);
    for (size_t i = 0; i < count; i++) {
        const uint8_t segment[] = {0xff, code, 0, 2};

        memcpy(segments + 4 * i, segment, sizeof segment);
    }
    flooded.size = file->size + 4 * count;
    flooded.bytes = jpeg_insert(file->bytes, file->size, 2, segments, 4 * count);
    assert_non_null(flooded.bytes);
    free(segments);
    return flooded;
}

static void too_many_markers(void **state)
{
    static const uint8_t codes[] = {0xfe, 0xe0, 0xe1, 0xe2}; /* COM, APP0, APP1, APP2 */
    struct file file = make_plain();

    (void)state;
    for (size_t i = 0; i < sizeof codes; i++) {
        struct file many = flood(&file, codes[i], 70000);
        struct file some = flood(&file, codes[i], 1000);

        expect_both(many.bytes, many.size, VGG_BAD_IMAGE, "too many markers");
        expect_both(some.bytes, some.size, VGG_OK, "");
        free(many.bytes);
        free(some.bytes);
    }
    free(file.bytes);
}

static void bad_segment_lengths(void **state)
{
    static const uint8_t short_app1[] = {0xff, 0xe1, 0, 1}, empty_app1[] = {0xff, 0xe1, 0, 0};
    static const uint8_t long_app1[] = {0xff, 0xe1, 0xff, 0xff};
    struct file file = make_plain();
    uint8_t *bytes = jpeg_insert(file.bytes, file.size, 2, short_app1, sizeof short_app1);

    (void)state;
    assert_non_null(bytes);
    expect_both(bytes, file.size + sizeof short_app1, VGG_OK, ""); /* skipped, as by Pillow */
    free(bytes);
    bytes = jpeg_insert(file.bytes, file.size, 2, empty_app1, sizeof empty_app1);
    assert_non_null(bytes);
    expect_both(bytes, file.size + sizeof empty_app1, VGG_OK, "");
    free(bytes);
    bytes = jpeg_insert(file.bytes, file.size, 2, long_app1, sizeof long_app1);
    assert_non_null(bytes);
    assert_true(file.size < 65535);
    expect_both(bytes, file.size + sizeof long_app1, VGG_BAD_IMAGE, "Premature end");
    expect_both(bytes, 5, VGG_BAD_IMAGE, "Premature end"); /* within the length */
    free(bytes);
    free(file.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation),    cmocka_unit_test(peek_reads_the_header_only),
        cmocka_unit_test(every_bit_wrong),     cmocka_unit_test(damage_within_the_scan),
        cmocka_unit_test(overwritten_end),     cmocka_unit_test(progression_out_of_order),
        cmocka_unit_test(harmless_remarks),    cmocka_unit_test(other_processes),
        cmocka_unit_test(two_components),      cmocka_unit_test(tables_without_a_picture),
        cmocka_unit_test(too_many_pixels),     cmocka_unit_test(too_many_scans),
        cmocka_unit_test(arithmetic_giants),   cmocka_unit_test(too_many_markers),
        cmocka_unit_test(bad_segment_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
