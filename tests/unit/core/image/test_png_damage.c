/* The PNG decoder on files that are cut, damaged, or made to cost much. */
#include <zlib.h>

#include "decode.h"
#include "png_maker.h"

static const struct png_spec small[] = {
    {.width = 24, .height = 20, .colour = PNG_COLOUR},
    {.width = 24, .height = 20, .colour = PNG_INDEXED, .depth = 4, .interlaced = true},
    {.width = 9, .height = 20, .depth = 16, .orientation = 6},
};

static struct file make(const struct png_spec *spec)
{
    struct file file;

    assert_true(png_make(spec, &file.bytes, &file.size));
    return file;
}

/* ---- cut and damaged ---- */

static void every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct file file = make(&small[i]);
        struct vgg_error error;

        for (size_t size = 0; size < file.size; size++)
            assert_int_equal(try_decode(file.bytes, size, NULL, NULL, &error),
                             size < 4 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
        expect(file.bytes, file.size, NULL, VGG_OK, "");
        free(file.bytes);
    }
}

/* Every byte is under a checksum, so any single one that is wrong is noticed. */
static void every_byte_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct file file = make(&small[i]);

        for (size_t at = 0; at < file.size; at++)
            for (unsigned flip = 1; flip <= 0xff; flip = flip * 4 + 3) {
                struct vgg_error error;

                file.bytes[at] ^= (uint8_t)flip;
                assert_int_equal(try_decode(file.bytes, file.size, NULL, NULL, &error),
                                 at < 4 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
                file.bytes[at] ^= (uint8_t)flip;
            }
        free(file.bytes);
    }
}

/* The same where the checksums of the chunks are made right again. */
static void every_byte_wrong_with_right_checksums(void **state)
{
    const struct vgg_image_limits limits = {.pixels_max = 1 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct file file = make(&small[i]);
        static const char *const types[] = {"IHDR", "PLTE", "eXIf", "IDAT", "IEND"};

        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            size_t chunk = png_find_chunk(file.bytes, file.size, types[t], 0);
            size_t end = chunk == 0 ? 0 : chunk + 8 + file.bytes[chunk + 3];

            end += chunk == 0 ? 0 : (size_t)file.bytes[chunk + 2] << 8;
            for (size_t at = chunk + 4; at < end; at++)
                for (unsigned flip = 1; flip <= 0xff; flip = flip * 4 + 3) {
                    struct vgg_error error;
                    enum vgg_status status;

                    file.bytes[at] ^= (uint8_t)flip;
                    png_fix_crc(file.bytes, chunk);
                    status = try_decode(file.bytes, file.size, &limits, NULL, &error);
                    if (t == 3) /* zlib's own checksum */
                        assert_int_equal(status, VGG_BAD_IMAGE);
                    assert_true(status == VGG_OK || status == VGG_BAD_IMAGE ||
                                status == VGG_TOO_LARGE);
                    file.bytes[at] ^= (uint8_t)flip;
                    png_fix_crc(file.bytes, chunk);
                }
        }
        free(file.bytes);
    }
}

static void put_uint32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A file whose pixels end early although every chunk is whole. */
static void pixels_that_end_early(void **state)
{
    struct file file = make(&small[0]);
    size_t data = png_find_chunk(file.bytes, file.size, "IDAT", 0);
    size_t end = png_find_chunk(file.bytes, file.size, "IEND", 0);
    size_t length = end - data - 12;

    (void)state;
    for (size_t left = 0; left < length; left += left < 8 || left + 8 > length ? 1 : 7) {
        uint8_t *cut = malloc(file.size);

        assert_non_null(cut);
        memcpy(cut, file.bytes, data + 8 + left);
        put_uint32(cut + data, (uint32_t)left);
        memcpy(cut + data + 12 + left, file.bytes + end, 12);
        png_fix_crc(cut, data);
        expect(cut, data + 12 + left + 12, NULL, VGG_BAD_IMAGE, "PNG: ");
        free(cut);
    }
    free(file.bytes);
}

static void untidy_and_fine(void **state)
{
    static const uint8_t more[] = {1, 2, 3};
    struct file file = make(&small[0]);
    size_t size = file.size, end = png_find_chunk(file.bytes, file.size, "IEND", 0);
    uint8_t *longer = png_insert_chunk(file.bytes, &size, end, "IDAT", more, sizeof more, 1);

    (void)state;
    assert_non_null(longer);
    expect(longer, size, NULL, VGG_OK, ""); /* data after the pixels */
    free(longer);
    longer = malloc(file.size + sizeof more);
    assert_non_null(longer);
    memcpy(longer, file.bytes, file.size);
    memcpy(longer + file.size, more, sizeof more);
    expect(longer, file.size + sizeof more, NULL, VGG_OK, ""); /* and after the end */
    free(longer);
    free(file.bytes);
}

static void kinds_that_are_not_read(void **state)
{
    struct file file = make(&small[0]);
    size_t size = file.size;
    uint8_t *longer = png_insert_chunk(file.bytes, &size, 33, "CgBI", "\0\0\0\0", 4, 1);

    (void)state;
    assert_non_null(longer);
    expect(longer, size, NULL, VGG_BAD_IMAGE, "CgBI"); /* critical and unknown */
    free(longer);
    file.bytes[8 + 8 + 8] = 3; /* no such depth */
    png_fix_crc(file.bytes, 8);
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "bit depth");
    free(file.bytes);
}

/* ---- made to cost much ---- */

static void set_dimensions(struct file *file, uint32_t width, uint32_t height)
{
    put_uint32(file->bytes + 16, width);
    put_uint32(file->bytes + 20, height);
    png_fix_crc(file->bytes, 8);
}

/* Refused before anything of the picture's size is allocated. */
static void expect_cheap_refusal(const struct file *file, enum vgg_status status, const char *text)
{
    fault_arm_size(1, 1 << 16);
    expect(file->bytes, file->size, NULL, status, text);
    assert_false(fault_disarm());
}

static void too_many_pixels(void **state)
{
    struct file file = make(&small[0]);
    struct vgg_image_limits limits = {.pixels_max = 24 * 20};

    (void)state;
    expect(file.bytes, file.size, &limits, VGG_OK, "");
    limits.pixels_max--;
    expect(file.bytes, file.size, &limits, VGG_TOO_LARGE,
           "24 x 20 are 480 pixels, over the limit of 479");
    set_dimensions(&file, 8192, 8193);
    expect_cheap_refusal(&file, VGG_TOO_LARGE, "over the limit of 67108864");
    set_dimensions(&file, 0x7fffffff, 0x7fffffff);
    expect_cheap_refusal(&file, VGG_TOO_LARGE, "over the limit of 67108864");
    set_dimensions(&file, (1 << 20) + 1, 1);
    expect_cheap_refusal(&file, VGG_TOO_LARGE, "a side is over the limit of 1048576");
    set_dimensions(&file, 1, (1 << 20) + 1);
    expect_cheap_refusal(&file, VGG_TOO_LARGE, "a side is over the limit of 1048576");
    set_dimensions(&file, 0, 20);
    expect_cheap_refusal(&file, VGG_BAD_IMAGE, "width");
    set_dimensions(&file, 0x80000000u, 20);
    expect_cheap_refusal(&file, VGG_BAD_IMAGE, "PNG: ");
    free(file.bytes);
}

/* Chunks that inflate to 64 MiB are passed over. */
static void compressed_bombs(void **state)
{
    static const struct {
        const char *type, *head;
        uint32_t head_bytes;
    } bombs[] = {{"zTXt", "x\0", 3}, {"iCCP", "x\0", 3}, {"iTXt", "x\0\1\0\0", 6}};
    struct file file = make(&small[0]);
    uLongf packed = 1 << 20;
    uint8_t *zeros = calloc(64, 1 << 20), *data = malloc(packed + 6);

    (void)state;
    assert_non_null(zeros);
    assert_non_null(data);
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        size_t size = file.size;
        struct file bomb;

        packed = 1 << 20;
        memcpy(data, bombs[i].head, bombs[i].head_bytes);
        assert_int_equal(compress(data + bombs[i].head_bytes, &packed, zeros, 64u << 20), Z_OK);
        bomb.bytes = png_insert_chunk(file.bytes, &size, 33, bombs[i].type, data,
                                      (uint32_t)packed + bombs[i].head_bytes, 4);
        bomb.size = size;
        assert_non_null(bomb.bytes);
        fault_arm_size(1, 4 * packed + (1 << 20)); /* the copy itself is smaller */
        expect(bomb.bytes, bomb.size, NULL, VGG_OK, "");
        assert_false(fault_disarm());
        free(bomb.bytes);
    }
    free(zeros);
    free(data);
    free(file.bytes);
}

static void too_many_chunks(void **state)
{
    struct file file = make(&small[0]);

    (void)state;
    for (size_t count = 1000; count <= 70000; count += 69000) {
        size_t size = file.size;
        uint8_t *flooded = png_insert_chunk(file.bytes, &size, 33, "tEXt", NULL, 0, count);

        assert_non_null(flooded);
        expect(flooded, size, NULL, count > 65536 ? VGG_BAD_IMAGE : VGG_OK,
               count > 65536 ? "more than 65536 chunks" : "");
        free(flooded);
    }
    free(file.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_byte_wrong),
        cmocka_unit_test(every_byte_wrong_with_right_checksums),
        cmocka_unit_test(pixels_that_end_early),
        cmocka_unit_test(untidy_and_fine),
        cmocka_unit_test(kinds_that_are_not_read),
        cmocka_unit_test(too_many_pixels),
        cmocka_unit_test(compressed_bombs),
        cmocka_unit_test(too_many_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
