/* The PNG decoder: every colour type and depth by formula, interlacing, orientation, memory. */
#include "decode.h"
#include "png_maker.h"

static struct file make(const struct png_spec *spec)
{
    struct file file;

    assert_true(png_make(spec, &file.bytes, &file.size));
    return file;
}

/* What Pillow's convert("RGB") makes of a pixel. */
static uint8_t expected(const struct png_spec *spec, uint32_t x, uint32_t y, unsigned c)
{
    bool coloured = spec->colour == PNG_COLOUR || spec->colour == PNG_COLOUR_ALPHA;
    uint16_t sample = png_sample(spec, x, y, coloured ? c : 0);

    if (spec->colour == PNG_INDEXED)
        return png_palette(sample, c);
    if (spec->depth == 16 && spec->colour == PNG_GREY)
        return (uint8_t)(sample > 255 ? 255 : sample);
    if (spec->depth == 16)
        return (uint8_t)(sample >> 8);
    return (uint8_t)(sample * 255 / ((1 << spec->depth) - 1));
}

static void every_kind(void **state)
{
    static const struct {
        enum png_colour colour;
        int depths[5];
    } kinds[] = {{PNG_GREY, {1, 2, 4, 8, 16}},
                 {PNG_COLOUR, {8, 16}},
                 {PNG_INDEXED, {1, 2, 4, 8}},
                 {PNG_GREY_ALPHA, {8, 16}},
                 {PNG_COLOUR_ALPHA, {8, 16}}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds) * 10; i++) {
        const struct png_spec spec = {.width = 29,
                                      .height = 13,
                                      .colour = kinds[i / 10].colour,
                                      .depth = kinds[i / 10].depths[i / 2 % 5],
                                      .interlaced = i % 2 != 0};
        struct vgg_image *image;
        struct file file;

        if (spec.depth == 0)
            continue;
        file = make(&spec);
        image = must_decode(&file);
        assert_string_equal(image->info.format, "png");
        assert_int_equal(image->info.width, 29);
        assert_int_equal(image->info.height, 13);
        for (uint32_t y = 0; y < 13; y++)
            for (uint32_t x = 0; x < 29; x++)
                for (unsigned c = 0; c < 3; c++)
                    assert_int_equal(image->pixels[(y * 29 + x) * 3 + c], expected(&spec, x, y, c));
        vgg_image_destroy(image);
        free(file.bytes);
    }
}

/* A darker 16-bit grey, whose values below 256 are kept. */
static void grey_16_is_clipped(void **state)
{
    const struct png_spec spec = {.width = 300, .height = 20, .depth = 16};
    struct file file = make(&spec);
    struct vgg_image *image = must_decode(&file);
    bool kept = false;

    (void)state;
    for (uint32_t i = 0; i < 300 * 20; i++) {
        uint16_t sample = png_sample(&spec, i % 300, i / 300, 0);

        kept |= sample > 0 && sample < 255;
        assert_int_equal(image->pixels[3 * i], sample < 255 ? sample : 255);
    }
    assert_true(kept);
    vgg_image_destroy(image);
    free(file.bytes);
}

/* An orientation before or after the pixels turns them as one after decoding would. */
static void orientations(void **state)
{
    struct png_spec spec = {.width = 7, .height = 5, .colour = PNG_COLOUR, .depth = 8};
    struct file plain = make(&spec);

    (void)state;
    for (unsigned orientation = 0; orientation <= 9; orientation++) {
        unsigned turn = orientation >= 1 && orientation <= 8 ? orientation : 1;
        struct vgg_image *want = must_decode(&plain), *got, *late;
        struct file turned, moved = plain;
        size_t exif;

        spec.orientation = orientation;
        turned = make(&spec);
        exif = png_find_chunk(turned.bytes, turned.size, "eXIf", 0);
        assert_true((exif != 0) == (orientation != 0));
        if (exif != 0)
            moved.bytes = png_insert_chunk(plain.bytes, &moved.size,
                                           png_find_chunk(plain.bytes, plain.size, "IEND", 0),
                                           "eXIf", turned.bytes + exif + 8, 26, 1);
        assert_int_equal(vgg_image_orient(&want, turn, NULL, NULL), VGG_OK);
        got = must_decode(&turned);
        late = must_decode(&moved);
        assert_int_equal(got->info.width, want->info.width);
        assert_int_equal(late->info.width, want->info.width);
        assert_memory_equal(got->pixels, want->pixels, 7 * 5 * 3);
        assert_memory_equal(late->pixels, want->pixels, 7 * 5 * 3);
        vgg_image_destroy(want);
        vgg_image_destroy(got);
        vgg_image_destroy(late);
        free(turned.bytes);
        if (exif != 0)
            free(moved.bytes);
    }
    free(plain.bytes);
}

static void survives_every_failed_allocation(void **state)
{
    static const struct png_spec specs[] = {
        {.width = 40, .height = 30, .colour = PNG_COLOUR},
        {.width = 40, .height = 30, .colour = PNG_INDEXED, .interlaced = true, .orientation = 6},
        {.width = 40, .height = 30, .depth = 16, .orientation = 8},
    };

    (void)state;
    skip_without_faults();
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct file file = make(&specs[i]);

        fail_each_allocation(&file, 6);
        free(file.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(grey_16_is_clipped),
        cmocka_unit_test(orientations),
        cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
