/* The table of AVX-512 kernels: 24 of 32 registers hold sums, 12 rows by 32 columns. */
#ifdef __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq,fma,f16c")))

typedef __m512 vec;

enum {
    LANES = 16,
    PANEL_VECTORS = 2,
    ROWS_MAX = 12,
    GRADIENT_VECTORS = 2,
    WINDOW7_TERMS = 32,
    WINOGRAD_6_CHANNELS = 256 * 256,
    WINOGRAD_LOCAL_BYTES = 768 << 10,
    WINOGRAD_SHARED_BYTES = 3 << 20
};

#define FOR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define UNROLL_TERMS _Pragma("GCC unroll 4")

#define vec_zero() _mm512_setzero_ps()
#define vec_set(x) _mm512_set1_ps(x)
#define vec_load(p) _mm512_load_ps(p)
#define vec_load_half(p) _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)(p)))
#define half_store(p, x) _mm_storeu_si128((__m128i *)(void *)(p), _mm256_cvtps_ph(x, 0))
#define vec_broadcast(p) _mm512_set1_ps(*(p))
#define vec_store(p, x) _mm512_store_ps(p, x)
#define vec_add(a, b) _mm512_add_ps(a, b)
#define vec_sub(a, b) _mm512_sub_ps(a, b)
#define vec_mul(a, b) _mm512_mul_ps(a, b)
#define vec_max(a, b) _mm512_max_ps(a, b)
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define vec_where_ge(a, b, x) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), x)
#define vec_where_gt(a, b, x) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), x)

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_avx512 = TABLE("avx512", VGG_PRECISION_F32);

#else
typedef int vgg_avx512_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
