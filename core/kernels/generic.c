/*
 * The templates for a vector that every CPU has, by GCC's vector extension. Training takes this
 * table where only the portable one runs, which has no gradients; inference does not use it.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/half.h"

#define TARGET
#define TARGET_DOT

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

/* The model of an instruction that multiplies unsigned bytes by signed ones: sum + four products.
 */
static inline vec vec_dot(vec quads, vec weights, vec sum)
{
    uint8_t x[sizeof(vec)];
    int8_t w[sizeof(vec)];
    vec_mask total = (vec_mask)sum;

    memcpy(x, &quads, sizeof x);
    memcpy(w, &weights, sizeof w);
    for (size_t i = 0; i < sizeof(vec); i++)
        total[i / 4] += x[i] * w[i];
    return (vec)total;
}

static inline vec vec_fused(vec a, vec b, vec c)
{
    for (size_t i = 0; i < 4; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}

/* The last byte of each lane of four vectors, from a's on. */
static inline vec vec_low_bytes(vec a, vec b, vec c, vec d)
{
    return (vec)(((vec_mask)a & 0xff) | ((vec_mask)b & 0xff) << 8 | ((vec_mask)c & 0xff) << 16 |
                 (vec_mask)d << 24);
}

static inline vec vec_max_magnitude(vec top, vec x)
{
    vec_mask magnitude = (vec_mask)x & INT32_MAX, keep = (vec_mask)top > magnitude;

    return (vec)(((vec_mask)top & keep) | (magnitude & ~keep));
}

static inline vec vec_largest_lanes(const vec *x)
{
    vec_mask largest = {0};

    for (size_t i = 0; i < 4; i++)
        for (size_t lane = 0; lane < 4; lane++) {
            int32_t bits = ((vec_mask)x[i])[lane];

            largest[i] = bits > largest[i] ? bits : largest[i];
        }
    return (vec)largest;
}

#define DOT_OFFSET 128
#define vec_add_integers(a, b) ((vec)((vec_mask)(a) + (vec_mask)(b)))
#define vec_from_integers(x) __builtin_convertvector((vec_mask)(x), vec)

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

const struct vgg_kernels vgg_kernels_generic = TABLE("generic");
const struct vgg_kernels vgg_kernels_portable_i8 = TABLE8("portable-i8");
