/* The table of NEON kernels, 64-bit ARM: 24 of 32 registers hold sums, 6 rows by 16 columns. */
#ifdef __aarch64__

#include <arm_neon.h>

#include "base/half.h"

#define TARGET
#define TARGET_DOT __attribute__((target("arch=armv8.2-a+dotprod")))

typedef float32x4_t vec;

enum {
    LANES = 4,
    PANEL_VECTORS = 4,
    ROWS_MAX = 6,
    GRADIENT_VECTORS = 2,
    WINDOW7_TERMS = 64,
    WINOGRAD_6_CHANNELS = 256 * 256,
    WINOGRAD_LOCAL_BYTES = 384 << 10,
    WINOGRAD_SHARED_BYTES = 3 << 20
};

#define FOR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define UNROLL_TERMS _Pragma("GCC unroll 4")

#define vec_zero() vdupq_n_f32(0)
#define vec_set(x) vdupq_n_f32(x)
#define vec_load(p) vld1q_f32(p)
#define vec_load_half(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#define half_store(p, x)                                                                           \
    do                                                                                             \
        for (size_t lane_ = 0; lane_ < sizeof(x) / sizeof(float); lane_++)                         \
            (p)[lane_] = vgg_half_from_float((x)[lane_]);                                          \
    while (0)
#define vec_broadcast(p) vld1q_dup_f32(p)
#define vec_store(p, x) vst1q_f32(p, x)
#define vec_add(a, b) vaddq_f32(a, b)
#define vec_sub(a, b) vsubq_f32(a, b)
#define vec_mul(a, b) vmulq_f32(a, b)
#define vec_max(a, b) vmaxq_f32(a, b)
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#define vec_fnma(a, b, c) vfmsq_f32(c, a, b)
#define vec_where(mask, x) vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(x)))
#define vec_where_ge(a, b, x) vec_where(vcgeq_f32(a, b), x)
#define vec_where_gt(a, b, x) vec_where(vcgtq_f32(a, b), x)

/* Written out: the intrinsic may not be in a function that it is inlined from. */
#define vec_dot(x, w, sum)                                                                         \
    ({                                                                                             \
        vec sum_ = (sum);                                                                          \
        __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum_) : "w"(x), "w"(w));                       \
        sum_;                                                                                      \
    })
#define DOT_OFFSET 0
#define vec_add_integers(a, b)                                                                     \
    vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), vreinterpretq_s32_f32(b)))
#define vec_from_integers(x) vcvtq_f32_s32(vreinterpretq_s32_f32(x))
#define vec_fused(a, b, c) vec_fma(a, b, c)
#define vec_max_magnitude(top, x)                                                                  \
    vreinterpretq_f32_s32(                                                                         \
        vmaxq_s32(vreinterpretq_s32_f32(top), vreinterpretq_s32_f32(vabsq_f32(x))))

static inline vec vec_low_bytes(vec a, vec b, vec c, vec d)
{
    uint32x4_t quads = vreinterpretq_u32_f32(a);

    quads = vsliq_n_u32(quads, vreinterpretq_u32_f32(b), 8);
    quads = vsliq_n_u32(quads, vreinterpretq_u32_f32(c), 16);
    return vreinterpretq_f32_u32(vsliq_n_u32(quads, vreinterpretq_u32_f32(d), 24));
}

static inline vec vec_largest_lanes(const vec *x)
{
    int32x4_t ab = vpmaxq_s32(vreinterpretq_s32_f32(x[0]), vreinterpretq_s32_f32(x[1]));
    int32x4_t cd = vpmaxq_s32(vreinterpretq_s32_f32(x[2]), vreinterpretq_s32_f32(x[3]));

    return vreinterpretq_f32_s32(vpmaxq_s32(ab, cd));
}

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_neon = TABLE("neon");
const struct vgg_kernels vgg_kernels_neon_dotprod = TABLE8("neon-dotprod");

#else
typedef int vgg_neon_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
