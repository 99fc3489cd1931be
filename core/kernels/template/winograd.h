/*
 * Template: 3x3 convolutions by Winograd's minimal filtering F(m x m, 3x3) (Lavin and Gray, arXiv
 * 1509.09308), m = 4 or 6. A tile d of n = m + 2 squared inputs gives m squared outputs,
 *
 *     y = A' [(G g G') . (B' d B)] A,
 *
 * so a layer is n * n matrix products of tiles by channels. For a block of tiles: transform the
 * input into v[n * n][depth][tiles][LANES], multiply by u[n * n][panel][in][PANEL] into
 * m[n * n][panel][tiles][PANEL], and transform that into the output, with bias, ReLU and max-pool
 * on the way.
 */

enum {
    IN_MAX = VGG_WINOGRAD_TILE_MAX + 2,
    LOCAL_TILES_MIN = ROWS_MAX * 2,
    SHARED_TILES_MAX = ROWS_MAX * 16,
    RUNS = 8 /* of panels, for each of the threads that share a product */
};

/* ---------------------------------------------------------------- geometry ------------------- */

struct winograd {
    const struct vgg_conv *conv;
    const float *packed, *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t tile, points;            /* m and n * n */
    size_t tiles_y, tiles_x, tiles; /* of all views */
    size_t depth, panels;
    size_t block;        /* tiles of one block */
    size_t first, count; /* the block under way, where the threads share it, */
    size_t run;          /* and the panels that one takes at a time */
    float *scratch;
};

static struct winograd winograd_of(const struct vgg_conv *conv, struct vgg_shape in, size_t tile)
{
    struct winograd layer = {
        .conv = conv,
        .in_map = vgg_blocked_of(in, LANES),
        .out_map = vgg_blocked_of(vgg_conv_output(conv, in), LANES),
        .tile = tile,
        .points = (tile + 2) * (tile + 2),
        .tiles_y = vgg_ceil_div(in.h, tile),
        .tiles_x = vgg_ceil_div(in.w, tile),
        .depth = vgg_ceil_div(conv->in, LANES),
        .panels = vgg_ceil_div(conv->out, PANEL),
    };

    layer.tiles = in.n * layer.tiles_y * layer.tiles_x;
    return layer;
}

/*
 * Floats from one product of a block to the next: an odd number of cache lines, so that a tile's
 * products lie in different sets of the caches.
 */
static size_t odd_lines(size_t floats)
{
    return (vgg_ceil_div(floats, LINE_BYTES / sizeof(float)) | 1) * (LINE_BYTES / sizeof(float));
}

static size_t v_stride(const struct winograd *layer)
{
    return odd_lines(layer->depth * layer->block * LANES);
}

static size_t m_stride(const struct winograd *layer)
{
    return odd_lines(layer->panels * layer->block * PANEL);
}

/* Floats of v and m of one block. */
static size_t winograd_scratch(const struct winograd *layer)
{
    return layer->points * (v_stride(layer) + m_stride(layer));
}

static size_t panel_floats(const struct winograd *layer)
{
    return layer->depth * LANES * PANEL;
}

static size_t winograd_weights_bytes(const struct vgg_conv *conv, size_t tile)
{
    struct winograd layer = winograd_of(conv, (struct vgg_shape){1, conv->in, 1, 1}, tile);

    return layer.points * layer.panels * panel_floats(&layer) * sizeof(float);
}

static bool is_winograd_shared(const struct winograd *layer)
{
    return winograd_weights_bytes(layer->conv, layer->tile) > WINOGRAD_SHARED_BYTES;
}

/* Tiles that a block may have. */
static size_t block_tiles_max(const struct winograd *layer)
{
    size_t tile_bytes =
        layer->points * (layer->depth * LANES + layer->panels * PANEL) * sizeof(float);
    size_t fit = WINOGRAD_LOCAL_BYTES / tile_bytes;

    if (is_winograd_shared(layer))
        return SHARED_TILES_MAX;
    return fit > LOCAL_TILES_MIN ? fit : LOCAL_TILES_MIN;
}

/* Tiles of a block: as many blocks as are needed, of nearly equal size. */
static void choose_block(struct winograd *layer)
{
    layer->block = vgg_ceil_div(layer->tiles, vgg_ceil_div(layer->tiles, block_tiles_max(layer)));
}

/* For the largest block, so that a larger map never needs less. */
static size_t winograd_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, size_t tile,
                                     unsigned threads)
{
    struct winograd layer = winograd_of(conv, in, tile);

    layer.block = vgg_min_size(layer.tiles, block_tiles_max(&layer));
    return winograd_scratch(&layer) * sizeof(float) * (is_winograd_shared(&layer) ? 1 : threads);
}

/* ---------------------------------------------------------------- input transform ------------ */

/*
 * out = B' d: a product with the polynomial that vanishes at all points but one. For the pair of
 * points +-p the even and the odd part are shared.
 */
TARGET ALWAYS_INLINE void input_pair(const vec even, const vec odd, const double p, vec *plus,
                                     vec *minus)
{
    *plus = vec_fma(vec_set((float)p), odd, even);
    *minus = vec_fnma(vec_set((float)p), odd, even);
}

TARGET ALWAYS_INLINE void input_row_4(const vec d[6], vec out[6])
{
    const double a2 = VGG_F4_A * VGG_F4_A, b2 = VGG_F4_B * VGG_F4_B;
    const vec product = vec_set((float)(a2 * b2)), sum = vec_set((float)(a2 + b2));
    const vec va2 = vec_set((float)a2), vb2 = vec_set((float)b2);

    out[0] = vec_fma(product, d[0], vec_fnma(sum, d[2], d[4]));
    input_pair(vec_fnma(vb2, d[2], d[4]), vec_fnma(vb2, d[1], d[3]), VGG_F4_A, &out[1], &out[2]);
    input_pair(vec_fnma(va2, d[2], d[4]), vec_fnma(va2, d[1], d[3]), VGG_F4_B, &out[3], &out[4]);
    out[5] = vec_fma(product, d[1], vec_fnma(sum, d[3], d[5]));
}

/* x4 - (q2 + r2) x2 + q2 r2 x0 */
TARGET ALWAYS_INLINE vec quartic(const vec x0, const vec x2, const vec x4, const double q2,
                                 const double r2)
{
    return vec_fma(vec_set((float)(q2 * r2)), x0, vec_fnma(vec_set((float)(q2 + r2)), x2, x4));
}

TARGET ALWAYS_INLINE void input_row_6(const vec d[8], vec out[8])
{
    const double a2 = VGG_F6_A * VGG_F6_A, b2 = VGG_F6_B * VGG_F6_B, c2 = VGG_F6_C * VGG_F6_C;
    const vec p0 = vec_set((float)(a2 * b2 * c2)), p1 = vec_set((float)(a2 * b2 + (a2 + b2) * c2)),
              p2 = vec_set((float)(a2 + b2 + c2));

    out[0] = vec_fnma(p0, d[0], vec_fma(p1, d[2], vec_fnma(p2, d[4], d[6])));
    input_pair(quartic(d[2], d[4], d[6], b2, c2), quartic(d[1], d[3], d[5], b2, c2), VGG_F6_A,
               &out[1], &out[2]);
    input_pair(quartic(d[2], d[4], d[6], a2, c2), quartic(d[1], d[3], d[5], a2, c2), VGG_F6_B,
               &out[3], &out[4]);
    input_pair(quartic(d[2], d[4], d[6], a2, b2), quartic(d[1], d[3], d[5], a2, b2), VGG_F6_C,
               &out[5], &out[6]);
    out[7] = vec_fnma(p0, d[1], vec_fma(p1, d[3], vec_fnma(p2, d[5], d[7])));
}

TARGET ALWAYS_INLINE void input_row(const size_t tile, const vec *d, vec *out)
{
    if (tile == 4)
        input_row_4(d, out);
    else
        input_row_6(d, out);
}

/* One tile of one block of channels, its rows `row` floats apart; its products go v_stride apart.
 */
TARGET ALWAYS_INLINE void input_tile(const size_t tile, const float *in, size_t row, float *v,
                                     size_t stride)
{
    const size_t n = tile + 2;
    vec columns[IN_MAX][IN_MAX]; /* [j][i]: column j transformed */

    UNROLL for (size_t j = 0; j < n; j++)
    {
        vec d[IN_MAX];

        UNROLL for (size_t i = 0; i < n; i++)
        {
            d[i] = vec_load(in + i * row + j * LANES);
        }
        input_row(tile, d, columns[j]);
    }
    UNROLL for (size_t i = 0; i < n; i++)
    {
        vec d[IN_MAX], out[IN_MAX];

        UNROLL for (size_t j = 0; j < n; j++)
        {
            d[j] = columns[j][i];
        }
        input_row(tile, d, out);
        UNROLL for (size_t j = 0; j < n; j++)
        {
            vec_store(v + (i * n + j) * stride, out[j]);
        }
    }
}

TARGET static void input_tile_4(const float *in, size_t row, float *v, size_t stride)
{
    input_tile(4, in, row, v, stride);
}

TARGET static void input_tile_6(const float *in, size_t row, float *v, size_t stride)
{
    input_tile(6, in, row, v, stride);
}

/* Where a tile of the layer lies. */
struct place {
    size_t n, y, x; /* of its first output pixel, before pooling */
};

static struct place place_of(size_t tile, size_t tiles_y, size_t tiles_x, size_t side)
{
    size_t row = tile / tiles_x;

    return (struct place){row / tiles_y, row % tiles_y * side, tile % tiles_x * side};
}

/* Block `block` of channels of tiles [first, first + count) into v. */
TARGET static void transform_input(const struct winograd *layer, size_t block, size_t first,
                                   size_t count, float *v)
{
    const struct vgg_blocked *map = &layer->in_map;
    size_t stride = v_stride(layer), row = map->wp * LANES;

    for (size_t t = 0; t < count; t++) {
        struct place place = place_of(first + t, layer->tiles_y, layer->tiles_x, layer->tile);
        /* The tile begins one pixel before its outputs, in the frame at the picture's edge. */
        const float *in =
            layer->in + vgg_blocked_at(map, place.n, block, place.y, place.x) - row - LANES;

        (layer->tile == 4 ? input_tile_4
                          : input_tile_6)(in, row, v + (block * layer->block + t) * LANES, stride);
    }
}

/* ---------------------------------------------------------------- output transform ----------- */

/* out = A' m: powers of the points. */
TARGET ALWAYS_INLINE void output_row_4(const vec m[6], vec out[4])
{
    const double a = VGG_F4_A, b = VGG_F4_B;
    const vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    const vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);

    out[0] = vec_add(m[0], vec_add(sum_a, sum_b));
    out[1] = vec_fma(vec_set((float)a), difference_a, vec_mul(vec_set((float)b), difference_b));
    out[2] = vec_fma(vec_set((float)(a * a)), sum_a, vec_mul(vec_set((float)(b * b)), sum_b));
    out[3] = vec_fma(vec_set((float)(a * a * a)), difference_a,
                     vec_fma(vec_set((float)(b * b * b)), difference_b, m[5]));
}

/* pa x + pb y + pc z, of which pc z is given */
TARGET ALWAYS_INLINE vec combine(const double pa, const vec x, const double pb, const vec y,
                                 const vec rest)
{
    return vec_fma(vec_set((float)pa), x, vec_fma(vec_set((float)pb), y, rest));
}

TARGET ALWAYS_INLINE void output_row_6(const vec m[8], vec out[6])
{
    const double a = VGG_F6_A, b = VGG_F6_B, c = VGG_F6_C;
    const double a2 = a * a, b2 = b * b, c2 = c * c;
    const vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    const vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);
    const vec sum_c = vec_add(m[5], m[6]), difference_c = vec_sub(m[5], m[6]);

    out[0] = vec_add(vec_add(m[0], sum_a), vec_add(sum_b, sum_c));
    out[1] = combine(a, difference_a, b, difference_b, vec_mul(vec_set((float)c), difference_c));
    out[2] = combine(a2, sum_a, b2, sum_b, vec_mul(vec_set((float)c2), sum_c));
    out[3] = combine(a2 * a, difference_a, b2 * b, difference_b,
                     vec_mul(vec_set((float)(c2 * c)), difference_c));
    out[4] = combine(a2 * a2, sum_a, b2 * b2, sum_b, vec_mul(vec_set((float)(c2 * c2)), sum_c));
    out[5] = combine(a2 * a2 * a, difference_a, b2 * b2 * b, difference_b,
                     vec_fma(vec_set((float)(c2 * c2 * c)), difference_c, m[7]));
}

/* The first two powers of the points of output_row_6. */
TARGET ALWAYS_INLINE void output_row_2(const vec m[8], vec out[2])
{
    vec sums = vec_add(vec_add(m[1], m[2]), vec_add(m[3], m[4]));

    out[0] = vec_add(vec_add(m[0], sums), vec_add(m[5], m[6]));
    out[1] = combine(VGG_F6_A, vec_sub(m[1], m[2]), VGG_F6_B, vec_sub(m[3], m[4]),
                     vec_fma(vec_set((float)VGG_F6_C), vec_sub(m[5], m[6]), m[7]));
}

TARGET ALWAYS_INLINE void output_row(const size_t tile, const vec *m, vec *out)
{
    if (tile == 2)
        output_row_2(m, out);
    else if (tile == 4)
        output_row_4(m, out);
    else
        output_row_6(m, out);
}

/* Where a tile of outputs goes, and how much of it lies within the map. */
struct window {
    float *out;
    size_t row; /* floats */
    size_t rows, columns;
};

/* Store side x side vectors, whole or the part that lies within the map. */
TARGET ALWAYS_INLINE void store_tile(const vec *y, const size_t side, const struct window *to)
{
    if (to->rows >= side && to->columns >= side) {
        UNROLL for (size_t i = 0; i < side * side; i++)
        {
            vec_store(to->out + i / side * to->row + i % side * LANES, y[i]);
        }
        return;
    }
    for (size_t i = 0; i < side && i < to->rows; i++)
        for (size_t j = 0; j < side && j < to->columns; j++)
            vec_store(to->out + i * to->row + j * LANES, y[i * side + j]);
}

/* One tile of one block of output channels: bias, ReLU, pool, store. */
TARGET ALWAYS_INLINE void output_tile(const size_t tile, const bool pool, const float *m,
                                      size_t stride, const vec bias, const vec floor,
                                      const struct window *to)
{
    const size_t n = tile == 4 ? 6 : 8, half = tile / 2;
    vec columns[IN_MAX][VGG_WINOGRAD_TILE_MAX]; /* [j][i]: column j transformed */
    vec y[VGG_WINOGRAD_TILE_MAX * VGG_WINOGRAD_TILE_MAX];

    UNROLL for (size_t j = 0; j < n; j++)
    {
        vec column[IN_MAX];

        UNROLL for (size_t i = 0; i < n; i++)
        {
            column[i] = vec_load(m + (i * n + j) * stride);
        }
        output_row(tile, column, columns[j]);
    }
    UNROLL for (size_t i = 0; i < tile; i++)
    {
        vec row[IN_MAX];

        UNROLL for (size_t j = 0; j < n; j++)
        {
            row[j] = columns[j][i];
        }
        output_row(tile, row, y + i * tile);
        UNROLL for (size_t j = 0; j < tile; j++)
        {
            y[i * tile + j] = vec_max(floor, vec_add(y[i * tile + j], bias));
        }
    }
    if (!pool) {
        store_tile(y, tile, to);
        return;
    }
    UNROLL for (size_t i = 0; i < half * half; i++)
    {
        const vec *corner = y + i / half * 2 * tile + i % half * 2;

        y[i] = vec_max(vec_max(corner[0], corner[1]), vec_max(corner[tile], corner[tile + 1]));
    }
    store_tile(y, half, to);
}

typedef void output_tile_fn(const float *m, size_t stride, const vec bias, const vec floor,
                            const struct window *to);

#define OUTPUT_TILE(name, tile, pool)                                                              \
    TARGET static void name(const float *m, size_t stride, const vec bias, const vec floor,        \
                            const struct window *to)                                               \
    {                                                                                              \
        output_tile(tile, pool, m, stride, bias, floor, to);                                       \
    }
OUTPUT_TILE(output_tile_4, 4, false)
OUTPUT_TILE(output_tile_4_pool, 4, true)
OUTPUT_TILE(output_tile_6, 6, false)
OUTPUT_TILE(output_tile_6_pool, 6, true)

/* Block `block` of output channels of tiles [first, first + count). */
TARGET static void transform_output(const struct winograd *layer, size_t block, size_t first,
                                    size_t count, const float *m)
{
    static output_tile_fn *const functions[2][2] = {{output_tile_4, output_tile_4_pool},
                                                    {output_tile_6, output_tile_6_pool}};
    const struct vgg_blocked *map = &layer->out_map;
    bool pool = layer->conv->pool;
    output_tile_fn *function = functions[layer->tile == 6][pool];
    size_t stride = m_stride(layer), panel = block / PANEL_VECTORS;
    const float *from = m + panel * layer->block * PANEL + block % PANEL_VECTORS * LANES;
    vec bias = load_bias(layer->conv, layer->bias, block), floor = relu_floor(layer->conv);

    for (size_t t = 0; t < count; t++) {
        struct place place = place_of(first + t, layer->tiles_y, layer->tiles_x, layer->tile);
        size_t y = pool ? place.y / 2 : place.y, x = pool ? place.x / 2 : place.x;
        struct window to = {
            .out = layer->out + vgg_blocked_at(map, place.n, block, y, x),
            .row = map->wp * LANES,
            .rows = y < map->h ? map->h - y : 0,
            .columns = x < map->w ? map->w - x : 0,
        };

        function(from + t * PANEL, stride, bias, floor, &to);
    }
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* Some panels of one point; those of the next one, or of the rest of this, come after them. */
static void multiply_point(const struct winograd *layer, size_t point, size_t panel, size_t panels,
                           size_t count, const float *v, float *m)
{
    size_t floats = panel_floats(layer), at = point * layer->panels + panel;
    const struct product product = {
        .a = v + point * v_stride(layer),
        .a_rows = layer->block,
        .rows = count,
        .b = layer->packed + at * floats,
        .b_stride = floats,
        .depth = layer->depth,
        .panels = panels,
        .c = m + point * m_stride(layer) + panel * layer->block * PANEL,
        .c_stride = layer->block * PANEL,
        .next = at + panels < layer->points * layer->panels ? layer->packed + (at + panels) * floats
                                                            : NULL,
    };

    gemm(&product);
}

static float *m_of(const struct winograd *layer, float *v)
{
    return v + layer->points * v_stride(layer);
}

/* Item: one block of tiles, done by one thread in its own scratch. */
static void winograd_local_item(void *context, size_t item, unsigned thread)
{
    const struct winograd *layer = context;
    size_t first = item * layer->block, count = vgg_min_size(layer->block, layer->tiles - first);
    float *v = layer->scratch + thread * winograd_scratch(layer), *m = m_of(layer, v);

    for (size_t block = 0; block < layer->depth; block++)
        transform_input(layer, block, first, count, v);
    for (size_t point = 0; point < layer->points; point++)
        multiply_point(layer, point, 0, layer->panels, count, v, m);
    for (size_t block = 0; block < layer->out_map.blocks; block++)
        transform_output(layer, block, first, count, m);
}

/* Items: blocks of input channels. */
static void winograd_shared_input(void *context, size_t item, unsigned thread)
{
    const struct winograd *layer = context;

    (void)thread;
    transform_input(layer, item, layer->first, layer->count, layer->scratch);
}

/*
 * Panels that a thread takes at a time: those of some points, or a part of one's. They lie behind
 * each other, so that each can ask for the next one's weights.
 */
static size_t run_of(const struct winograd *layer, unsigned threads)
{
    size_t run = vgg_ceil_div(layer->points * layer->panels, (size_t)RUNS * threads);

    return run >= layer->panels ? run / layer->panels * layer->panels
                                : vgg_ceil_div(layer->panels, vgg_ceil_div(layer->panels, run));
}

/* Items: runs of panels. */
static void winograd_shared_multiply(void *context, size_t item, unsigned thread)
{
    const struct winograd *layer = context;
    size_t all = layer->points * layer->panels, at = item * layer->run;
    size_t end = vgg_min_size(at + layer->run, all);

    (void)thread;
    while (at < end) {
        size_t panel = at % layer->panels, panels = vgg_min_size(layer->panels - panel, end - at);

        multiply_point(layer, at / layer->panels, panel, panels, layer->count, layer->scratch,
                       m_of(layer, layer->scratch));
        at += panels;
    }
}

/* Items: blocks of output channels. */
static void winograd_shared_output(void *context, size_t item, unsigned thread)
{
    const struct winograd *layer = context;

    (void)thread;
    transform_output(layer, item, layer->first, layer->count, m_of(layer, layer->scratch));
}

static void winograd_conv(struct vgg_team *team, const struct vgg_conv *conv, size_t tile,
                          const float *packed, const float *bias, const float *in,
                          struct vgg_shape in_shape, float *out, float *scratch)
{
    struct winograd layer = winograd_of(conv, in_shape, tile);

    layer.packed = packed;
    layer.bias = bias;
    layer.in = in;
    layer.out = out;
    layer.scratch = scratch;
    choose_block(&layer);
    vgg_blocked_clear_frame(team, vgg_conv_output(conv, in_shape), LANES, out);
    if (!is_winograd_shared(&layer)) {
        vgg_team_run(team, winograd_local_item, &layer, vgg_ceil_div(layer.tiles, layer.block));
        return;
    }
    layer.run = run_of(&layer, vgg_team_threads(team));
    for (layer.first = 0; layer.first < layer.tiles; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.tiles - layer.first);
        vgg_team_run(team, winograd_shared_input, &layer, layer.depth);
        vgg_team_run(team, winograd_shared_multiply, &layer,
                     vgg_ceil_div(layer.points * layer.panels, layer.run));
        vgg_team_run(team, winograd_shared_output, &layer, layer.out_map.blocks);
    }
}
