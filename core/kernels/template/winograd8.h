/*
 * Template: F(4x4,3x3) in eight bits, see quads.h. A tile's vector over the input channels has a
 * scale at each point, found when the tile is transformed; weights have one for each point and
 * output channel. For a block of tiles: transform and round the input into v[36][quads][tiles];
 * then for each panel of output channels multiply all points by u[panel][36][quads][PANEL] into
 * m[36][tiles][PANEL], which stays in the second-level cache, and transform that.
 */

enum {
    TILE8 = 4,
    SIDE8 = TILE8 + 2,
    POINTS8 = SIDE8 * SIDE8,
    FACTORS8 = 48,             /* floats from a tile's factors to the next one's: whole lines */
    LOCAL8_BYTES = 768 << 10,  /* of v and m, of a block that one thread does alone */
    SHARED8_BYTES = 1 << 20,   /* of v, of a block that the threads share */
    SHARED8_WEIGHTS = 3 << 20, /* bytes from which they do */
    SHARED8_TILES_AT_A_TIME = 2,
    AHEAD8 = SIDE8 + TILE8
};

struct winograd8 {
    struct winograd base; /* its depth is in quads */
    struct columns columns;
};

/* ---------------------------------------------------------------- geometry ------------------- */

static struct winograd8 winograd8_of(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct winograd8 layer = {.base = winograd_of(conv, in, TILE8)};

    layer.base.depth = vgg_ceil_div(conv->in, QUAD_CHANNELS);
    return layer;
}

static size_t winograd8_columns(const struct winograd *base)
{
    return base->panels * POINTS8 * PANEL;
}

static size_t winograd8_weights_bytes(const struct vgg_conv *conv)
{
    struct winograd8 layer = winograd8_of(conv, (struct vgg_shape){1, conv->in, 1, 1});

    return layer.base.panels * POINTS8 * panel_floats(&layer.base) * sizeof(float) +
           columns_bytes(winograd8_columns(&layer.base));
}

static bool is_winograd8_shared(const struct winograd *base)
{
    return winograd8_weights_bytes(base->conv) > SHARED8_WEIGHTS;
}

/* Bytes of v and of m, for each tile. */
static size_t tile_v_bytes(const struct winograd *base)
{
    return POINTS8 * base->depth * QUAD_CHANNELS;
}

static size_t tile_m_bytes(void)
{
    return POINTS8 * PANEL * sizeof(float);
}

/* Tiles that a block may have. */
static size_t block8_max(const struct winograd *base)
{
    size_t fit = is_winograd8_shared(base) ? SHARED8_BYTES / tile_v_bytes(base)
                                           : LOCAL8_BYTES / (tile_v_bytes(base) + tile_m_bytes());

    return fit > LOCAL_TILES_MIN ? fit : LOCAL_TILES_MIN;
}

static size_t m8_stride(const struct winograd *base)
{
    return odd_lines(base->block * PANEL);
}

/* Floats of v and the rows' factors. */
static size_t winograd8_v_floats(const struct winograd *base)
{
    return POINTS8 * v_stride(base) + base->block * FACTORS8;
}

/* From a transformed tile's vectors at one point to those at the next one. */
static size_t x_stride(const struct winograd *base)
{
    return odd_lines(base->depth * QUAD_CHANNELS);
}

/* Floats of a tile of all channels, transformed, and of m. */
static size_t winograd8_own_floats(const struct winograd *base)
{
    return POINTS8 * (x_stride(base) + m8_stride(base));
}

/* For the largest block, so that a larger map never needs less. */
static size_t winograd8_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                      unsigned threads)
{
    struct winograd base = winograd8_of(conv, in).base;

    base.block = vgg_min_size(base.tiles, block8_max(&base));
    return (winograd8_v_floats(&base) * (is_winograd8_shared(&base) ? 1 : threads) +
            winograd8_own_floats(&base) * threads) *
           sizeof(float);
}

/* ---------------------------------------------------------------- the input ------------------ */

/* Transform a tile of all channels into x[36][blocks][LANES], points x_stride apart. */
TARGET static void transform_tile(const struct winograd *base, size_t tile, float *x)
{
    const struct vgg_blocked *map = &base->in_map;
    struct place place = place_of(tile, base->tiles_y, base->tiles_x, TILE8);
    size_t row = map->wp * LANES, stride = x_stride(base);
    const float *in = base->in + vgg_blocked_at(map, place.n, 0, place.y, place.x) - row - LANES;

    for (size_t block = 0; block < map->blocks; block++, in += vgg_blocked_plane(map)) {
        UNROLL for (size_t i = 0; i < SIDE8 * TILE8; i++)
        {
            __builtin_prefetch(in + i / TILE8 * row + (AHEAD8 + i % TILE8) * LANES);
        }
        input_tile_4(in, row, x + block * LANES, stride);
    }
    for (size_t point = 0; point < POINTS8; point++)
        for (size_t block = map->blocks; block < base->depth * QUAD; block++)
            vec_store(x + point * stride + block * LANES, vec_zero());
}

/* The scales of a transformed tile: what each point is multiplied by, and its sums. */
TARGET static void scale_tile(const struct winograd *base, const float *x, float *restrict inverse,
                              float *restrict factors)
{
    float largest[FACTORS8] __attribute__((aligned(LINE_BYTES)));
    vec magnitudes[FACTORS8];

    for (size_t point = 0; point < FACTORS8; point++) {
        const float *at = x + point * x_stride(base);
        vec magnitude = vec_zero();

        for (size_t i = 0; point < POINTS8 && i < base->depth * QUAD_CHANNELS; i += QUAD_CHANNELS)
            UNROLL for (size_t block = 0; block < QUAD; block++)
            {
                magnitude = vec_max_magnitude(magnitude, vec_load(at + i + block * LANES));
            }
        magnitudes[point] = magnitude;
    }
    for (size_t i = 0; i < FACTORS8; i += LANES)
        vec_store(largest + i, vec_largest_lanes(magnitudes + i));
    for (size_t i = 0; i < FACTORS8; i++)
        scale_of(largest[i], &inverse[i], &factors[i]);
}

/* Round a transformed tile into its places in v, which begin at `v`. */
TARGET static void round_tile(const struct winograd *base, const float *x, float *v, float *factors)
{
    float inverse[FACTORS8];
    size_t stride = v_stride(base);

    scale_tile(base, x, inverse, factors);
    for (size_t point = 0; point < POINTS8; point++) {
        const float *at = x + point * x_stride(base);
        float *to = v + point * stride;
        vec by = vec_set(inverse[point]);

        for (size_t i = 0; i < base->depth; i++, at += QUAD_CHANNELS, to += base->block * LANES) {
            const vec four[QUAD] = {vec_load(at), vec_load(at + LANES), vec_load(at + 2 * LANES),
                                    vec_load(at + 3 * LANES)};

            vec_store(to, quads_of(four, by));
        }
    }
}

/* Tile `tile` of the layer, tile t of its block. */
static void winograd8_input(const struct winograd *base, size_t tile, size_t t, float *v,
                            float *factors, float *own)
{
    transform_tile(base, tile, own);
    round_tile(base, own, v + t * LANES, factors + t * FACTORS8);
}

/* ---------------------------------------------------------------- the output ----------------- */

OUTPUT_TILE(output_tile_8, TILE8, false, by)
OUTPUT_TILE(output_tile_8_pool, TILE8, true, by)

/* All points of one panel. */
static void multiply_panel8(const struct winograd8 *layer, size_t panel, size_t count,
                            const float *v, float *m)
{
    const struct winograd *base = &layer->base;
    size_t floats = panel_floats(base);

    for (size_t point = 0; point < POINTS8; point++) {
        size_t at = panel * POINTS8 + point;
        const struct product product = {
            .a = v + point * v_stride(base),
            .a_rows = base->block,
            .rows = count,
            .b = base->packed + at * floats,
            .b_stride = floats,
            .kind = QUADS,
            .depth = base->depth,
            .panels = 1,
            .start = layer->columns.starts + at * PANEL,
            .c = m + point * m8_stride(base),
            .c_stride = m8_stride(base),
            .next = at + 1 < base->panels * POINTS8 ? base->packed + (at + 1) * floats : NULL,
        };

        gemm(&product);
    }
}

/* One panel of tiles [first, first + count). */
TARGET static void transform_panel8(const struct winograd8 *layer, size_t panel, size_t first,
                                    size_t count, const float *m, const float *factors)
{
    const struct winograd *base = &layer->base;
    const struct vgg_blocked *map = &base->out_map;
    output_tile_fn *function = base->conv->pool ? output_tile_8_pool : output_tile_8;
    const float *columns = layer->columns.factors + panel * POINTS8 * PANEL;
    size_t block = panel * PANEL_VECTORS,
           vectors = vgg_min_size(map->blocks - block, PANEL_VECTORS);
    vec bias[PANEL_VECTORS], floor = relu_floor(base->conv);

    for (size_t v = 0; v < vectors; v++)
        bias[v] = load_bias(base->conv, base->bias, block + v);
    for (size_t t = 0; t < count; t++) {
        struct window to = output_window(base, block, first + t);

        for (size_t v = 0; v < vectors; v++, to.out += vgg_blocked_plane(map)) {
            const struct factors by = {factors + t * FACTORS8, columns + v * LANES};

            function(m + t * PANEL + v * LANES, m8_stride(base), &by, bias[v], floor, &to);
        }
    }
}

static void winograd8_panel(const struct winograd8 *layer, size_t panel, size_t first, size_t count,
                            const float *v, const float *factors, float *own)
{
    float *m = own + POINTS8 * x_stride(&layer->base);

    multiply_panel8(layer, panel, count, v, m);
    transform_panel8(layer, panel, first, count, m, factors);
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* Item: one block of tiles, done by one thread in its own scratch. */
static void winograd8_local_item(void *context, size_t item, unsigned thread)
{
    const struct winograd8 *layer = context;
    const struct winograd *base = &layer->base;
    size_t first = item * base->block, count = vgg_min_size(base->block, base->tiles - first);
    float *v = base->scratch + thread * (winograd8_v_floats(base) + winograd8_own_floats(base));
    float *factors = v + POINTS8 * v_stride(base), *own = v + winograd8_v_floats(base);

    for (size_t t = 0; t < count; t++)
        winograd8_input(base, first + t, t, v, factors, own);
    for (size_t panel = 0; panel < base->panels; panel++)
        winograd8_panel(layer, panel, first, count, v, factors, own);
}

static float *own_of(const struct winograd *base, unsigned thread)
{
    return base->scratch + winograd8_v_floats(base) + thread * winograd8_own_floats(base);
}

/* Items: some tiles of the block under way. */
static void winograd8_shared_input(void *context, size_t item, unsigned thread)
{
    const struct winograd8 *layer = context;
    const struct winograd *base = &layer->base;
    size_t t = item * SHARED8_TILES_AT_A_TIME;
    size_t end = vgg_min_size(t + SHARED8_TILES_AT_A_TIME, base->count);

    for (; t < end; t++)
        winograd8_input(base, base->first + t, t, base->scratch,
                        base->scratch + POINTS8 * v_stride(base), own_of(base, thread));
}

/* Items: panels. */
static void winograd8_shared_panel(void *context, size_t item, unsigned thread)
{
    const struct winograd8 *layer = context;
    const struct winograd *base = &layer->base;

    winograd8_panel(layer, item, base->first, base->count, base->scratch,
                    base->scratch + POINTS8 * v_stride(base), own_of(base, thread));
}

static void winograd8_conv(struct vgg_team *team, const struct vgg_conv *conv, const float *packed,
                           const float *bias, const float *in, struct vgg_shape in_shape,
                           float *out, float *scratch)
{
    struct winograd8 layer = winograd8_of(conv, in_shape);
    struct winograd *base = &layer.base;

    base->packed = packed;
    base->bias = bias;
    base->in = in;
    base->out = out;
    base->scratch = scratch;
    base->block = vgg_ceil_div(base->tiles, vgg_ceil_div(base->tiles, block8_max(base)));
    layer.columns =
        columns_at(packed + base->panels * POINTS8 * panel_floats(base), winograd8_columns(base));
    vgg_blocked_clear_frame(team, vgg_conv_output(conv, in_shape), LANES, out);
    if (!is_winograd8_shared(base)) {
        vgg_team_run(team, winograd8_local_item, &layer, vgg_ceil_div(base->tiles, base->block));
        return;
    }
    for (base->first = 0; base->first < base->tiles; base->first += base->block) {
        base->count = vgg_min_size(base->block, base->tiles - base->first);
        vgg_team_run(team, winograd8_shared_input, &layer,
                     vgg_ceil_div(base->count, SHARED8_TILES_AT_A_TIME));
        vgg_team_run(team, winograd8_shared_panel, &layer, base->panels);
    }
}
