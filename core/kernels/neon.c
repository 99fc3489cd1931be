/* The table of NEON kernels, 64-bit ARM: 24 of 32 registers hold sums, 6 rows by 16 columns. */
#ifdef __aarch64__

#include <arm_neon.h>

#include "base/half.h"

#define TARGET

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

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_neon = TABLE("neon", VGG_PRECISION_F32);

#else
typedef int vgg_neon_is_not_for_this_machine; /* ISO C wants no empty file */
#endif
