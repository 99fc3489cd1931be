/* The WebP decoder: lossless by formula, lossy near it, animations, damage, limits, memory. */
#include "damage.h"
#include "decode.h"
#include "webp_maker.h"

static const struct webp_spec kinds[] = {
    {.width = 33, .height = 21},
    {.width = 33, .height = 21, .lossless = true},
    {.width = 33, .height = 21, .alpha = true, .orientation = 1},
    {.width = 33, .height = 21, .alpha = true, .lossless = true},
    {.width = 20,
     .height = 10,
     .frames = 2,
     .canvas_width = 40,
     .canvas_height = 30,
     .x = 6,
     .y = 14},
    {.width = 20, .height = 10, .frames = 1, .lossless = true, .alpha = true, .orientation = 1},
};

enum { KINDS = COUNT_OF(kinds) };

static struct file make(const struct webp_spec *spec)
{
    struct file file;

    assert_true(webp_make(spec, &file.bytes, &file.size));
    return file;
}

/* ---- what is read ---- */

/* Far from the formula in any sample by more than `tolerance`? Off the frame all is black. */
static void check_pixels(const struct webp_spec *spec, const struct vgg_image *image, int tolerance)
{
    for (uint32_t y = 0; y < image->info.height; y++)
        for (uint32_t x = 0; x < image->info.width; x++) {
            const uint8_t *pixel = image->pixels + ((size_t)y * image->info.width + x) * 3;
            bool inside = x - spec->x < spec->width && y - spec->y < spec->height;

            for (unsigned c = 0; c < 3; c++) {
                int want = inside ? webp_sample(x - spec->x, y - spec->y, c) : 0;

                if (abs(pixel[c] - want) > (inside ? tolerance : 0))
                    fail_msg("channel %u at %u, %u: %d instead of %d", c, x, y, pixel[c], want);
            }
        }
}

static void every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct file file = make(&kinds[i]);
        struct vgg_image *image = must_decode(&file);

        assert_string_equal(image->info.format, "webp");
        assert_int_equal(image->info.width,
                         kinds[i].canvas_width != 0 ? kinds[i].canvas_width : kinds[i].width);
        assert_int_equal(image->info.height,
                         kinds[i].canvas_height != 0 ? kinds[i].canvas_height : kinds[i].height);
        check_pixels(&kinds[i], image, kinds[i].lossless ? 0 : 12);
        vgg_image_destroy(image);
        free(file.bytes);
    }
}

static void orientations(void **state)
{
    struct webp_spec spec = {.width = 7, .height = 5, .lossless = true};
    struct file plain = make(&spec);

    (void)state;
    for (unsigned i = 2; i <= 19; i++) {
        unsigned orientation = i / 2, turn = orientation <= 8 ? orientation : 1;
        struct vgg_image *want = must_decode(&plain), *got;
        struct file turned;

        spec.orientation = orientation;
        spec.exif_prefix = i % 2 != 0;
        turned = make(&spec);
        got = must_decode(&turned);
        assert_int_equal(vgg_image_orient(&want, turn, NULL, NULL), VGG_OK);
        assert_int_equal(got->info.width, want->info.width);
        assert_memory_equal(got->pixels, want->pixels, 7 * 5 * 3);
        vgg_image_destroy(want);
        vgg_image_destroy(got);
        free(turned.bytes);
    }
    free(plain.bytes);
}

/* ---- cut and damaged ---- */

static void every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct file file = make(&kinds[i]);
        struct damage damage = damage_of(file.bytes, file.size);
        struct vgg_error error;

        while (damage_cut(&damage))
            assert_int_equal(try_decode(damage.bytes, damage.size, NULL, NULL, &error),
                             damage.size < 12 ? VGG_UNSUPPORTED_FORMAT : VGG_BAD_IMAGE);
        free(file.bytes);
    }
}

static void put_uint32(uint8_t *bytes, size_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* The container's own lengths are right, the picture's data in it are not all there. */
static void data_that_end_early(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct file file = make(&kinds[i]);
        size_t chunk =
            webp_find_chunk(file.bytes, file.size, kinds[i].lossless ? "VP8L" : "VP8 ", 0);
        size_t begin = chunk + 8;
        struct damage damage = damage_of(file.bytes, file.size - 16);

        assert_int_not_equal(chunk, 0);
        while (damage_cut(&damage)) {
            if (damage.size < begin || damage.size % 2 != 0)
                continue;
            put_uint32(damage.bytes + 4, damage.size - 8);
            put_uint32(damage.bytes + chunk + 4, damage.size - begin);
            expect(damage.bytes, damage.size, NULL, VGG_BAD_IMAGE, "WebP: ");
        }
        free(file.bytes);
    }
}

/* Without checksums not every change can be noticed; none may do harm, and many are refused. */
static void every_bit_wrong(void **state)
{
    const struct vgg_image_limits limits = {.pixels_max = 1 << 20};

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct file file = make(&kinds[i]);
        struct damage damage = damage_of(file.bytes, file.size);
        size_t refused = 0;

        while (damage_bit(&damage)) {
            struct vgg_error error;
            enum vgg_status status = try_decode(damage.bytes, damage.size, &limits, NULL, &error);

            assert_true(status == VGG_OK || status == VGG_BAD_IMAGE || status == VGG_TOO_LARGE ||
                        (status == VGG_UNSUPPORTED_FORMAT && damage.at < 12));
            refused += status != VGG_OK;
        }
        assert_true(refused > 80);
        free(file.bytes);
    }
}

/* ---- limits ---- */

static void too_many_pixels(void **state)
{
    const struct webp_spec *spec = &kinds[4];
    struct file file = make(spec);
    struct vgg_image_limits limits = {.pixels_max = 40 * 30};
    size_t canvas = webp_find_chunk(file.bytes, file.size, "VP8X", 0) + 8 + 4;

    (void)state;
    expect(file.bytes, file.size, &limits, VGG_OK, "");
    limits.pixels_max--;
    expect(file.bytes, file.size, &limits, VGG_TOO_LARGE,
           "40 x 30 are 1200 pixels, over the limit of 1199");
    put_uint32(file.bytes + canvas, 8191);
    file.bytes[canvas + 3] = 0x00;
    file.bytes[canvas + 4] = 0x20; /* 8192 x 8193 */
    fault_arm_size(1, 1 << 16);
    expect(file.bytes, file.size, NULL, VGG_TOO_LARGE,
           "8192 x 8193 are 67117056 pixels, over the limit of 67108864");
    assert_false(fault_disarm());
    free(file.bytes);
}

/* Codes for each tile: 12 kB a tile where they are needed. Some are fine, 0.8 GB are not. */
static void huffman_bombs(void **state)
{
    struct file file;

    (void)state;
    assert_true(webp_make_bomb(128, &file.bytes, &file.size)); /* 1,024 groups */
    expect(file.bytes, file.size, NULL, VGG_OK, "");
    free(file.bytes);
    assert_true(webp_make_bomb(1024, &file.bytes, &file.size)); /* 65,536 */
    assert_true(file.size < 300000);
    fault_arm_size(1, 64u << 20);
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "WebP: needs more than 72 MiB");
    assert_false(fault_disarm());
    free(file.bytes);
}

/* So many frames that even their list is too long. */
static void frame_bomb(void **state)
{
    struct webp_spec spec = {.width = 1, .height = 1, .lossless = true, .frames = 60000};
    struct file file = make(&spec);

    (void)state;
    expect(file.bytes, file.size, NULL, VGG_BAD_IMAGE, "WebP: needs more than 4 MiB");
    free(file.bytes);
    spec.frames = 10000;
    file = make(&spec);
    expect(file.bytes, file.size, NULL, VGG_OK, "");
    free(file.bytes);
}

static void survives_every_failed_allocation(void **state)
{
    (void)state;
    skip_without_faults();
    for (size_t i = 0; i < KINDS; i++) {
        struct file file = make(&kinds[i]);

        fail_each_allocation(&file, 5);
        free(file.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(orientations),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(data_that_end_early),
        cmocka_unit_test(every_bit_wrong),
        cmocka_unit_test(too_many_pixels),
        cmocka_unit_test(huffman_bombs),
        cmocka_unit_test(frame_bomb),
        cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
