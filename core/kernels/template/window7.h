/*
 * Template: the first fully-connected layer of the published networks, a 7x7 convolution without
 * padding, on maps of many positions, as Winograd F(2x2, 7x7): a tile of 8x8 inputs gives 2x2
 * positions by 64 products instead of 196. Its points are those of F(6x6, 3x3), and so is the
 * transform of the input.
 *
 * Transformed filters would be a third larger than the filters, which fill more than half of the
 * memory already, so they are made on the way: of one panel and WINDOW7_TERMS input channels at a
 * time, from the direct convolution's packing, in the second-level cache.
 */

enum {
    WINDOW7_SIDE = 7,
    WINDOW7_TILE = 2, /* positions of a tile, each way */
    WINDOW7_IN = WINDOW7_SIDE + WINDOW7_TILE - 1,
    WINDOW7_POINTS = WINDOW7_IN * WINDOW7_IN,
    WINDOW7_BLOCKS = WINDOW7_TERMS / LANES,
    WINDOW7_POSITIONS_MIN = 32, /* of a view: fewer do not pay for the filters' transform */
    WINDOW7_TILES_MAX = 54,     /* of a block */
    WINDOW7_U_STRIDE = WINDOW7_TERMS * PANEL + LINE_BYTES / (int)sizeof(float)
};

struct window7 {
    struct direct direct;           /* layer, maps, weights */
    size_t tiles_y, tiles_x, tiles; /* tiles of all views */
    size_t block, first, count;     /* tiles of a block, and the block under way */
    float *v, *local;               /* v[64][depth][block][LANES]; u and m of each thread */
};

static bool is_window7(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct vgg_shape out = vgg_conv_output(conv, in);

    return conv->kernel == WINDOW7_SIDE && conv->pad == 0 && conv->in % WINDOW7_TERMS == 0 &&
           !conv->pool && !conv->lrn && out.h * out.w >= WINDOW7_POSITIONS_MIN;
}

static struct window7 window7_of(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct window7 layer = {.direct = direct_of(conv, in, kind_of(conv))};

    layer.tiles_y = vgg_ceil_div(layer.direct.out_map.h, WINDOW7_TILE);
    layer.tiles_x = vgg_ceil_div(layer.direct.out_map.w, WINDOW7_TILE);
    layer.tiles = in.n * layer.tiles_y * layer.tiles_x;
    return layer;
}

static size_t window7_v_stride(const struct window7 *layer)
{
    return odd_lines(layer->direct.in_map.blocks * layer->block * LANES);
}

static size_t window7_m_stride(const struct window7 *layer)
{
    return odd_lines(layer->block * PANEL);
}

static size_t window7_local_floats(const struct window7 *layer)
{
    return WINDOW7_POINTS * (WINDOW7_U_STRIDE + window7_m_stride(layer));
}

/* For the largest block, so that a larger map never needs less. */
static size_t window7_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                    unsigned threads)
{
    struct window7 layer = window7_of(conv, in);

    layer.block = vgg_min_size(layer.tiles, WINDOW7_TILES_MAX);
    return (WINDOW7_POINTS * window7_v_stride(&layer) + threads * window7_local_floats(&layer)) *
           sizeof(float);
}

/* ---------------------------------------------------------------- filters -------------------- */

/* A pair of rows of G: (1, p, ..., p^6) / scale at +-p. */
TARGET ALWAYS_INLINE void window7_pair(const vec g[WINDOW7_SIDE], const double p,
                                       const double scale, vec *plus, vec *minus)
{
    const double p2 = p * p, p4 = p2 * p2;
    vec even = vec_fma(vec_set((float)(p4 * p2 / scale)), g[6],
                       vec_fma(vec_set((float)(p4 / scale)), g[4],
                               vec_fma(vec_set((float)(p2 / scale)), g[2],
                                       vec_mul(vec_set((float)(1 / scale)), g[0]))));
    vec odd = vec_fma(vec_set((float)(p4 * p / scale)), g[5],
                      vec_fma(vec_set((float)(p2 * p / scale)), g[3],
                              vec_mul(vec_set((float)(p / scale)), g[1])));

    *plus = vec_add(even, odd);
    *minus = vec_sub(even, odd);
}

/* out = G g */
TARGET ALWAYS_INLINE void window7_filter_row(const vec g[WINDOW7_SIDE], vec out[WINDOW7_IN])
{
    const double a = VGG_F6_A, b = VGG_F6_B, c = VGG_F6_C;
    const double a2 = a * a, b2 = b * b, c2 = c * c;

    out[0] = vec_mul(vec_set((float)(-1 / (a2 * b2 * c2))), g[0]);
    window7_pair(g, a, 2 * a2 * (a2 - b2) * (a2 - c2), &out[1], &out[2]);
    window7_pair(g, b, 2 * b2 * (b2 - a2) * (b2 - c2), &out[3], &out[4]);
    window7_pair(g, c, 2 * c2 * (c2 - a2) * (c2 - b2), &out[5], &out[6]);
    out[7] = g[6];
}

/* The filters of one input channel for one vector of outputs; elements `stride` apart. */
TARGET ALWAYS_INLINE void window7_filter(const void *g, size_t stride, const enum kind kind,
                                         float *u)
{
    vec columns[WINDOW7_SIDE][WINDOW7_IN]; /* [x][i]: column x transformed */

    UNROLL for (size_t x = 0; x < WINDOW7_SIDE; x++)
    {
        vec column[WINDOW7_SIDE];

        UNROLL for (size_t y = 0; y < WINDOW7_SIDE; y++)
        {
            column[y] = load_weights(g, (y * WINDOW7_SIDE + x) * stride, kind);
        }
        window7_filter_row(column, columns[x]);
    }
    UNROLL for (size_t i = 0; i < WINDOW7_IN; i++)
    {
        vec row[WINDOW7_SIDE], out[WINDOW7_IN];

        UNROLL for (size_t x = 0; x < WINDOW7_SIDE; x++)
        {
            row[x] = columns[x][i];
        }
        window7_filter_row(row, out);
        UNROLL for (size_t j = 0; j < WINDOW7_IN; j++)
        {
            vec_store(u + (i * WINDOW7_IN + j) * WINDOW7_U_STRIDE, out[j]);
        }
    }
}

TARGET static void window7_filter_float(const void *g, float *u)
{
    window7_filter(g, LANES * PANEL, FLOATS, u);
}

TARGET static void window7_filter_half(const void *g, float *u)
{
    window7_filter(g, LANES * PANEL, HALVES, u);
}

/* Bytes of the packed filters of one input channel and one panel. */
static size_t window7_term_bytes(const struct direct *direct)
{
    return WINDOW7_SIDE * WINDOW7_SIDE * PANEL * weight_bytes(direct->kind);
}

/* Those of WINDOW7_TERMS channels, packed at `g`, into u. */
TARGET static void window7_filters(const struct direct *direct, const char *g, float *u)
{
    const size_t term_bytes = window7_term_bytes(direct), unit = weight_bytes(direct->kind);

    for (size_t term = 0; term < WINDOW7_TERMS; term++, g += term_bytes) {
        /* Of this block of channels; a filter's elements lie LANES terms apart. */
        const char *first = g - term % LANES * (term_bytes - PANEL * unit);

        for (size_t v = 0; v < PANEL_VECTORS; v++)
            (direct->kind == HALVES ? window7_filter_half : window7_filter_float)(
                first + v * LANES * unit, u + term * PANEL + v * LANES);
    }
}

/* ---------------------------------------------------------------- the layer ------------------ */

/* Of a tile of the block under way: its first position, and its first input. */
static struct place window7_place(const struct window7 *layer, size_t t)
{
    return place_of(layer->first + t, layer->tiles_y, layer->tiles_x, WINDOW7_TILE);
}

/* Item: one block of input channels. */
TARGET static void window7_input(void *context, size_t item, unsigned thread)
{
    const struct window7 *layer = context;
    const struct vgg_blocked *map = &layer->direct.in_map;

    (void)thread;
    for (size_t t = 0; t < layer->count; t++) {
        struct place place = window7_place(layer, t);
        const float *in = layer->direct.in + vgg_blocked_at(map, place.n, item, place.y, place.x);

        input_tile_6(in, map->wp * LANES, layer->v + (item * layer->block + t) * LANES,
                     window7_v_stride(layer));
    }
}

OUTPUT_TILE(output_tile_2, 2, false, NULL)

/* One block of output channels of the tiles of the block under way. */
TARGET static void window7_output(const struct window7 *layer, size_t block, const float *m)
{
    const struct direct *direct = &layer->direct;
    const struct vgg_blocked *map = &direct->out_map;
    size_t stride = window7_m_stride(layer);
    vec bias = load_bias(direct->conv, direct->bias, block), floor = relu_floor(direct->conv);

    for (size_t t = 0; t < layer->count; t++) {
        struct place place = window7_place(layer, t);
        const float *from = m + t * PANEL + block % PANEL_VECTORS * LANES;
        const struct window to = {
            .out = direct->out + vgg_blocked_at(map, place.n, block, place.y, place.x),
            .row = map->wp * LANES,
            .rows = map->h - place.y,
            .columns = map->w - place.x,
        };

        output_tile_2(from, stride, NULL, bias, floor, &to);
    }
}

/* Item: one panel. While some channels are multiplied, the filters of the next ones are asked for.
 */
static void window7_panel(void *context, size_t item, unsigned thread)
{
    const struct window7 *layer = context;
    const struct direct *direct = &layer->direct;
    const size_t filters_bytes = WINDOW7_TERMS * window7_term_bytes(direct);
    const size_t parts = direct->in_map.blocks / WINDOW7_BLOCKS;
    const char *g = (const char *)direct->packed + item * parts * filters_bytes;
    float *u = layer->local + thread * window7_local_floats(layer);
    float *m = u + WINDOW7_POINTS * WINDOW7_U_STRIDE;

    for (size_t part = 0; part < parts; part++) {
        const float *v = layer->v + part * WINDOW7_BLOCKS * layer->block * LANES;

        window7_filters(direct, g, u);
        g += filters_bytes;
        for (size_t point = 0; point < WINDOW7_POINTS; point++) {
            const struct product product = {
                .a = v + point * window7_v_stride(layer),
                .a_rows = layer->block,
                .rows = layer->count,
                .b = u + point * WINDOW7_U_STRIDE,
                .depth = WINDOW7_BLOCKS,
                .panels = 1,
                .c = m + point * window7_m_stride(layer),
                .add = part != 0,
                .next = g + filters_bytes / WINDOW7_POINTS * point,
            };

            gemm(&product);
        }
    }
    for (size_t block = item * PANEL_VECTORS;
         block < vgg_min_size((item + 1) * PANEL_VECTORS, direct->out_map.blocks); block++)
        window7_output(layer, block, m);
}

static void window7_conv(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                         const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                         float *scratch)
{
    struct window7 layer = window7_of(conv, in_shape);
    struct direct *direct = &layer.direct;

    direct->packed = packed;
    direct->bias = bias;
    direct->in = in;
    direct->out = out;
    layer.block = vgg_ceil_div(layer.tiles, vgg_ceil_div(layer.tiles, WINDOW7_TILES_MAX));
    layer.v = scratch;
    layer.local = scratch + WINDOW7_POINTS * window7_v_stride(&layer);
    vgg_blocked_clear_frame(team, vgg_conv_output(conv, in_shape), LANES, out);
    for (layer.first = 0; layer.first < layer.tiles; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.tiles - layer.first);
        vgg_team_run(team, window7_input, &layer, direct->in_map.blocks);
        vgg_team_run(team, window7_panel, &layer, direct->panels);
    }
}
