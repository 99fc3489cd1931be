/*
 * The first layer: a 3x3 convolution of fewer than 8 channels, pad 1. Up to 6 neighbouring pixels
 * of a row by 16 output channels stay in registers; the input is read where it lies, since pixels
 * of a blocked map follow each other just as the rows of a packed matrix do. Weights are packed as
 * for the direct convolution.
 */
#ifdef __x86_64__

#include <immintrin.h>

#include "kernels/avx2.h"

enum { SIDE = 3, PIXELS_MAX = 6 };

struct layer {
    const struct vgg_conv *conv;
    const float *packed, *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t panels, panel_floats;
};

/* Bias, ReLU and store of one vector of every pixel. */
VGG_AVX2 static inline void store_pixels(const __m256 *sums, size_t n, __m256 bias, bool relu,
                                         float *out)
{
    for (size_t i = 0; i < n; i++) {
        __m256 sum = _mm256_add_ps(sums[i], bias);

        if (relu)
            sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
        _mm256_store_ps(out + i * VGG_BLOCK, sum);
    }
}

/* n <= 6 pixels from `in` (their window's first pixel); `high` NULL: only the lower 8 channels. */
#define FIRST(N)                                                                                   \
    VGG_AVX2 static void first_##N(const struct layer *layer, const float *in, const float *b,     \
                                   const float *bias, float *low_out, float *high_out)             \
    {                                                                                              \
        __m256 low[N], high[N];                                                                    \
        size_t row = layer->in_map.wp * VGG_BLOCK, channels = layer->conv->in;                     \
                                                                                                   \
        _Pragma("GCC unroll 6") for (size_t i = 0; i < (N); i++)                                   \
        {                                                                                          \
            low[i] = high[i] = _mm256_setzero_ps();                                                \
        }                                                                                          \
        for (size_t ky = 0; ky < SIDE; ky++)                                                       \
            for (size_t kx = 0; kx < SIDE; kx++)                                                   \
                for (size_t c = 0; c < channels; c++, b += VGG_PANEL) {                            \
                    const float *a = in + ky * row + kx * VGG_BLOCK + c;                           \
                    __m256 b_low = _mm256_load_ps(b), b_high = _mm256_load_ps(b + VGG_BLOCK);      \
                                                                                                   \
                    _Pragma("GCC unroll 6") for (size_t i = 0; i < (N); i++)                       \
                    {                                                                              \
                        __m256 x = _mm256_broadcast_ss(a + i * VGG_BLOCK);                         \
                                                                                                   \
                        low[i] = _mm256_fmadd_ps(x, b_low, low[i]);                                \
                        high[i] = _mm256_fmadd_ps(x, b_high, high[i]);                             \
                    }                                                                              \
                }                                                                                  \
        store_pixels(low, N, _mm256_loadu_ps(bias), layer->conv->relu, low_out);                   \
        if (high_out != NULL)                                                                      \
            store_pixels(high, N, _mm256_loadu_ps(bias + VGG_BLOCK), layer->conv->relu, high_out); \
    }

FIRST(1)
FIRST(2)
FIRST(3)
FIRST(4)
FIRST(5)
FIRST(6)

typedef void first_fn(const struct layer *layer, const float *in, const float *b, const float *bias,
                      float *low_out, float *high_out);

static first_fn *const first[PIXELS_MAX + 1] = {NULL,    first_1, first_2, first_3,
                                                first_4, first_5, first_6};

/* Item: one row of one view. */
static void first_row(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;
    const struct vgg_blocked *map = &layer->out_map;
    size_t n = item / map->h, y = item % map->h, groups = vgg_ceil_div(map->w, PIXELS_MAX);
    const float *in =
        layer->in + vgg_blocked_at(&layer->in_map, n, 0, y, 0) - (layer->in_map.wp + 1) * VGG_BLOCK;

    (void)thread;
    for (size_t panel = 0; panel < layer->panels; panel++) {
        float bias[VGG_PANEL] = {0};
        float *low = layer->out + vgg_blocked_at(map, n, 2 * panel, y, 0);
        bool whole = 2 * panel + 1 < map->c8;

        for (size_t i = 0; i < VGG_PANEL && panel * VGG_PANEL + i < layer->conv->out; i++)
            bias[i] = layer->bias[panel * VGG_PANEL + i];
        for (size_t group = 0, x = 0; group < groups; group++) {
            size_t size = map->w / groups + (group < map->w % groups);
            float *out = low + x * VGG_BLOCK;

            first[size](layer, in + x * VGG_BLOCK, layer->packed + panel * layer->panel_floats,
                        bias, out, whole ? out + vgg_blocked_plane(map) : NULL);
            x += size;
        }
    }
}

void vgg_first_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                    const float *bias, const float *in, struct vgg_shape in_shape, float *out)
{
    struct vgg_shape out_shape = {in_shape.n, conv->out, in_shape.h, in_shape.w};
    struct layer layer = {
        .conv = conv,
        .packed = packed,
        .bias = bias,
        .in = in,
        .out = out,
        .in_map = vgg_blocked_of(in_shape),
        .out_map = vgg_blocked_of(out_shape),
        .panels = vgg_ceil_div(conv->out, VGG_PANEL),
        .panel_floats =
            vgg_direct_weights_bytes(conv) / sizeof(float) / vgg_ceil_div(conv->out, VGG_PANEL),
    };

    vgg_blocked_clear_frame(pool, out_shape, out);
    vgg_pool_run(pool, first_row, &layer, (size_t)in_shape.n * in_shape.h);
}

#endif
