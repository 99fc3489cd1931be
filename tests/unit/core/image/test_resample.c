/*
 * Resampling: every table of inner loops against hashes of what Pillow 9.4 gives, against the
 * filter's definition in double precision, and against each other for all small sizes.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/resample_kernels.h"

enum { CHANNELS = 3 };

/* Random bytes in a block of exactly that size, so that a sanitizer sees any access beyond it. */
static uint8_t *make_noise(size_t size)
{
    uint8_t *bytes = malloc(size);
    uint32_t random = 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(random >> 24);
    }
    return bytes;
}

static uint8_t *resize(const struct vgg_resample_kernels *kernels, const uint8_t *src,
                       uint32_t width, uint32_t height, uint32_t out_width, uint32_t out_height)
{
    uint8_t *dst = malloc((size_t)out_width * out_height * CHANNELS);

    assert_non_null(dst);
    memset(dst, 0xa5, (size_t)out_width * out_height * CHANNELS);
    assert_int_equal(
        vgg_resample_with(kernels, src, width, height, dst, out_width, out_height, NULL), VGG_OK);
    return dst;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const uint8_t *bytes, size_t size)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * UINT64_C(0x100000001b3);
    return value;
}

/* hash(Image.frombytes("RGB", (w, h), noise).resize((out_w, out_h), BILINEAR)), Pillow 9.4.0. */
static const struct {
    uint32_t width, height, out_width, out_height;
    uint64_t hash;
} pillow[] = {
    {64, 48, 32, 24, UINT64_C(0x5373f1f76024628a)},
    {100, 75, 224, 168, UINT64_C(0x22ca37ad9c7a62b7)},
    {37, 23, 5, 3, UINT64_C(0xd34d03c55ef205b0)},
    {1, 1, 7, 5, UINT64_C(0xaf44f714a9a7e84c)},
    {640, 3, 51, 2, UINT64_C(0x0847733e387948f3)},
    {3, 200, 32, 2133, UINT64_C(0xfdbd05437e3eb1ee)},
    {501, 333, 48, 32, UINT64_C(0x7856010adad3d8be)},
    {333, 501, 224, 337, UINT64_C(0x959e2e279f23c5a9)},
    {256, 200, 255, 200, UINT64_C(0xe96efe7ffefb4dc4)},
    {256, 200, 256, 31, UINT64_C(0xafeedafde732d86a)},
    {16, 16, 16, 16, UINT64_C(0xac7990ab8e1f21a0)},
    {700, 1, 1, 1, UINT64_C(0x9163df1964da441a)},
    {1, 700, 1, 1, UINT64_C(0x9163df1964da441a)},
    {9, 9, 10, 8, UINT64_C(0x339dc27f5e0b6fdd)},
    {1024, 768, 341, 256, UINT64_C(0xc9028f9966120ec7)},
    {2, 3000, 32, 48000, UINT64_C(0xebebb20776d5a97d)},
    {513, 257, 512, 256, UINT64_C(0xfac825d74dcf8aa3)},
};

static void equals_pillow(void **state)
{
    (void)state;
    for (const struct vgg_resample_kernels *const *k = vgg_resample_kernels(); *k != NULL; k++) {
        for (size_t i = 0; i < COUNT_OF(pillow); i++) {
            uint8_t *src = make_noise((size_t)pillow[i].width * pillow[i].height * CHANNELS);
            uint8_t *dst = resize(*k, src, pillow[i].width, pillow[i].height, pillow[i].out_width,
                                  pillow[i].out_height);
            size_t size = (size_t)pillow[i].out_width * pillow[i].out_height * CHANNELS;

            if (hash(dst, size) != pillow[i].hash)
                fail_msg("%s: %u x %u to %u x %u differs from Pillow", (*k)->name, pillow[i].width,
                         pillow[i].height, pillow[i].out_width, pillow[i].out_height);
            free(src);
            free(dst);
        }
    }
}

/* The triangle filter by its definition: output `index` of one line whose samples are step apart.
 */
static double filter(const uint8_t *line, uint32_t in, size_t step, uint32_t out, uint32_t index)
{
    double scale = (double)in / out;
    double radius = scale > 1.0 ? scale : 1.0;
    double center = (index + 0.5) * scale;
    double sum = 0.0;
    double weights = 0.0;

    for (uint32_t i = 0; i < in; i++) {
        double weight = 1.0 - fabs(i + 0.5 - center) / radius;

        if (weight > 0.0) {
            weights += weight;
            sum += weight * line[i * step];
        }
    }
    return sum / weights;
}

/*
 * A result is its exact value rounded to nearest. Rounding each of n weights to 22 bits moves the
 * value by n * 255 * 2^-23 at most, 0.003 for the 90 of the widest filter here.
 */
static void assert_rounded(uint8_t result, double exact)
{
    if (fabs(result - exact) > 0.5 + 0.003)
        fail_msg("%d is not %f rounded", result, exact);
}

static const uint32_t reductions[][4] = {
    {40, 30, 20, 15},  {40, 30, 60, 45}, {97, 61, 33, 21}, {97, 61, 98, 62},
    {300, 7, 13, 200}, {5, 5, 1, 1},     {1, 1, 9, 4},     {130, 4, 129, 5},
    {64, 200, 65, 9},  {3, 2, 200, 300}, {180, 180, 4, 4}, {33, 100, 32, 99},
};

static void each_pass_equals_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reductions); i++) {
        const uint32_t width = reductions[i][0];
        const uint32_t height = reductions[i][1];
        const uint32_t out_width = reductions[i][2];
        const uint32_t out_height = reductions[i][3];
        uint8_t *src = make_noise((size_t)width * height * CHANNELS);
        uint8_t *wide = resize(vgg_resample_kernels()[0], src, width, height, out_width, height);
        uint8_t *high = resize(vgg_resample_kernels()[0], src, width, height, width, out_height);

        for (uint32_t y = 0; y < height; y++)
            for (uint32_t x = 0; x < out_width * CHANNELS; x++)
                assert_rounded(wide[(size_t)y * out_width * CHANNELS + x],
                               filter(src + (size_t)y * width * CHANNELS + x % CHANNELS, width,
                                      CHANNELS, out_width, x / CHANNELS));
        for (uint32_t y = 0; y < out_height; y++)
            for (uint32_t x = 0; x < width * CHANNELS; x++)
                assert_rounded(high[(size_t)y * width * CHANNELS + x],
                               filter(src + x, height, (size_t)width * CHANNELS, out_height, y));
        free(src);
        free(wide);
        free(high);
    }
}

static void columns_come_first(void **state)
{
    const struct vgg_resample_kernels *kernels = vgg_resample_kernels()[0];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(reductions); i++) {
        const uint32_t *r = reductions[i];
        uint8_t *src = make_noise((size_t)r[0] * r[1] * CHANNELS);
        uint8_t *both = resize(kernels, src, r[0], r[1], r[2], r[3]);
        uint8_t *first = resize(kernels, src, r[0], r[1], r[2], r[1]);
        uint8_t *second = resize(kernels, first, r[2], r[1], r[2], r[3]);

        assert_memory_equal(both, second, (size_t)r[2] * r[3] * CHANNELS);
        free(src);
        free(both);
        free(first);
        free(second);
    }
}

static void assert_part(const uint8_t *part, const struct vgg_rect *rect, const uint8_t *whole,
                        uint32_t whole_width)
{
    for (uint32_t y = 0; y < rect->height; y++)
        assert_memory_equal(part + (size_t)y * rect->width * CHANNELS,
                            whole + ((size_t)(rect->y + y) * whole_width + rect->x) * CHANNELS,
                            rect->width * CHANNELS);
}

/* Corners, middles, single lines and the whole; also along axes that keep their size. */
static void parts_are_cut_from_the_whole(void **state)
{
    static const uint32_t more[][4] = {{40, 30, 40, 15}, {40, 30, 20, 30}, {40, 30, 40, 30}};
    const size_t plain = COUNT_OF(reductions);

    (void)state;
    for (size_t i = 0; i < plain + 3; i++) {
        const uint32_t *r = i < plain ? reductions[i] : more[i - plain];
        uint8_t *src = make_noise((size_t)r[0] * r[1] * CHANNELS);
        uint8_t *whole = resize(vgg_resample_kernels()[0], src, r[0], r[1], r[2], r[3]);

        for (unsigned place = 0; place < 81; place++) {
            uint32_t x[3] = {0, r[2] / 3, r[2] - 1}, y[3] = {0, r[3] / 3, r[3] - 1};
            uint32_t left = x[place % 3], top = y[place / 3 % 3];
            uint32_t widths[3] = {1, (r[2] - left + 1) / 2, r[2] - left};
            uint32_t heights[3] = {1, (r[3] - top + 1) / 2, r[3] - top};
            struct vgg_rect rect = {left, top, widths[place / 9 % 3], heights[place / 27]};
            uint8_t *part = malloc((size_t)rect.width * rect.height * CHANNELS);

            assert_non_null(part);
            assert_int_equal(vgg_resample_part(src, r[0], r[1], part, r[2], r[3], &rect, NULL),
                             VGG_OK);
            assert_part(part, &rect, whole, r[2]);
            free(part);
        }
        free(src);
        free(whole);
    }
}

/* Tails of steps and blocks: every width and height up to 40, to sizes around them. */
static void tables_agree(void **state)
{
    const struct vgg_resample_kernels *const *all = vgg_resample_kernels();
    size_t n = 0;

    (void)state;
    while (all[n + 1] != NULL)
        n++;
    if (n == 0)
        printf("NOTE: this machine has one table only, nothing to compare\n");
    for (uint32_t size = 1; size <= 40; size++) {
        uint32_t other = 41 - size;
        uint8_t *src = make_noise((size_t)size * other * CHANNELS);

        for (uint32_t out = 1; out <= 40; out += 3) {
            uint8_t *expected = resize(all[n], src, size, other, out, 43 - out);

            for (size_t k = 0; k < n; k++) {
                uint8_t *dst = resize(all[k], src, size, other, out, 43 - out);

                assert_memory_equal(dst, expected, (size_t)out * (43 - out) * CHANNELS);
                free(dst);
            }
            free(expected);
        }
        free(src);
    }
}

/* Sums must neither overflow nor drift: one colour stays that colour, the brightest too. */
static void one_colour_stays(void **state)
{
    static const uint8_t colours[] = {0, 1, 127, 128, 254, 255};

    (void)state;
    for (const struct vgg_resample_kernels *const *k = vgg_resample_kernels(); *k != NULL; k++) {
        for (size_t i = 0; i < sizeof colours; i++) {
            uint8_t *src = malloc(3000 * 5 * CHANNELS);
            uint8_t *dst;

            assert_non_null(src);
            memset(src, colours[i], 3000 * 5 * CHANNELS);
            dst = resize(*k, src, 3000, 5, 47, 33);
            for (size_t j = 0; j < 47 * 33 * CHANNELS; j++)
                assert_int_equal(dst[j], colours[i]);
            free(src);
            free(dst);
        }
    }
}

/*
 * The mean of 2^22 * 4 / 3 pixels has weights from 0.5 to 1 units of the last place, all rounded to
 * 1: a third too much, which has to be clipped and not to wrap around.
 */
static void sums_are_clipped(void **state)
{
    const uint32_t pixels = 5592400;
    uint8_t *src = malloc((size_t)pixels * CHANNELS);

    (void)state;
    assert_non_null(src);
    memset(src, 255, (size_t)pixels * CHANNELS);
    for (const struct vgg_resample_kernels *const *k = vgg_resample_kernels(); *k != NULL; k++) {
        uint8_t *across = resize(*k, src, pixels, 1, 1, 1);
        uint8_t *down = resize(*k, src, 1, pixels, 1, 1);
        uint8_t *down_wide = resize(*k, src, 20, pixels / 20, 20, 1); /* whole vectors */

        for (unsigned c = 0; c < CHANNELS; c++) {
            assert_int_equal(across[c], 255);
            assert_int_equal(down[c], 255);
        }
        for (unsigned i = 0; i < 20 * CHANNELS; i++)
            assert_int_equal(down_wide[i], 255);
        free(across);
        free(down);
        free(down_wide);
    }
    free(src);
}

static void refuses_what_it_cannot_do(void **state)
{
    uint8_t pixel[CHANNELS] = {1, 2, 3};
    uint8_t out[CHANNELS] = {0};
    const struct vgg_resample_kernels *best = vgg_resample_kernels()[0];
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_resample_with(best, pixel, 1, 1, out, 0, 1, NULL), VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_resample_with(best, pixel, 1, 1, out, 1, 0, NULL), VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_resample_with(best, pixel, 1, 1, out, (1u << 24) + 1, 1, &error),
                     VGG_TOO_LARGE);
    assert_non_null(strstr(error.text, "16777216"));
    assert_int_equal(
        vgg_resample_part(pixel, 1, 1, out, 1, 0, &(struct vgg_rect){0, 0, 1, 1}, NULL),
        VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_resample_with(best, pixel, 1, 1, out, 1, 1, NULL), VGG_OK);
    assert_memory_equal(out, pixel, CHANNELS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pillow),      cmocka_unit_test(each_pass_equals_the_definition),
        cmocka_unit_test(columns_come_first), cmocka_unit_test(parts_are_cut_from_the_whole),
        cmocka_unit_test(tables_agree),       cmocka_unit_test(one_colour_stays),
        cmocka_unit_test(sums_are_clipped),   cmocka_unit_test(refuses_what_it_cannot_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
