/*
 * Template: what the templates take from an instruction set, what they share, and all of them in
 * the order of their needs. The file of the instruction set defines, before it includes this one:
 *
 *     TARGET            function attribute that lets the compiler use the instructions
 *     vec               a vector of LANES floats, and vec_zero, vec_set, vec_load, vec_store,
 *                       vec_broadcast, vec_load_half, vec_add, vec_sub, vec_mul, vec_max,
 *                       vec_fma (a b + c), vec_fnma (c - a b),
 *                       and vec_where_ge, vec_where_gt (a, b, x): x where a >= b, a > b, else 0
 *     half_store        of 8 floats, rounded to nearest
 *     TARGET_DOT        attribute of functions with vec_dot(x, w, sum), which adds to each lane of
 *                       sum four products of bytes, and DOT_OFFSET to those of x; TARGET_DOT_EVEX
 *                       and is_dot_evex() where there are two encodings of it
 *     vec_fused         vec_fma, rounded once for certain
 *     vec_max_magnitude (top, x): the larger of top, which has no sign, and x without its own, as
 *                       integers
 *     vec_largest_lanes  of LANES vectors of those: lane i is the largest lane of x[i]
 *     vec_low_bytes     the last bytes of the lanes of four vectors, side by side
 *     vec_add_integers, vec_from_integers  of lanes that hold integers; into floats
 *     LANES             floats of a vector: the channels of one block of a map
 *     PANEL_VECTORS     vectors of output channels that the micro-kernel works on
 *     ROWS_MAX          its rows, and FOR_EACH_ROWS(X): X(1) ... X(ROWS_MAX)
 *     UNROLL_TERMS      pragma: how far the loop over terms is unrolled
 *     WINOGRAD_LOCAL_BYTES, WINOGRAD_SHARED_BYTES  working set of a block that one thread does
 *                       alone; weights from which threads share each pass over them
 *     WINDOW7_TERMS     input channels whose transformed 7x7 filters are held at a time
 *     GRADIENT_VECTORS  vectors of output channels whose weight gradients are summed together:
 *                       nine times as many registers hold sums
 *     WINOGRAD_6_CHANNELS  in * out up to which a layer takes F(6x6)
 *
 * All functions are static: an instruction set is one object file whose table is all that shows.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/gradients.h"
#include "kernels/winograd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 64")

/* Biases of a block of output channels; channels past the last have none. */
TARGET static vec load_bias(const struct vgg_conv *conv, const float *bias, size_t block)
{
    float lanes[LANES] __attribute__((aligned(LANES * sizeof(float)))) = {0};

    for (size_t i = 0; i < LANES && block * LANES + i < conv->out; i++)
        lanes[i] = bias[block * LANES + i];
    return vec_load(lanes);
}

/* ReLU is vec_max(floor, x), which passes NaN on. */
TARGET static vec relu_floor(const struct vgg_conv *conv)
{
    return conv->relu ? vec_zero() : vec_set(-INFINITY);
}

/* clang-format off */
#include "kernels/template/quads.h"
#include "kernels/template/gemm.h"
#include "kernels/template/peak.h"
#include "kernels/template/direct.h"
#include "kernels/template/first.h"
#include "kernels/template/pack.h"
#include "kernels/template/transform.h"
#include "kernels/template/winograd.h"
#include "kernels/template/winograd8.h"
#include "kernels/template/pack8.h"
#include "kernels/template/window7.h"
#include "kernels/template/gradients.h"
#include "kernels/template/table.h"
/* clang-format on */
