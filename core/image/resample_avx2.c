/*
 * The inner loops of resample.c for AVX2: sums of 32 bits.
 *
 * Horizontally two taps of a channel are a pair of 16 bits, for the instruction that multiplies and
 * adds pairs. Weights of 23 bits do not fit into 16, so the sums of their upper and of their lower
 * halves are put together once for each output pixel, which gives the same number.
 */
#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "image/resample_kernels.h"

#define AVX2 __attribute__((target("avx2")))

enum {
    CHANNELS = VGG_RESAMPLE_CHANNELS,
    LANES = 8,
    STEP_BYTES = VGG_RESAMPLE_STEP * CHANNELS,
    LOW_BITS = 11,           /* of a weight, which has at most 23 */
    BLOCK_BYTES = 4 * LANES, /* of a row, in the vertical loop */
    HALF = 1 << (VGG_RESAMPLE_FRACTION_BITS - 1)
};

/* sum + 8 bytes from src on, times their weights. */
AVX2 static inline __m256i add_product(__m256i sum, const uint8_t *src, __m256i weights)
{
    __m256i pixels = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)src));

    return _mm256_add_epi32(sum, _mm256_mullo_epi32(pixels, weights));
}

/* Of four weights the upper halves of 12 bits, as two pairs, then the lower ones of 11. */
AVX2 static void order(int32_t *weights, size_t n)
{
    const __m128i low = _mm_set1_epi32((1 << LOW_BITS) - 1);

    for (size_t i = 0; i < n; i += VGG_RESAMPLE_STEP) {
        __m128i *four = (__m128i *)(weights + i);
        __m128i w = _mm_loadu_si128(four);

        _mm_storeu_si128(four, _mm_packs_epi32(_mm_srli_epi32(w, LOW_BITS), _mm_and_si128(w, low)));
    }
}

/* sum + the products of pairs of taps, of each channel, with a pair of weights. */
AVX2 static inline __m256i add_pairs(__m256i sum, __m256i pairs, int32_t weights)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi32(weights)));
}

/* One row in either half of the registers. */
AVX2 static void horizontal(const struct vgg_resample_axis *axis, const uint8_t *const src[2],
                            uint8_t *const dst[2])
{
    /* Of 16 bytes, taps 0 and 1 of each channel as pairs of 16 bits, and taps 2 and 3. */
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i second = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));

    for (uint32_t x = 0; x < axis->out; x++) {
        struct vgg_resample_window window = axis->windows[x];
        const int32_t *weights = axis->weights + x * axis->stride;
        size_t at = (size_t)window.first * CHANNELS;
        __m256i high = _mm256_setzero_si256(), low = _mm256_set1_epi32(HALF), words;

        for (uint32_t tap = 0; tap < window.taps; tap += VGG_RESAMPLE_STEP, at += STEP_BYTES) {
            __m256i pixels = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(src[0] + at))),
                _mm_loadu_si128((const __m128i *)(src[1] + at)), 1);
            __m256i pairs = _mm256_shuffle_epi8(pixels, first);

            high = add_pairs(high, pairs, weights[0]);
            low = add_pairs(low, pairs, weights[2]);
            pairs = _mm256_shuffle_epi8(pixels, second);
            high = add_pairs(high, pairs, weights[1]);
            low = add_pairs(low, pairs, weights[3]);
            weights += VGG_RESAMPLE_STEP;
        }
        words = _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, LOW_BITS), low),
                                  VGG_RESAMPLE_FRACTION_BITS);
        words = _mm256_packs_epi32(words, words);
        words = _mm256_packus_epi16(words, words); /* clips to 0..255 */
        for (unsigned i = 0; i < 2; i++) {
            int32_t pixel =
                i == 0 ? _mm256_extract_epi32(words, 0) : _mm256_extract_epi32(words, 4);

            memcpy(dst[i] + (size_t)x * CHANNELS, &pixel, CHANNELS);
        }
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
    .name = "avx2", .order = order, .horizontal = horizontal, .vertical = vertical};

#else
typedef int vgg_resample_avx2_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
