/*
 * Convolutions as an implicit matrix product over positions: the first layer, 1x1 convolutions and
 * the fully-connected layers. For a block of positions, gather their inputs into
 * a[depth8][positions][8], multiply by b[panel][depth][16], add bias, ReLU, store.
 *
 * Where there are at least 8 input channels the depth runs over blocks of channels, then over the
 * window, so that gathering copies whole vectors; fewer channels (the first layer's 3) lie behind
 * each other, and the depth is filled up with zeros.
 */
#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "kernels/avx2.h"

enum {
    LOCAL_POSITIONS = 48,           /* of a block that one thread does alone */
    SHARED_WEIGHTS_BYTES = 1 << 20, /* above it, threads share each pass over the weights */
    SHARED_POSITIONS_MAX = 128,
    PANELS_AT_A_TIME = 4
};

struct layer {
    const struct vgg_conv *conv;
    const float *packed, *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t positions; /* of all views */
    size_t depth8, panels;
    size_t block;        /* positions of one block */
    size_t first, count; /* the block under way, where the threads share it */
    float *scratch;
};

static bool is_narrow(const struct vgg_conv *conv)
{
    return conv->in < VGG_BLOCK;
}

static size_t window(const struct vgg_conv *conv)
{
    return (size_t)conv->kernel * conv->kernel;
}

static size_t depth8_of(const struct vgg_conv *conv)
{
    return is_narrow(conv) ? vgg_ceil_div(window(conv) * conv->in, VGG_BLOCK)
                           : window(conv) * vgg_ceil_div(conv->in, VGG_BLOCK);
}

size_t vgg_direct_weights_bytes(const struct vgg_conv *conv)
{
    return vgg_ceil_div(conv->out, VGG_PANEL) * depth8_of(conv) * VGG_BLOCK * VGG_PANEL *
           sizeof(float);
}

static bool is_shared(const struct vgg_conv *conv)
{
    return vgg_direct_weights_bytes(conv) > SHARED_WEIGHTS_BYTES;
}

/* Positions that a block may have. */
static size_t positions_max(const struct vgg_conv *conv)
{
    return is_shared(conv) ? SHARED_POSITIONS_MAX : LOCAL_POSITIONS;
}

static struct layer layer_of(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct vgg_conv plain = *conv;
    struct layer layer = {
        .conv = conv,
        .in_map = vgg_blocked_of(in),
        .depth8 = depth8_of(conv),
        .panels = vgg_ceil_div(conv->out, VGG_PANEL),
    };
    size_t most = positions_max(conv);

    plain.pool = false;
    layer.out_map = vgg_blocked_of(vgg_conv_output(&plain, in));
    layer.positions = layer.out_map.n * layer.out_map.h * layer.out_map.w;
    layer.block = vgg_ceil_div(layer.positions, vgg_ceil_div(layer.positions, most));
    return layer;
}

/* Floats of a block's a and of its product. */
static size_t a_floats(const struct layer *layer)
{
    return layer->depth8 * layer->block * VGG_BLOCK;
}

static size_t c_floats(const struct layer *layer)
{
    return layer->panels * layer->block * VGG_PANEL;
}

/* For the largest block, so that a larger map never needs less. */
size_t vgg_direct_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, unsigned threads)
{
    struct layer layer = layer_of(conv, in);

    layer.block = vgg_min_size(layer.positions, positions_max(conv));
    return (a_floats(&layer) + c_floats(&layer)) * sizeof(float) * (is_shared(conv) ? 1 : threads);
}

/* ---------------------------------------------------------------- weights -------------------- */

/* Where term (input channel, window element) stands in the depth. */
static size_t depth_index(const struct vgg_conv *conv, size_t c, size_t element)
{
    if (is_narrow(conv))
        return element * conv->in + c;
    return (c / VGG_BLOCK * window(conv) + element) * VGG_BLOCK + c % VGG_BLOCK;
}

void vgg_direct_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows, const float *weights,
                     float *packed)
{
    size_t elements = window(conv), depth = elements * conv->in;
    size_t panel = depth8_of(conv) * VGG_BLOCK * VGG_PANEL;

    if (row == 0 &&
        (depth % VGG_BLOCK != 0 || conv->in % VGG_BLOCK != 0 || conv->out % VGG_PANEL != 0))
        memset(packed, 0, vgg_direct_weights_bytes(conv));
    for (size_t c = 0; c < conv->in; c++)
        for (size_t element = 0; element < elements; element++) {
            float *out = packed + depth_index(conv, c, element) * VGG_PANEL;

            for (size_t r = row; r < (size_t)row + rows; r++)
                out[r / VGG_PANEL * panel + r % VGG_PANEL] =
                    weights[(r - row) * depth + c * elements + element];
        }
}

/* ---------------------------------------------------------------- gathering ------------------ */

/* Start of a position's window, in floats from the start of block 0 of the map. */
static size_t window_start(const struct layer *layer, size_t position)
{
    const struct vgg_blocked *out = &layer->out_map;
    size_t x = position % out->w, y = position / out->w % out->h, n = position / out->w / out->h;

    return vgg_blocked_at(&layer->in_map, n, 0, y, x) -
           layer->conv->pad * (layer->in_map.wp + 1) * VGG_BLOCK;
}

/* Few channels: the window's values behind each other, then zeros, 8 to a block of the depth. */
static void gather_narrow(const struct layer *layer, size_t first, size_t count, float *a)
{
    const struct vgg_conv *conv = layer->conv;
    size_t row = layer->in_map.wp * VGG_BLOCK, stride = layer->block * VGG_BLOCK;

    for (size_t t = 0; t < count; t++) {
        const float *in = layer->in + window_start(layer, first + t);
        float *out = a + t * VGG_BLOCK;
        size_t d = 0;

        for (size_t ky = 0; ky < conv->kernel; ky++)
            for (size_t kx = 0; kx < conv->kernel; kx++)
                for (size_t c = 0; c < conv->in; c++, d++)
                    out[d / VGG_BLOCK * stride + d % VGG_BLOCK] = in[ky * row + kx * VGG_BLOCK + c];
        for (; d < layer->depth8 * VGG_BLOCK; d++)
            out[d / VGG_BLOCK * stride + d % VGG_BLOCK] = 0;
    }
}

/* One block of channels: a vector for each element of the window. */
VGG_AVX2 static void gather_block(const struct layer *layer, size_t block, size_t first,
                                  size_t count, float *a)
{
    size_t kernel = layer->conv->kernel, row = layer->in_map.wp * VGG_BLOCK;
    size_t stride = layer->block * VGG_BLOCK, plane = vgg_blocked_plane(&layer->in_map);
    float *block_out = a + block * window(layer->conv) * stride;

    for (size_t t = 0; t < count; t++) {
        const float *in = layer->in + window_start(layer, first + t) + block * plane;
        float *out = block_out + t * VGG_BLOCK;

        for (size_t ky = 0; ky < kernel; ky++)
            for (size_t kx = 0; kx < kernel; kx++, out += stride)
                _mm256_store_ps(out, _mm256_load_ps(in + ky * row + kx * VGG_BLOCK));
    }
}

/* ---------------------------------------------------------------- storing -------------------- */

/* Bias, ReLU and store of output block `block` of positions [first, first + count). */
VGG_AVX2 static void store_block(const struct layer *layer, size_t block, size_t first,
                                 size_t count, const float *c)
{
    const struct vgg_blocked *map = &layer->out_map;
    const float *product = c + block / 2 * layer->block * VGG_PANEL + block % 2 * VGG_BLOCK;
    float bias[VGG_BLOCK] = {0};
    __m256 zero = _mm256_setzero_ps(), b;

    for (size_t i = 0; i < VGG_BLOCK && block * VGG_BLOCK + i < layer->conv->out; i++)
        bias[i] = layer->bias[block * VGG_BLOCK + i];
    b = _mm256_loadu_ps(bias);
    for (size_t t = 0; t < count; t++) {
        size_t position = first + t;
        size_t x = position % map->w, y = position / map->w % map->h,
               n = position / map->w / map->h;
        __m256 sum = _mm256_add_ps(_mm256_load_ps(product + t * VGG_PANEL), b);

        if (layer->conv->relu)
            sum = _mm256_max_ps(zero, sum);
        _mm256_store_ps(layer->out + vgg_blocked_at(map, n, block, y, x), sum);
    }
}

/* ---------------------------------------------------------------- the layer ------------------ */

static void multiply(const struct layer *layer, size_t panel, size_t panels, size_t count,
                     const float *a, float *c)
{
    size_t floats = layer->depth8 * VGG_BLOCK * VGG_PANEL;

    vgg_avx2_gemm(a, layer->block, count, layer->packed + panel * floats, floats, layer->depth8,
                  panels, c + panel * layer->block * VGG_PANEL, layer->block * VGG_PANEL);
}

/* Item: one block of positions, done by one thread in its own scratch. */
static void local_item(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;
    size_t first = item * layer->block,
           count = vgg_min_size(layer->block, layer->positions - first);
    float *a = layer->scratch + thread * (a_floats(layer) + c_floats(layer));
    float *c = a + a_floats(layer);

    if (is_narrow(layer->conv))
        gather_narrow(layer, first, count, a);
    else
        for (size_t block = 0; block < layer->in_map.c8; block++)
            gather_block(layer, block, first, count, a);
    multiply(layer, 0, layer->panels, count, a, c);
    for (size_t block = 0; block < layer->out_map.c8; block++)
        store_block(layer, block, first, count, c);
}

/* Items: blocks of input channels (or one for all, where they are few). */
static void shared_gather(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;

    (void)thread;
    if (is_narrow(layer->conv))
        gather_narrow(layer, layer->first, layer->count, layer->scratch);
    else
        gather_block(layer, item, layer->first, layer->count, layer->scratch);
}

/* Items: some panels, multiplied and stored. */
static void shared_multiply(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;
    size_t panel = item * PANELS_AT_A_TIME;
    size_t panels = vgg_min_size(PANELS_AT_A_TIME, layer->panels - panel);
    float *c = layer->scratch + a_floats(layer);

    (void)thread;
    multiply(layer, panel, panels, layer->count, layer->scratch, c);
    for (size_t block = 2 * panel; block < vgg_min_size(2 * (panel + panels), layer->out_map.c8);
         block++)
        store_block(layer, block, layer->first, layer->count, c);
}

void vgg_direct_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                     const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                     float *scratch)
{
    struct layer layer = layer_of(conv, in_shape);
    struct vgg_shape out_shape = {in_shape.n, conv->out, (uint32_t)layer.out_map.h,
                                  (uint32_t)layer.out_map.w};

    layer.packed = packed;
    layer.bias = bias;
    layer.in = in;
    layer.out = out;
    layer.scratch = scratch;
    vgg_blocked_clear_frame(pool, out_shape, out);
    if (!is_shared(conv)) {
        vgg_pool_run(pool, local_item, &layer, vgg_ceil_div(layer.positions, layer.block));
        return;
    }
    for (layer.first = 0; layer.first < layer.positions; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.positions - layer.first);
        vgg_pool_run(pool, shared_gather, &layer, is_narrow(conv) ? 1 : layer.in_map.c8);
        vgg_pool_run(pool, shared_multiply, &layer, vgg_ceil_div(layer.panels, PANELS_AT_A_TIME));
    }
}

#endif
