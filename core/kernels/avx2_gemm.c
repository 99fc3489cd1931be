/*
 * The micro-kernel: up to 6 rows by 16 columns, 12 accumulators, for each term 2 loads of b, 6
 * broadcasts of a and 12 FMAs.
 */
#ifdef __x86_64__

#include <immintrin.h>

#include "kernels/avx2.h"

enum {
    ROWS_MAX = 6,
    PREFETCH = 16 * VGG_PANEL /* floats of b ahead: 16 terms */
};

/*
 * MICRO(R) defines micro_R: c[R][16] (+)= a[depth8][..][8] * b[depth8 * 8][16]. The loops over rows
 * have constant bounds and are unrolled, so that the accumulators stay in registers.
 */
#define MICRO(R)                                                                                   \
    VGG_AVX2 static void micro_##R(const float *a, size_t a_stride, const float *b, size_t depth8, \
                                   float *c, bool add)                                             \
    {                                                                                              \
        __m256 low[R], high[R];                                                                    \
                                                                                                   \
        _Pragma("GCC unroll 6") for (size_t r = 0; r < (R); r++)                                   \
        {                                                                                          \
            low[r] = high[r] = _mm256_setzero_ps();                                                \
        }                                                                                          \
        for (size_t block = 0; block < depth8; block++, a += a_stride)                             \
            _Pragma("GCC unroll 8") for (size_t i = 0; i < VGG_BLOCK; i++, b += VGG_PANEL)         \
            {                                                                                      \
                __m256 b_low = _mm256_load_ps(b), b_high = _mm256_load_ps(b + VGG_BLOCK);          \
                                                                                                   \
                _mm_prefetch((const char *)(b + PREFETCH), _MM_HINT_T0);                           \
                _Pragma("GCC unroll 6") for (size_t r = 0; r < (R); r++)                           \
                {                                                                                  \
                    __m256 x = _mm256_broadcast_ss(a + r * VGG_BLOCK + i);                         \
                                                                                                   \
                    low[r] = _mm256_fmadd_ps(x, b_low, low[r]);                                    \
                    high[r] = _mm256_fmadd_ps(x, b_high, high[r]);                                 \
                }                                                                                  \
            }                                                                                      \
        _Pragma("GCC unroll 6") for (size_t r = 0; r < (R); r++)                                   \
        {                                                                                          \
            float *out = c + r * VGG_PANEL;                                                        \
                                                                                                   \
            if (add) {                                                                             \
                low[r] = _mm256_add_ps(_mm256_load_ps(out), low[r]);                               \
                high[r] = _mm256_add_ps(_mm256_load_ps(out + VGG_BLOCK), high[r]);                 \
            }                                                                                      \
            _mm256_store_ps(out, low[r]);                                                          \
            _mm256_store_ps(out + VGG_BLOCK, high[r]);                                             \
        }                                                                                          \
    }

MICRO(1)
MICRO(2)
MICRO(3)
MICRO(4)
MICRO(5)
MICRO(6)

typedef void micro_fn(const float *a, size_t a_stride, const float *b, size_t depth8, float *c,
                      bool add);

static micro_fn *const micro[ROWS_MAX + 1] = {NULL,    micro_1, micro_2, micro_3,
                                              micro_4, micro_5, micro_6};

void vgg_avx2_gemm(const float *a, size_t a_rows, size_t rows, const float *b, size_t b_stride,
                   size_t depth8, size_t panels, float *c, size_t c_stride)
{
    /* Groups of nearly equal size: 13 rows are 5 + 4 + 4, since short ones wait for latency. */
    size_t groups = vgg_ceil_div(rows, ROWS_MAX), a_stride = a_rows * VGG_BLOCK;

    for (size_t depth = 0; depth < depth8; depth += VGG_DEPTH_MAX) {
        size_t count = depth8 - depth < VGG_DEPTH_MAX ? depth8 - depth : VGG_DEPTH_MAX;

        for (size_t panel = 0; panel < panels; panel++)
            for (size_t group = 0, row = 0; group < groups; group++) {
                size_t size = rows / groups + (group < rows % groups);

                micro[size](a + depth * a_stride + row * VGG_BLOCK, a_stride,
                            b + panel * b_stride + depth * VGG_BLOCK * VGG_PANEL, count,
                            c + panel * c_stride + row * VGG_PANEL, depth != 0);
                row += size;
            }
    }
}

#endif
