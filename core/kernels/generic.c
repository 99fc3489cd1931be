/*
 * The templates for a vector that every CPU has, by GCC's vector extension. Training takes this
 * table where only the portable one runs, which has no gradients; inference does not use it.
 */
#include <math.h>
#include <stdint.h>

#include "base/half.h"

#define TARGET

typedef float vec __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));

enum {
    LANES = 4,
    PANEL_VECTORS = 2,
    ROWS_MAX = 6,
    GRADIENT_VECTORS = 1,
    WINDOW7_TERMS = 64,
    WINOGRAD_6_CHANNELS = 256 * 256,
    WINOGRAD_LOCAL_BYTES = 384 << 10,
    WINOGRAD_SHARED_BYTES = 3 << 20
};

#define FOR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define UNROLL_TERMS _Pragma("GCC unroll 4")

static inline vec vec_set(float x)
{
    return (vec){x, x, x, x};
}

static inline vec vec_load_half(const uint16_t *p)
{
    return (vec){vgg_half_to_float(p[0]), vgg_half_to_float(p[1]), vgg_half_to_float(p[2]),
                 vgg_half_to_float(p[3])};
}

/* x where the mask is set, else zero. */
static inline vec vec_where(vec_mask mask, vec x)
{
    return (vec)(mask & (vec_mask)x);
}

static inline vec vec_max(vec a, vec b)
{
    vec_mask first = a > b;

    return (vec)((first & (vec_mask)a) | (~first & (vec_mask)b));
}

#define vec_zero() vec_set(0)
#define vec_load(p) (*(const vec *)(const void *)(p))
#define half_store(p, x)                                                                           \
    do                                                                                             \
        for (size_t lane_ = 0; lane_ < sizeof(x) / sizeof(float); lane_++)                         \
            (p)[lane_] = vgg_half_from_float((x)[lane_]);                                          \
    while (0)
#define vec_broadcast(p) vec_set(*(p))
#define vec_store(p, x) (*(vec *)(void *)(p) = (x))
#define vec_add(a, b) ((a) + (b))
#define vec_sub(a, b) ((a) - (b))
#define vec_mul(a, b) ((a) * (b))
#define vec_fma(a, b, c) ((a) * (b) + (c))
#define vec_fnma(a, b, c) ((c) - (a) * (b))
#define vec_where_ge(a, b, x) vec_where((a) >= (b), x)
#define vec_where_gt(a, b, x) vec_where((a) > (b), x)

#include "kernels/template/all.h"

const struct vgg_kernels vgg_kernels_generic = TABLE("generic", VGG_PRECISION_F32);
const struct vgg_kernels vgg_kernels_portable_i8 = TABLE("portable-i8", VGG_PRECISION_I8);
