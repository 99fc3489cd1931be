/*
 * The inner loops of resample.c in plain C: the reference for the others, and what runs where there
 * are none.
 *
 * No intermediate leaves 32 bits: weights are not negative and sum up to 2^22, or to 4/3 of that
 * where millions of them below 1 are rounded up; pixels are below 2^8. So a sum is below 2^31 and
 * never negative, and only its upper end has to be clipped.
 */
#include <stdlib.h>

#include "image/resample_kernels.h"

enum {
    CHANNELS = VGG_RESAMPLE_CHANNELS,
    BLOCK_BYTES = 16, /* of a row, summed up in registers where the compiler has vectors */
    HALF = 1 << (VGG_RESAMPLE_FRACTION_BITS - 1)
};

static uint8_t to_byte(int32_t sum)
{
    sum >>= VGG_RESAMPLE_FRACTION_BITS;
    return (uint8_t)(sum > UINT8_MAX ? UINT8_MAX : sum);
}

static void horizontal_row(const struct vgg_resample_axis *axis, const uint8_t *src, uint8_t *dst)
{
    for (uint32_t x = 0; x < axis->out; x++, dst += CHANNELS) {
        const uint8_t *pixel = src + (size_t)axis->windows[x].first * CHANNELS;
        const int32_t *weight = axis->weights + x * axis->stride;
        int32_t red = HALF;
        int32_t green = HALF;
        int32_t blue = HALF;

        for (uint32_t tap = 0; tap < axis->windows[x].taps; tap++, pixel += CHANNELS, weight++) {
            red += pixel[0] * *weight;
            green += pixel[1] * *weight;
            blue += pixel[2] * *weight;
        }
        dst[0] = to_byte(red);
        dst[1] = to_byte(green);
        dst[2] = to_byte(blue);
    }
}

static void horizontal(const struct vgg_resample_axis *axis, const uint8_t *const src[2],
                       uint8_t *const dst[2])
{
    horizontal_row(axis, src[0], dst[0]);
    horizontal_row(axis, src[1], dst[1]);
}

static void vertical(const uint8_t *src, size_t row_bytes, const int32_t *weights, uint32_t taps,
                     uint8_t *dst)
{
    size_t x = 0;

    for (; x + BLOCK_BYTES <= row_bytes; x += BLOCK_BYTES) {
        int32_t sums[BLOCK_BYTES];

        for (unsigned i = 0; i < BLOCK_BYTES; i++)
            sums[i] = HALF;
        for (uint32_t tap = 0; tap < taps; tap++) {
            const uint8_t *row = src + tap * row_bytes + x;

            for (unsigned i = 0; i < BLOCK_BYTES; i++)
                sums[i] += row[i] * weights[tap];
        }
        for (unsigned i = 0; i < BLOCK_BYTES; i++)
            dst[x + i] = to_byte(sums[i]);
    }
    for (; x < row_bytes; x++) {
        int32_t sum = HALF;

        for (uint32_t tap = 0; tap < taps; tap++)
            sum += src[tap * row_bytes + x] * weights[tap];
        dst[x] = to_byte(sum);
    }
}

static const struct vgg_resample_kernels portable = {
    .name = "portable", .horizontal = horizontal, .vertical = vertical};

const struct vgg_resample_kernels *const *vgg_resample_kernels(void)
{
    static const struct vgg_resample_kernels *const baseline[] = {&portable, NULL};
#ifdef __x86_64__
    static const struct vgg_resample_kernels *const with_avx2[] = {&vgg_resample_avx2, &portable,
                                                                   NULL};

    if (__builtin_cpu_supports("avx2"))
        return with_avx2;
#endif
    return baseline;
}
