/*
 * 3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308).
 *
 * Points 0, +-3/4, +-3/2 and infinity: a relative error of 1.4e-6 where the usual 0, +-1, +-2 give
 * 3.3e-6. A 6x6 tile d of the input gives a 4x4 tile of the output,
 *
 *     y = A' [(G g G') . (B' d B)] A,
 *
 * so a layer is 36 matrix products of tiles by channels. For a block of tiles: transform the input
 * into v[36][in8][tiles][8], multiply by u[36][panel][in][16] into m[36][panel][tiles][16], and
 * transform that into the output, with bias, ReLU and max-pool on the way.
 */
#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#include "kernels/avx2.h"

enum {
    IN = 6,                  /* side of an input tile */
    POINTS = IN * IN,        /* products */
    LOCAL_BYTES = 768 << 10, /* v and m of a block that one thread does alone: about its L2 */
    LOCAL_TILES_MIN = 24,
    SHARED_WEIGHTS_BYTES = 12 << 20, /* above it, threads share each pass over the weights */
    SHARED_TILES_MAX = 112
};

/* The points and what is made of them. */
#define PA 0.75
#define PB 1.5
#define PA2 (PA * PA)
#define PB2 (PB * PB)

/* ---------------------------------------------------------------- geometry ------------------- */

struct layer {
    const struct vgg_conv *conv;
    const float *packed, *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t tiles_y, tiles_x, tiles; /* of all views */
    size_t depth8, panels;
    size_t block;        /* tiles of one block */
    size_t first, count; /* the block under way, where the threads share it */
    float *scratch;
};

static struct layer layer_of(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct layer layer = {
        .conv = conv,
        .in_map = vgg_blocked_of(in),
        .out_map = vgg_blocked_of(vgg_conv_output(conv, in)),
        .tiles_y = vgg_ceil_div(in.h, VGG_TILE),
        .tiles_x = vgg_ceil_div(in.w, VGG_TILE),
        .depth8 = vgg_ceil_div(conv->in, VGG_BLOCK),
        .panels = vgg_ceil_div(conv->out, VGG_PANEL),
    };

    layer.tiles = in.n * layer.tiles_y * layer.tiles_x;
    return layer;
}

static size_t panel_floats(const struct layer *layer)
{
    return layer->depth8 * VGG_BLOCK * VGG_PANEL;
}

size_t vgg_winograd_weights_bytes(const struct vgg_conv *conv)
{
    struct layer layer = layer_of(conv, (struct vgg_shape){1, conv->in, 1, 1});

    return POINTS * layer.panels * panel_floats(&layer) * sizeof(float);
}

/* Floats of v and of m for one tile. */
static size_t v_floats(const struct layer *layer)
{
    return POINTS * layer->depth8 * VGG_BLOCK;
}

static size_t m_floats(const struct layer *layer)
{
    return POINTS * layer->panels * VGG_PANEL;
}

static bool is_shared(const struct layer *layer)
{
    return vgg_winograd_weights_bytes(layer->conv) > SHARED_WEIGHTS_BYTES;
}

/* Tiles that a block may have. */
static size_t block_tiles_max(const struct layer *layer)
{
    size_t fit = LOCAL_BYTES / sizeof(float) / (v_floats(layer) + m_floats(layer));

    if (is_shared(layer))
        return SHARED_TILES_MAX;
    return fit > LOCAL_TILES_MIN ? fit : LOCAL_TILES_MIN;
}

/* Tiles of a block: as many blocks as are needed, of nearly equal size. */
static size_t block_tiles(const struct layer *layer)
{
    return vgg_ceil_div(layer->tiles, vgg_ceil_div(layer->tiles, block_tiles_max(layer)));
}

/* For the largest block, so that a larger map never needs less. */
size_t vgg_winograd_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                  unsigned threads)
{
    struct layer layer = layer_of(conv, in);
    size_t bytes = vgg_min_size(layer.tiles, block_tiles_max(&layer)) *
                   (v_floats(&layer) + m_floats(&layer)) * sizeof(float);

    return is_shared(&layer) ? bytes : bytes * threads;
}

/* ---------------------------------------------------------------- weights -------------------- */

/* One row of G times three numbers; G[p] = (1, p, p^2) / product of p - q over the other points. */
static double filter_row(unsigned point, double g0, double g1, double g2)
{
    static const double scale_a = 1 / (2 * PA2 * (PA2 - PB2)),
                        scale_b = 1 / (2 * PB2 * (PB2 - PA2));

    switch (point) {
    case 0:
        return g0 / (PA2 * PB2);
    case 1:
        return (g0 + PA * g1 + PA2 * g2) * scale_a;
    case 2:
        return (g0 - PA * g1 + PA2 * g2) * scale_a;
    case 3:
        return (g0 + PB * g1 + PB2 * g2) * scale_b;
    case 4:
        return (g0 - PB * g1 + PB2 * g2) * scale_b;
    default:
        return g2;
    }
}

static void transform_filter(const float g[9], float u[POINTS])
{
    double columns[IN][3];

    for (unsigned i = 0; i < IN; i++)
        for (unsigned x = 0; x < 3; x++)
            columns[i][x] = filter_row(i, (double)g[x], (double)g[3 + x], (double)g[6 + x]);
    for (unsigned i = 0; i < IN; i++)
        for (unsigned j = 0; j < IN; j++)
            u[i * IN + j] = (float)filter_row(j, columns[i][0], columns[i][1], columns[i][2]);
}

void vgg_winograd_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                       const float *weights, float *packed)
{
    struct layer layer = layer_of(conv, (struct vgg_shape){1, conv->in, 1, 1});
    size_t panel = panel_floats(&layer);

    if (row == 0 && (conv->in % VGG_BLOCK != 0 || conv->out % VGG_PANEL != 0))
        memset(packed, 0, vgg_winograd_weights_bytes(conv));
    for (size_t c = 0; c < conv->in; c++)
        for (size_t r = 0; r < rows; r++) {
            float u[POINTS];
            float *out =
                packed + (row + r) / VGG_PANEL * panel + c * VGG_PANEL + (row + r) % VGG_PANEL;

            transform_filter(weights + (r * conv->in + c) * 9, u);
            for (size_t p = 0; p < POINTS; p++)
                out[p * layer.panels * panel] = u[p];
        }
}

/* ---------------------------------------------------------------- input transform ------------ */

/* out = B' d for six vectors. */
VGG_AVX2 static inline void transform_input_row(const __m256 d[IN], __m256 out[IN])
{
    const __m256 product = _mm256_set1_ps((float)(PA2 * PB2));
    const __m256 sum = _mm256_set1_ps((float)(PA2 + PB2));
    const __m256 a = _mm256_set1_ps((float)PA), b = _mm256_set1_ps((float)PB);
    const __m256 a2 = _mm256_set1_ps((float)PA2), b2 = _mm256_set1_ps((float)PB2);
    __m256 even_a = _mm256_fnmadd_ps(b2, d[2], d[4]);
    __m256 odd_a = _mm256_mul_ps(a, _mm256_fnmadd_ps(b2, d[1], d[3]));
    __m256 even_b = _mm256_fnmadd_ps(a2, d[2], d[4]);
    __m256 odd_b = _mm256_mul_ps(b, _mm256_fnmadd_ps(a2, d[1], d[3]));

    out[0] = _mm256_fmadd_ps(product, d[0], _mm256_fnmadd_ps(sum, d[2], d[4]));
    out[1] = _mm256_add_ps(even_a, odd_a);
    out[2] = _mm256_sub_ps(even_a, odd_a);
    out[3] = _mm256_add_ps(even_b, odd_b);
    out[4] = _mm256_sub_ps(even_b, odd_b);
    out[5] = _mm256_fmadd_ps(product, d[1], _mm256_fnmadd_ps(sum, d[3], d[5]));
}

/* One tile of one block of channels; v points at the tile in v[0], its products are v_stride apart.
 */
VGG_AVX2 static void transform_input_tile(const float *in, size_t row, float *v, size_t v_stride)
{
    __m256 columns[IN][IN]; /* [j][i]: column j transformed */

    for (size_t j = 0; j < IN; j++) {
        __m256 d[IN];

        for (size_t i = 0; i < IN; i++)
            d[i] = _mm256_load_ps(in + i * row + j * VGG_BLOCK);
        transform_input_row(d, columns[j]);
    }
    for (size_t i = 0; i < IN; i++) {
        __m256 d[IN], out[IN];

        for (size_t j = 0; j < IN; j++)
            d[j] = columns[j][i];
        transform_input_row(d, out);
        for (size_t j = 0; j < IN; j++)
            _mm256_store_ps(v + (i * IN + j) * v_stride, out[j]);
    }
}

/* Where a tile of the layer lies. */
struct place {
    size_t n, y, x; /* of its first output pixel, before pooling */
};

static struct place place_of(const struct layer *layer, size_t tile)
{
    size_t row = tile / layer->tiles_x;

    return (struct place){row / layer->tiles_y, row % layer->tiles_y * VGG_TILE,
                          tile % layer->tiles_x * VGG_TILE};
}

/* Block `block` of channels of tiles [first, first + count) into v[36][depth8][layer->block][8]. */
VGG_AVX2 static void transform_input(const struct layer *layer, size_t block, size_t first,
                                     size_t count, float *v)
{
    const struct vgg_blocked *map = &layer->in_map;
    size_t v_stride = layer->depth8 * layer->block * VGG_BLOCK;

    for (size_t t = 0; t < count; t++) {
        struct place place = place_of(layer, first + t);
        /* The tile begins one pixel before its outputs, in the frame at the picture's edge. */
        const float *in = layer->in + vgg_blocked_at(map, place.n, block, place.y, place.x) -
                          (map->wp + 1) * VGG_BLOCK;

        transform_input_tile(in, map->wp * VGG_BLOCK, v + (block * layer->block + t) * VGG_BLOCK,
                             v_stride);
    }
}

/* ---------------------------------------------------------------- output transform ----------- */

/* out = A' m for six vectors. */
VGG_AVX2 static inline void transform_output_row(const __m256 m[IN], __m256 out[VGG_TILE])
{
    const __m256 a = _mm256_set1_ps((float)PA), b = _mm256_set1_ps((float)PB);
    const __m256 a2 = _mm256_set1_ps((float)PA2), b2 = _mm256_set1_ps((float)PB2);
    const __m256 a3 = _mm256_set1_ps((float)(PA * PA2)), b3 = _mm256_set1_ps((float)(PB * PB2));
    __m256 sum_a = _mm256_add_ps(m[1], m[2]), difference_a = _mm256_sub_ps(m[1], m[2]);
    __m256 sum_b = _mm256_add_ps(m[3], m[4]), difference_b = _mm256_sub_ps(m[3], m[4]);

    out[0] = _mm256_add_ps(m[0], _mm256_add_ps(sum_a, sum_b));
    out[1] = _mm256_fmadd_ps(a, difference_a, _mm256_mul_ps(b, difference_b));
    out[2] = _mm256_fmadd_ps(a2, sum_a, _mm256_mul_ps(b2, sum_b));
    out[3] = _mm256_fmadd_ps(a3, difference_a, _mm256_fmadd_ps(b3, difference_b, m[5]));
}

/* y[4][4] of one tile for 8 channels, with bias and ReLU. */
VGG_AVX2 static inline void transform_output_tile(const float *m, size_t m_stride, __m256 bias,
                                                  bool relu, __m256 y[VGG_TILE][VGG_TILE])
{
    __m256 columns[IN][VGG_TILE]; /* [j][i]: column j transformed */

    for (size_t j = 0; j < IN; j++) {
        __m256 column[IN];

        for (size_t i = 0; i < IN; i++)
            column[i] = _mm256_load_ps(m + (i * IN + j) * m_stride);
        transform_output_row(column, columns[j]);
    }
    for (size_t i = 0; i < VGG_TILE; i++) {
        __m256 row[IN];

        for (size_t j = 0; j < IN; j++)
            row[j] = columns[j][i];
        transform_output_row(row, y[i]);
        for (size_t j = 0; j < VGG_TILE; j++) {
            y[i][j] = _mm256_add_ps(y[i][j], bias);
            if (relu)
                y[i][j] = _mm256_max_ps(_mm256_setzero_ps(), y[i][j]);
        }
    }
}

/* Store the part of side x side vectors at `out` that lies within rows x columns. */
VGG_AVX2 static inline void store_tile(const __m256 *y, size_t stride, size_t side, float *out,
                                       size_t row, size_t rows, size_t columns)
{
    for (size_t i = 0; i < side && i < rows; i++)
        for (size_t j = 0; j < side && j < columns; j++)
            _mm256_store_ps(out + i * row + j * VGG_BLOCK, y[i * stride + j]);
}

VGG_AVX2 static inline void pool_tile(__m256 y[VGG_TILE][VGG_TILE], __m256 pooled[4])
{
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 2; j++)
            pooled[2 * i + j] =
                _mm256_max_ps(_mm256_max_ps(y[2 * i][2 * j], y[2 * i][2 * j + 1]),
                              _mm256_max_ps(y[2 * i + 1][2 * j], y[2 * i + 1][2 * j + 1]));
}

static size_t left_from(size_t size, size_t from)
{
    return size > from ? size - from : 0;
}

/* Block `block` of output channels of tiles [first, first + count). */
VGG_AVX2 static void transform_output(const struct layer *layer, size_t block, size_t first,
                                      size_t count, const float *m)
{
    const struct vgg_blocked *map = &layer->out_map;
    size_t m_stride = layer->panels * layer->block * VGG_PANEL;
    size_t panel = block / 2, half = block % 2 * VGG_BLOCK;
    float bias[VGG_BLOCK] = {0};

    for (size_t i = 0; i < VGG_BLOCK && block * VGG_BLOCK + i < layer->conv->out; i++)
        bias[i] = layer->bias[block * VGG_BLOCK + i];
    for (size_t t = 0; t < count; t++) {
        struct place place = place_of(layer, first + t);
        __m256 y[VGG_TILE][VGG_TILE], pooled[4];

        transform_output_tile(m + (panel * layer->block + t) * VGG_PANEL + half, m_stride,
                              _mm256_loadu_ps(bias), layer->conv->relu, y);
        if (layer->conv->pool) {
            size_t py = place.y / 2, px = place.x / 2;

            pool_tile(y, pooled);
            store_tile(pooled, 2, 2, layer->out + vgg_blocked_at(map, place.n, block, py, px),
                       map->wp * VGG_BLOCK, left_from(map->h, py), left_from(map->w, px));
        } else
            store_tile(&y[0][0], VGG_TILE, VGG_TILE,
                       layer->out + vgg_blocked_at(map, place.n, block, place.y, place.x),
                       map->wp * VGG_BLOCK, map->h - place.y, map->w - place.x);
    }
}

/* ---------------------------------------------------------------- the layer ------------------ */

static void multiply(const struct layer *layer, size_t point, size_t panel, size_t panels,
                     size_t count, const float *v, float *m)
{
    size_t floats = panel_floats(layer);

    vgg_avx2_gemm(v + point * layer->depth8 * layer->block * VGG_BLOCK, layer->block, count,
                  layer->packed + (point * layer->panels + panel) * floats, floats, layer->depth8,
                  panels, m + (point * layer->panels + panel) * layer->block * VGG_PANEL,
                  layer->block * VGG_PANEL);
}

/* Item: one block of tiles, done by one thread in its own scratch. */
static void local_item(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;
    size_t first = item * layer->block, count = vgg_min_size(layer->block, layer->tiles - first);
    float *v = layer->scratch + thread * layer->block * (v_floats(layer) + m_floats(layer));
    float *m = v + layer->block * v_floats(layer);

    for (size_t block = 0; block < layer->depth8; block++)
        transform_input(layer, block, first, count, v);
    for (size_t point = 0; point < POINTS; point++)
        multiply(layer, point, 0, layer->panels, count, v, m);
    for (size_t block = 0; block < layer->out_map.c8; block++)
        transform_output(layer, block, first, count, m);
}

static float *shared_m(const struct layer *layer)
{
    return layer->scratch + layer->block * v_floats(layer);
}

/* Items: blocks of input channels. */
static void shared_input(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;

    (void)thread;
    transform_input(layer, item, layer->first, layer->count, layer->scratch);
}

enum { PANELS_AT_A_TIME = 8 };

/* Items: a point and some panels. */
static void shared_multiply(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;
    size_t groups = vgg_ceil_div(layer->panels, PANELS_AT_A_TIME);
    size_t panel = item % groups * PANELS_AT_A_TIME;

    (void)thread;
    multiply(layer, item / groups, panel, vgg_min_size(PANELS_AT_A_TIME, layer->panels - panel),
             layer->count, layer->scratch, shared_m(layer));
}

/* Items: blocks of output channels. */
static void shared_output(void *context, size_t item, unsigned thread)
{
    const struct layer *layer = context;

    (void)thread;
    transform_output(layer, item, layer->first, layer->count, shared_m(layer));
}

void vgg_winograd_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                       const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                       float *scratch)
{
    struct layer layer = layer_of(conv, in_shape);

    layer.packed = packed;
    layer.bias = bias;
    layer.in = in;
    layer.out = out;
    layer.scratch = scratch;
    layer.block = block_tiles(&layer);
    vgg_blocked_clear_frame(pool, vgg_conv_output(conv, in_shape), out);
    if (!is_shared(&layer)) {
        vgg_pool_run(pool, local_item, &layer, vgg_ceil_div(layer.tiles, layer.block));
        return;
    }
    for (layer.first = 0; layer.first < layer.tiles; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.tiles - layer.first);
        vgg_pool_run(pool, shared_input, &layer, layer.depth8);
        vgg_pool_run(pool, shared_multiply, &layer,
                     POINTS * vgg_ceil_div(layer.panels, PANELS_AT_A_TIME));
        vgg_pool_run(pool, shared_output, &layer, layer.out_map.c8);
    }
}

#endif
