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

/* ---------------------------------------------------------------- transforms ----------------- */

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

/* Where block `block` of output channels of a tile goes. */
static struct window output_window(const struct winograd *layer, size_t block, size_t tile)
{
    const struct vgg_blocked *map = &layer->out_map;
    struct place place = place_of(tile, layer->tiles_y, layer->tiles_x, layer->tile);
    size_t y = layer->conv->pool ? place.y / 2 : place.y;
    size_t x = layer->conv->pool ? place.x / 2 : place.x;

    return (struct window){
        .out = layer->out + vgg_blocked_at(map, place.n, block, y, x),
        .row = map->wp * LANES,
        .rows = y < map->h ? map->h - y : 0,
        .columns = x < map->w ? map->w - x : 0,
    };
}

/* Block `block` of output channels of tiles [first, first + count). */
TARGET static void transform_output(const struct winograd *layer, size_t block, size_t first,
                                    size_t count, const float *m)
{
    static output_tile_fn *const functions[2][2] = {{output_tile_4, output_tile_4_pool},
                                                    {output_tile_6, output_tile_6_pool}};
    output_tile_fn *function = functions[layer->tile == 6][layer->conv->pool];
    size_t stride = m_stride(layer), panel = block / PANEL_VECTORS;
    const float *from = m + panel * layer->block * PANEL + block % PANEL_VECTORS * LANES;
    vec bias = load_bias(layer->conv, layer->bias, block), floor = relu_floor(layer->conv);

    for (size_t t = 0; t < count; t++) {
        const struct window to = output_window(layer, block, first + t);

        function(from + t * PANEL, stride, NULL, bias, floor, &to);
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
