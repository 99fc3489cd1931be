/*
 * The inner loops of resample.c for AVX2: 8 sums of 32 bits in a register.
 *
 * Horizontally 8 pixels are 24 bytes are 3 registers, whose lanes then belong to the channels
 * 0 1 2 0 1 2 ... throughout; the weights are stored in the same pattern, and the lanes are summed
 * up by channel once for each output pixel. Two rows share each load of the weights.
 */
#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "image/resample.h"

#define AVX2 __attribute__((target("avx2")))

enum {
    CHANNELS = VGG_RESAMPLE_CHANNELS,
    LANES = 8,
    STEP_BYTES = VGG_RESAMPLE_STEP * CHANNELS,
    BLOCK_BYTES = 4 * LANES, /* of a row, in the vertical loop */
    HALF = 1 << (VGG_RESAMPLE_FRACTION_BITS - 1)
};

/* sum + 8 bytes from src on, times 8 weights. */
AVX2 static inline __m256i add_product(__m256i sum, const uint8_t *src, __m256i weights)
{
    __m256i pixels = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)src));

    return _mm256_add_epi32(sum, _mm256_mullo_epi32(pixels, weights));
}

AVX2 static inline __m256i load_weights(const int32_t *weights)
{
    return _mm256_loadu_si256((const __m256i *)weights);
}

/* Write the pixel whose 24 partial sums are the lanes of s0, s1, s2. */
AVX2 static inline void store_pixel(__m256i s0, __m256i s1, __m256i s2, uint8_t *dst)
{
    /* Lanes that are 12 apart share a channel, which leaves q0 = 0120, q1 = 1201, q2 = 2012. */
    __m128i q0 = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s1, 1));
    __m128i q1 = _mm_add_epi32(_mm256_extracti128_si256(s0, 1), _mm256_castsi256_si128(s2));
    __m128i q2 = _mm_add_epi32(_mm256_castsi256_si128(s1), _mm256_extracti128_si256(s2, 1));
    /* Cut those 12 lanes into four threes, each in lanes 0 to 2. */
    __m128i outer = _mm_add_epi32(q0, _mm_srli_si128(q2, 4));
    __m128i inner = _mm_add_epi32(_mm_alignr_epi8(q1, q0, 12), _mm_alignr_epi8(q2, q1, 8));
    __m128i sum = _mm_add_epi32(_mm_add_epi32(outer, inner), _mm_set1_epi32(HALF));
    __m128i words = _mm_srai_epi32(sum, VGG_RESAMPLE_FRACTION_BITS);
    int32_t pixel;

    words = _mm_packs_epi32(words, words);
    pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)); /* clips to 0..255 */
    memcpy(dst, &pixel, CHANNELS);
}

AVX2 static void horizontal(const struct vgg_resample_axis *axis, const uint8_t *const src[2],
                            uint8_t *const dst[2])
{
    for (uint32_t x = 0; x < axis->out; x++) {
        struct vgg_resample_window window = axis->windows[x];
        const int32_t *weights = axis->weights + x * axis->stride;
        const uint8_t *a = src[0] + (size_t)window.first * CHANNELS;
        const uint8_t *b = src[1] + (size_t)window.first * CHANNELS;
        __m256i a0 = _mm256_setzero_si256();
        __m256i a1 = a0;
        __m256i a2 = a0;
        __m256i b0 = a0;
        __m256i b1 = a0;
        __m256i b2 = a0;

        for (uint32_t tap = 0; tap < window.taps; tap += VGG_RESAMPLE_STEP) {
            __m256i w0 = load_weights(weights);
            __m256i w1 = load_weights(weights + LANES);
            __m256i w2 = load_weights(weights + 2 * LANES);

            a0 = add_product(a0, a, w0);
            a1 = add_product(a1, a + LANES, w1);
            a2 = add_product(a2, a + 2 * LANES, w2);
            b0 = add_product(b0, b, w0);
            b1 = add_product(b1, b + LANES, w1);
            b2 = add_product(b2, b + 2 * LANES, w2);
            weights += STEP_BYTES;
            a += STEP_BYTES;
            b += STEP_BYTES;
        }
        store_pixel(a0, a1, a2, dst[0] + (size_t)x * CHANNELS);
        store_pixel(b0, b1, b2, dst[1] + (size_t)x * CHANNELS);
    }
}

/* Four registers of sums to 32 bytes; packing works on halves, which the permutation puts right. */
AVX2 static inline void store_block(const __m256i sums[4], uint8_t *dst)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i low = _mm256_packs_epi32(_mm256_srai_epi32(sums[0], VGG_RESAMPLE_FRACTION_BITS),
                                     _mm256_srai_epi32(sums[1], VGG_RESAMPLE_FRACTION_BITS));
    __m256i high = _mm256_packs_epi32(_mm256_srai_epi32(sums[2], VGG_RESAMPLE_FRACTION_BITS),
                                      _mm256_srai_epi32(sums[3], VGG_RESAMPLE_FRACTION_BITS));
    __m256i packed = _mm256_packus_epi16(low, high);

    _mm256_storeu_si256((__m256i *)dst, _mm256_permutevar8x32_epi32(packed, order));
}

AVX2 static void vertical_block(const uint8_t *src, size_t row_bytes, const int32_t *weights,
                                uint32_t taps, uint8_t *dst)
{
    __m256i sums[4];

    sums[0] = sums[1] = sums[2] = sums[3] = _mm256_set1_epi32(HALF);
    for (uint32_t tap = 0; tap < taps; tap++, src += row_bytes) {
        __m256i weight = _mm256_set1_epi32(weights[tap]);

        sums[0] = add_product(sums[0], src, weight);
        sums[1] = add_product(sums[1], src + LANES, weight);
        sums[2] = add_product(sums[2], src + 2 * LANES, weight);
        sums[3] = add_product(sums[3], src + 3 * LANES, weight);
    }
    store_block(sums, dst);
}

AVX2 static void vertical(const uint8_t *src, size_t row_bytes, const int32_t *weights,
                          uint32_t taps, uint8_t *dst)
{
    size_t x = 0;

    for (; x + BLOCK_BYTES <= row_bytes; x += BLOCK_BYTES)
        vertical_block(src + x, row_bytes, weights, taps, dst + x);
    for (; x < row_bytes; x++) {
        int32_t sum = HALF;

        for (uint32_t tap = 0; tap < taps; tap++)
            sum += src[tap * row_bytes + x] * weights[tap];
        sum >>= VGG_RESAMPLE_FRACTION_BITS;
        dst[x] = (uint8_t)(sum > UINT8_MAX ? UINT8_MAX : sum);
    }
}

const struct vgg_resample_kernels vgg_resample_avx2 = {
    .name = "avx2", .horizontal = horizontal, .vertical = vertical};

#else
typedef int vgg_resample_avx2_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
