/* The PNG decoder on files that are cut, damaged, or made to cost much. */
#include "damage.h"
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

/* Where the stream of the pixels begins, and its end; all of it is in one chunk. */
static size_t data_begin(const struct file *file)
{
    return png_find_chunk(file->bytes, file->size, "IDAT", 0) + 8;
}

static size_t data_end(const struct file *file)
{
    return png_find_chunk(file->bytes, file->size, "IEND", 0) - 4;
}

/* Refused, or read as the picture that it was. */
static enum vgg_status refused_or_whole(const uint8_t *bytes, size_t size,
                                        const struct vgg_image *whole)
{
    struct vgg_image *image = NULL;
    struct vgg_error error;
    enum vgg_status status = try_decode(bytes, size, NULL, &image, &error);

    if (status == VGG_OK) {
        assert_int_equal(image->info.width, whole->info.width);
        assert_memory_equal(image->pixels, whole->pixels,
                            (size_t)whole->info.width * whole->info.height * 3);
    }
    vgg_image_destroy(image);
    return status;
}

/* All pixels are there some bytes before the end of their stream, and not earlier. */
static void every_truncation(void **state)
{
    enum { STREAM_TAIL = 8 }; /* a checksum, and the end of the last block */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(small); i++) {
        struct file file = make(&small[i]);
        struct vgg_image *whole = must_decode(&file);
        struct damage damage = damage_of(file.bytes, file.size);

        while (damage_cut(&damage)) {
            enum vgg_status status = refused_or_whole(damage.bytes, damage.size, whole);

            if (damage.size < data_end(&file) - STREAM_TAIL)
                assert_int_equal(status, damage.size < 4 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
            else if (damage.size >= data_end(&file) - 4)
                assert_int_equal(status, VGG_OK);
        }
        vgg_image_destroy(whole);
        free(file.bytes);
    }
}

/*
 * Any single bit before the pixels that is wrong is noticed, and of the pixels any that matters.
 * From the checksum of their chunk on there is nothing that has to be right.
 */
static void every_bit_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(small); i++) {
        struct file file = make(&small[i]);
        struct vgg_image *whole = must_decode(&file);
        struct damage damage = damage_of(file.bytes, file.size);

        while (damage_bit(&damage)) {
            enum vgg_status status = refused_or_whole(damage.bytes, damage.size, whole);

            if (damage.at < data_begin(&file) - 8)
                assert_int_equal(status, damage.at < 4 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
            else if (damage.at >= data_end(&file))
                assert_int_equal(status, VGG_OK);
        }
        vgg_image_destroy(whole);
        free(file.bytes);
    }
}

/* The same within a chunk, whose checksum is made right again. */
static void every_bit_wrong_of(const struct file *file, size_t chunk)
{
    const struct vgg_image_limits limits = {.pixels_max = 1 << 20};
    size_t end = chunk + 8 + ((size_t)file->bytes[chunk + 2] << 8) + file->bytes[chunk + 3];
    struct damage damage = damage_of(file->bytes, file->size);

    while (damage_bit(&damage)) {
        struct vgg_error error;
        enum vgg_status status;

        if (damage.at < chunk + 4 || damage.at >= end)
            continue;
        png_fix_crc(damage.bytes, chunk);
        status = try_decode(damage.bytes, damage.size, &limits, NULL, &error);
        assert_true(status == VGG_OK || status == VGG_BAD_IMAGE || status == VGG_TOO_LARGE);
    }
}

static void every_bit_wrong_with_right_checksums(void **state)
{
    static const char *const types[] = {"IHDR", "PLTE", "eXIf", "IDAT", "IEND"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(small); i++) {
        struct file file = make(&small[i]);

        for (size_t t = 0; t < COUNT_OF(types); t++) {
            size_t chunk = png_find_chunk(file.bytes, file.size, types[t], 0);

            if (chunk != 0)
                every_bit_wrong_of(&file, chunk);
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
    struct vgg_image *whole = must_decode(&file);
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
        if (refused_or_whole(cut, data + 12 + left + 12, whole) == VGG_OK)
            assert_true(left + 8 >= length);
        else
            expect(cut, data + 12 + left + 12, NULL, VGG_BAD_IMAGE, "PNG: ");
        free(cut);
    }
    vgg_image_destroy(whole);
    free(file.bytes);
}

/* `bytes` in the place of all from `at` on. */
static void expect_tail(const struct file *file, size_t at, const void *bytes, size_t size,
                        enum vgg_status status)
{
    uint8_t *changed = malloc(at + size);

    assert_non_null(changed);
    memcpy(changed, file->bytes, at);
    memcpy(changed + at, bytes, size);
    expect(changed, at + size, NULL, status, "");
    free(changed);
}

/* What follows the pixels: anything, but no chunk that is cut. */
static void behind_the_pixels(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum vgg_status status;
    } tails[] = {{"", 0, VGG_OK},
                 {"\0\0\0\0IEND", 8, VGG_OK},
                 {"\0\0\0\0IEND\1\2\3\4", 12, VGG_OK},
                 {"\0\0\0\1tEXt!\1\2\3\4\0\0\0\0IEND", 21, VGG_OK},
                 {"\0\0\0\1ABCD!\1\2\3\4", 13, VGG_OK},
                 {"\0\0\0\7tEX", 7, VGG_OK},
                 {"\0\0\0\7tEXt", 8, VGG_BAD_IMAGE},
                 {"\0\0\0\7tEXt123456", 14, VGG_BAD_IMAGE},
                 {"\0\0\0\7tEXt1234567", 15, VGG_OK},
                 {"\377\377\377\377tEXt1234567", 15, VGG_BAD_IMAGE},
                 {"\377\377\377\377t Xt1234567", 15, VGG_OK},
                 {"\0\0\0\3IDAT123\1\2\3\4", 15, VGG_OK}};
    struct file file = make(&small[0]);
    size_t end = png_find_chunk(file.bytes, file.size, "IEND", 0);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++)
        expect_tail(&file, end, tails[i].bytes, tails[i].size, tails[i].status);
    expect_tail(&file, file.size, "more", 4, VGG_OK);
    free(file.bytes);
}

/* A checksum of the pixels' chunk counts where the one of their stream is not there to vouch. */
static void one_checksum_vouches(void **state)
{
    struct file file = make(&small[0]);
    size_t data = png_find_chunk(file.bytes, file.size, "IDAT", 0), end = data_end(&file);
    size_t length = end - data_begin(&file);

    (void)state;
    file.bytes[end + 3] ^= 1;
    expect(file.bytes, file.size, NULL, VGG_OK, "");
    file.bytes[end - 1] ^= 1; /* and the stream's, which was right */
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "damaged");
    file.bytes[end - 1] ^= 1;
    memmove(file.bytes + end - 4, file.bytes + end, file.size - end); /* without the stream's */
    put_uint32(file.bytes + data, (uint32_t)length - 4);
    expect(file.bytes, file.size - 4, NULL, VGG_BAD_IMAGE, "IDAT: the checksum is wrong");
    png_fix_crc(file.bytes, data);
    expect(file.bytes, file.size - 4, NULL, VGG_OK, "");
    free(file.bytes);
}

/* An index that the palette lacks is a grey, as with Pillow. */
static void indices_past_the_palette(void **state)
{
    const struct png_spec spec = {.width = 16, .height = 3, .colour = PNG_INDEXED, .depth = 4};

    (void)state;
    for (uint32_t entries = 0; entries <= 16; entries++) {
        struct file file = make(&spec);
        size_t palette = png_find_chunk(file.bytes, file.size, "PLTE", 0);
        size_t rest = palette + 12 + 48;
        struct vgg_image *image;

        put_uint32(file.bytes + palette, 3 * entries);
        memmove(file.bytes + palette + 12 + (size_t)3 * entries, file.bytes + rest,
                file.size - rest);
        png_fix_crc(file.bytes, palette);
        file.size -= 48 - (size_t)3 * entries;
        image = must_decode(&file);
        for (uint32_t i = 0; i < 16 * 3; i++)
            for (unsigned c = 0; c < 3; c++) {
                uint16_t index = png_sample(&spec, i % 16, i / 16, 0);

                assert_int_equal(image->pixels[3 * i + c],
                                 index < entries ? png_palette(index, c) : index);
            }
        vgg_image_destroy(image);
        free(file.bytes);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_bit_wrong),
        cmocka_unit_test(every_bit_wrong_with_right_checksums),
        cmocka_unit_test(pixels_that_end_early),
        cmocka_unit_test(behind_the_pixels),
        cmocka_unit_test(one_checksum_vouches),
        cmocka_unit_test(indices_past_the_palette),
        cmocka_unit_test(kinds_that_are_not_read),
        cmocka_unit_test(too_many_pixels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
