/*
 * Template: what the other templates take from an instruction set, and what they share. The file
 * of the instruction set defines, before it includes them:
 *
 *     TARGET            function attribute that lets the compiler use the instructions
 *     vec               a vector of LANES floats, and vec_zero, vec_set, vec_load, vec_store,
 *                       vec_broadcast, vec_load_half, vec_add, vec_sub, vec_mul, vec_max,
 *                       vec_fma (a b + c), vec_fnma (c - a b),
 *                       and vec_where_ge, vec_where_gt (a, b, x): x where a >= b, a > b, else 0
 *     half_store        of 8 floats, rounded to nearest
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
#include <math.h>
#include <string.h>

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
