/* The table of AVX2 and FMA kernels: 12 of 16 registers hold sums, 6 rows by 16 columns. */
#ifdef __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))

typedef __m256 vec;

enum {
    LANES = 8,
    PANEL_VECTORS = 2,
    ROWS_MAX = 6,
    GRADIENT_VECTORS = 1,
    WINDOW7_TERMS = 64,
    WINOGRAD_6_CHANNELS = 256 * 256,
    WINOGRAD_LOCAL_BYTES = 768 << 10,
    WINOGRAD_SHARED_BYTES = 3 << 20
};

#define FOR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define UNROLL_TERMS _Pragma("GCC unroll 8")

#define vec_zero() _mm256_setzero_ps()
#define vec_set(x) _mm256_set1_ps(x)
#define vec_load(p) _mm256_load_ps(p)
#define vec_load_half(p) _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)(p)))
#define half_store(p, x) _mm_storeu_si128((__m128i *)(void *)(p), _mm256_cvtps_ph(x, 0))
#define vec_broadcast(p) _mm256_broadcast_ss(p)
#define vec_store(p, x) _mm256_store_ps(p, x)
#define vec_add(a, b) _mm256_add_ps(a, b)
#define vec_sub(a, b) _mm256_sub_ps(a, b)
#define vec_mul(a, b) _mm256_mul_ps(a, b)
#define vec_max(a, b) _mm256_max_ps(a, b)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define vec_where_ge(a, b, x) _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ), x)
#define vec_where_gt(a, b, x) _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ), x)

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_avx2 = TABLE("avx2", VGG_PRECISION_F32);

#else
typedef int vgg_avx2_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
