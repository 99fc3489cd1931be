/* The table of AVX2 and FMA kernels: 12 of 16 registers hold sums, 6 rows by 16 columns. */
#ifdef __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))

#define TARGET_DOT __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TARGET_DOT_EVEX __attribute__((target("avx2,fma,f16c,avx512vl,avx512vnni")))

/* The same instruction as part of AVX-512, of CPUs that lack the short one. */
static int is_dot_evex(void)
{
    return !__builtin_cpu_supports("avxvnni");
}

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

/* The built-in and not the intrinsic, which may not be in a function that it is inlined from. */
#define vec_dot(x, w, sum)                                                                         \
    (vec) __builtin_ia32_vpdpbusd_v8si((__v8si)(sum), (__v8si)(x), (__v8si)(w))
#define DOT_OFFSET 128
#define vec_integers(x) _mm256_castps_si256(x)
#define vec_floats(x) _mm256_castsi256_ps(x)
#define vec_add_integers(a, b) vec_floats(_mm256_add_epi32(vec_integers(a), vec_integers(b)))
#define vec_from_integers(x) _mm256_cvtepi32_ps(vec_integers(x))
#define vec_fused(a, b, c) vec_fma(a, b, c)
#define vec_max_magnitude(top, x)                                                                  \
    vec_floats(_mm256_max_epi32(vec_integers(top),                                                 \
                                _mm256_and_si256(vec_integers(x), _mm256_set1_epi32(INT32_MAX))))

TARGET static inline vec vec_low_bytes(vec a, vec b, vec c, vec d)
{
    __m256i even =
        _mm256_blend_epi16(vec_integers(a), _mm256_slli_epi32(vec_integers(c), 16), 0xaa);
    __m256i odd = _mm256_blend_epi16(_mm256_slli_epi32(vec_integers(b), 8),
                                     _mm256_slli_epi32(vec_integers(d), 24), 0xaa);

    return vec_floats(_mm256_or_si256(even, odd));
}

/* Of two vectors: a half of each one's numbers, side by side. */
TARGET static inline __m256i halves(vec a, vec b)
{
    __m256i x = vec_integers(a), y = vec_integers(b);

    return _mm256_max_epi32(_mm256_permute2x128_si256(x, y, 0x20),
                            _mm256_permute2x128_si256(x, y, 0x31));
}

TARGET static inline vec vec_largest_lanes(const vec *x)
{
    __m256i a = halves(x[0], x[4]), b = halves(x[1], x[5]);
    __m256i c = halves(x[2], x[6]), d = halves(x[3], x[7]);
    __m256i ab = _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    __m256i cd = _mm256_max_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));

    return vec_floats(
        _mm256_max_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd)));
}

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_avx2 = TABLE("avx2");
const struct vgg_kernels vgg_kernels_avx_vnni = TABLE8("avx-vnni");

#else
typedef int vgg_avx2_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
