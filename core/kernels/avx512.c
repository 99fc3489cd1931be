/* The table of AVX-512 kernels: 24 of 32 registers hold sums, 12 rows by 32 columns. */
#ifdef __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq,fma,f16c")))

#define TARGET_DOT __attribute__((target("avx512f,avx512dq,fma,f16c,avx512vnni")))

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

/* The built-in and not the intrinsic, which may not be in a function that it is inlined from. */
#define vec_dot(x, w, sum)                                                                         \
    (vec) __builtin_ia32_vpdpbusd_v16si((__v16si)(sum), (__v16si)(x), (__v16si)(w))
#define DOT_OFFSET 128
#define vec_integers(x) _mm512_castps_si512(x)
#define vec_floats(x) _mm512_castsi512_ps(x)
#define vec_add_integers(a, b) vec_floats(_mm512_add_epi32(vec_integers(a), vec_integers(b)))
#define vec_from_integers(x) _mm512_cvtepi32_ps(vec_integers(x))
#define vec_fused(a, b, c) vec_fma(a, b, c)
#define vec_max_magnitude(top, x)                                                                  \
    vec_floats(_mm512_max_epi32(vec_integers(top),                                                 \
                                _mm512_and_si512(vec_integers(x), _mm512_set1_epi32(INT32_MAX))))

TARGET static inline vec vec_low_bytes(vec a, vec b, vec c, vec d)
{
    __m512i low = _mm512_ternarylogic_epi32(vec_integers(a), _mm512_slli_epi32(vec_integers(b), 8),
                                            _mm512_set1_epi32(0xffff), 0xa8); /* (a | b) & mask */

    return vec_floats(_mm512_ternarylogic_epi32(low, _mm512_slli_epi32(vec_integers(c), 16),
                                                _mm512_slli_epi32(vec_integers(d), 24), 0xfe));
}

/* Of four vectors: a fourth of each one's numbers, side by side. */
TARGET static inline __m512i quarters(vec a, vec b, vec c, vec d)
{
    __m512i x = vec_integers(a), y = vec_integers(b), z = vec_integers(c), w = vec_integers(d);
    __m512i xy =
        _mm512_max_epi32(_mm512_shuffle_i32x4(x, y, 0x44), _mm512_shuffle_i32x4(x, y, 0xee));
    __m512i zw =
        _mm512_max_epi32(_mm512_shuffle_i32x4(z, w, 0x44), _mm512_shuffle_i32x4(z, w, 0xee));

    return _mm512_max_epi32(_mm512_shuffle_i32x4(xy, zw, 0x88), _mm512_shuffle_i32x4(xy, zw, 0xdd));
}

TARGET static inline vec vec_largest_lanes(const vec *x)
{
    __m512i a = quarters(x[0], x[4], x[8], x[12]), b = quarters(x[1], x[5], x[9], x[13]);
    __m512i c = quarters(x[2], x[6], x[10], x[14]), d = quarters(x[3], x[7], x[11], x[15]);
    __m512i ab = _mm512_max_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_max_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));

    return vec_floats(
        _mm512_max_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)));
}

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_avx512 = TABLE("avx512");
const struct vgg_kernels vgg_kernels_avx512_vnni = TABLE8("avx512-vnni");

#else
typedef int vgg_avx512_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
