/*
 * Template: convolutions as an implicit matrix product over positions: 1x1 convolutions and the
 * fully-connected layers. For a block of positions, gather their inputs into
 * a[depth][positions][LANES], multiply by b[panel][depth][PANEL], add bias, ReLU, store.
 *
 * Where there are at least LANES input channels the depth runs over blocks of channels, then over
 * the window, so that gathering copies whole vectors; fewer channels (the first layer's 3) lie
 * behind each other, and the depth is filled up with zeros. Of quads, each position's inputs have a
 * scale, and each output channel's weights.
 */

enum {
    LOCAL_POSITIONS = 48,          /* of a block that one thread does alone */
    DIRECT_SHARED_BYTES = 1 << 20, /* of weights: above it, threads share each pass */
    SHARED_POSITIONS_MAX = 120,    /* a multiple of every ROWS_MAX */
    DIRECT_PANELS_AT_A_TIME = PANELS_MAX
};

struct direct {
    const struct vgg_conv *conv;
    enum kind kind;
    const void *packed;
    const float *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t positions; /* of all views */
    size_t depth, panels;
    size_t block;        /* positions of one block */
    size_t first, count; /* the block under way, where the threads share it */
    float *scratch;
};

static bool is_narrow(const struct vgg_conv *conv)
{
    return conv->in < LANES;
}

static size_t window_size(const struct vgg_conv *conv)
{
    return (size_t)conv->kernel * conv->kernel;
}

static size_t direct_depth(const struct vgg_conv *conv, enum kind kind)
{
    if (kind == QUADS)
        return window_size(conv) * vgg_ceil_div(conv->in, QUAD_CHANNELS);
    return is_narrow(conv) ? vgg_ceil_div(window_size(conv) * conv->in, LANES)
                           : window_size(conv) * vgg_ceil_div(conv->in, LANES);
}

/* Elements of one panel. */
static size_t direct_panel(const struct vgg_conv *conv, enum kind kind)
{
    return direct_depth(conv, kind) * LANES * PANEL;
}

static size_t direct_weights_bytes(const struct vgg_conv *conv, enum kind kind)
{
    size_t panels = vgg_ceil_div(conv->out, PANEL);

    return panels * (direct_panel(conv, kind) * weight_bytes(kind) +
                     (kind == QUADS ? columns_bytes(PANEL) : 0));
}

static bool is_direct_shared(const struct direct *layer)
{
    return direct_weights_bytes(layer->conv, layer->kind) > DIRECT_SHARED_BYTES;
}

/* Positions that a block may have. */
static size_t positions_max(const struct direct *layer)
{
    return is_direct_shared(layer) ? SHARED_POSITIONS_MAX : LOCAL_POSITIONS;
}

static struct direct direct_of(const struct vgg_conv *conv, struct vgg_shape in, enum kind kind)
{
    struct direct layer = {
        .conv = conv,
        .kind = kind,
        .in_map = vgg_blocked_of(in, LANES),
        .out_map = vgg_blocked_of(vgg_conv_unpooled(conv, in), LANES),
        .depth = direct_depth(conv, kind),
        .panels = vgg_ceil_div(conv->out, PANEL),
    };
    size_t most = positions_max(&layer);

    assert(conv->pad <= VGG_FRAME);
    layer.positions = layer.out_map.n * layer.out_map.h * layer.out_map.w;
    layer.block = vgg_ceil_div(layer.positions, vgg_ceil_div(layer.positions, most));
    return layer;
}

/* Floats of a block's a and of its product. */
static size_t a_floats(const struct direct *layer)
{
    return layer->depth * layer->block * LANES;
}

static size_t c_floats(const struct direct *layer)
{
    return layer->panels * layer->block * PANEL;
}

/* Floats of a block's a, its product, and the factors of its rows. */
static size_t direct_scratch(const struct direct *layer)
{
    return a_floats(layer) + c_floats(layer) +
           (layer->kind == QUADS ? vgg_size_align(layer->block) : 0);
}

/* For the largest block, so that a larger map never needs less. */
static size_t direct_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in, enum kind kind,
                                   unsigned threads)
{
    struct direct layer = direct_of(conv, in, kind);

    layer.block = vgg_min_size(layer.positions, positions_max(&layer));
    return direct_scratch(&layer) * sizeof(float) * (is_direct_shared(&layer) ? 1 : threads);
}

/* ---------------------------------------------------------------- gathering ------------------ */

/* Start of a position's window, in floats from the start of block 0 of the map. */
static size_t window_start(const struct direct *layer, size_t position)
{
    const struct vgg_blocked *out = &layer->out_map;
    size_t x = position % out->w, y = position / out->w % out->h, n = position / out->w / out->h;

    return vgg_blocked_at(&layer->in_map, n, 0, y, x) -
           layer->conv->pad * (layer->in_map.wp + 1) * LANES;
}

/* Few channels: the window's values behind each other, then zeros, LANES to a block of the depth.
 */
static void gather_narrow(const struct direct *layer, size_t first, size_t count, float *a)
{
    const struct vgg_conv *conv = layer->conv;
    size_t row = layer->in_map.wp * LANES, stride = layer->block * LANES;

    for (size_t t = 0; t < count; t++) {
        const float *in = layer->in + window_start(layer, first + t);
        float *out = a + t * LANES;
        size_t d = 0;

        for (size_t ky = 0; ky < conv->kernel; ky++)
            for (size_t kx = 0; kx < conv->kernel; kx++)
                for (size_t c = 0; c < conv->in; c++, d++)
                    out[d / LANES * stride + d % LANES] = in[ky * row + kx * LANES + c];
        for (; d < layer->depth * LANES; d++)
            out[d / LANES * stride + d % LANES] = 0;
    }
}

/* One block of channels: a vector for each element of the window. */
TARGET static void gather_block(const struct direct *layer, size_t block, size_t first,
                                size_t count, float *a)
{
    size_t kernel = layer->conv->kernel, row = layer->in_map.wp * LANES;
    size_t stride = layer->block * LANES, plane = vgg_blocked_plane(&layer->in_map);
    float *block_out = a + block * window_size(layer->conv) * stride;

    for (size_t t = 0; t < count; t++) {
        const float *in = layer->in + window_start(layer, first + t) + block * plane;
        float *out = block_out + t * LANES;

        for (size_t ky = 0; ky < kernel; ky++)
            for (size_t kx = 0; kx < kernel; kx++, out += stride)
                vec_store(out, vec_load(in + ky * row + kx * LANES));
    }
}

/* A vector of a window: of block `block` of channels, zeros past the last. */
TARGET static inline vec window_vector(const struct direct *layer, const float *in, size_t block)
{
    return block < layer->in_map.blocks ? vec_load(in + block * vgg_blocked_plane(&layer->in_map))
                                        : vec_zero();
}

/* One position in quads; *factor is its scale. */
TARGET static void gather_quads(const struct direct *layer, size_t position, float *a,
                                float *factor)
{
    size_t kernel = layer->conv->kernel, row = layer->in_map.wp * LANES;
    size_t stride = layer->block * LANES;
    const float *in = layer->in + window_start(layer, position);
    vec top = vec_zero();
    float inverse;

    for (size_t block = 0; block < layer->in_map.blocks; block++)
        for (size_t ky = 0; ky < kernel; ky++)
            for (size_t kx = 0; kx < kernel; kx++)
                top =
                    vec_max_magnitude(top, window_vector(layer, in + ky * row + kx * LANES, block));
    scale_of(largest_lane(top), &inverse, factor);
    for (size_t block = 0; block < layer->in_map.blocks; block += QUAD)
        for (size_t ky = 0; ky < kernel; ky++)
            for (size_t kx = 0; kx < kernel; kx++, a += stride) {
                const float *at = in + ky * row + kx * LANES;
                const vec x[QUAD] = {
                    window_vector(layer, at, block), window_vector(layer, at, block + 1),
                    window_vector(layer, at, block + 2), window_vector(layer, at, block + 3)};

                vec_store(a, quads_of(x, vec_set(inverse)));
            }
}

/* ---------------------------------------------------------------- storing -------------------- */

/* What belongs to the columns of quads. */
static struct columns columns_of(const struct direct *layer)
{
    return columns_at((const float *)layer->packed +
                          layer->panels * direct_panel(layer->conv, QUADS),
                      layer->panels * PANEL);
}

/* Factors (of quads), bias, ReLU and store of output block `block` of positions [first, first +
 * count). */
TARGET static void store_block(const struct direct *layer, size_t block, size_t first, size_t count,
                               const float *c, const float *factors)
{
    const struct vgg_blocked *map = &layer->out_map;
    const float *product =
        c + block / PANEL_VECTORS * layer->block * PANEL + block % PANEL_VECTORS * LANES;
    vec bias = load_bias(layer->conv, layer->bias, block), floor = relu_floor(layer->conv);
    vec column = factors != NULL ? vec_load(columns_of(layer).factors + block * LANES) : vec_zero();

    for (size_t t = 0; t < count; t++) {
        size_t position = first + t;
        size_t x = position % map->w, y = position / map->w % map->h,
               n = position / map->w / map->h;
        vec sum = vec_load(product + t * PANEL);

        if (factors != NULL)
            sum = scaled(sum, vec_set(factors[t]), column);
        vec_store(layer->out + vgg_blocked_at(map, n, block, y, x),
                  vec_max(floor, vec_add(sum, bias)));
    }
}

/* ---------------------------------------------------------------- the layer ------------------ */

static void multiply_panels(const struct direct *layer, size_t panel, size_t panels, size_t count,
                            const float *a, float *c)
{
    size_t weights = layer->depth * LANES * PANEL;
    const struct product product = {
        .a = a,
        .a_rows = layer->block,
        .rows = count,
        .b = (const char *)layer->packed + panel * weights * weight_bytes(layer->kind),
        .b_stride = weights,
        .kind = layer->kind,
        .depth = layer->depth,
        .panels = panels,
        .start = layer->kind == QUADS ? columns_of(layer).starts + panel * PANEL : NULL,
        .c = c + panel * layer->block * PANEL,
        .c_stride = layer->block * PANEL,
    };

    gemm(&product);
}

/* Positions [first, first + count) into a; of quads the factors of its rows, too. */
static void gather(const struct direct *layer, size_t first, size_t count, float *a, float *factors)
{
    if (layer->kind == QUADS)
        for (size_t t = 0; t < count; t++)
            gather_quads(layer, first + t, a + t * LANES, factors + t);
    else if (is_narrow(layer->conv))
        gather_narrow(layer, first, count, a);
    else
        for (size_t block = 0; block < layer->in_map.blocks; block++)
            gather_block(layer, block, first, count, a);
}

/* Of a block: NULL where its rows have none. */
static float *factors_of(const struct direct *layer, float *a)
{
    return layer->kind == QUADS ? a + a_floats(layer) + c_floats(layer) : NULL;
}

/* Item: one block of positions, done by one thread in its own scratch. */
static void direct_local_item(void *context, size_t item, unsigned thread)
{
    const struct direct *layer = context;
    size_t first = item * layer->block,
           count = vgg_min_size(layer->block, layer->positions - first);
    float *a = layer->scratch + thread * direct_scratch(layer);
    float *c = a + a_floats(layer), *factors = factors_of(layer, a);

    gather(layer, first, count, a, factors);
    multiply_panels(layer, 0, layer->panels, count, a, c);
    for (size_t block = 0; block < layer->out_map.blocks; block++)
        store_block(layer, block, first, count, c, factors);
}

/* Items that threads gather by: positions of quads, else blocks of channels; few channels at once.
 */
static size_t gather_items(const struct direct *layer)
{
    if (layer->kind == QUADS)
        return layer->count;
    return is_narrow(layer->conv) ? 1 : layer->in_map.blocks;
}

static void direct_shared_gather(void *context, size_t item, unsigned thread)
{
    const struct direct *layer = context;

    (void)thread;
    if (layer->kind == QUADS)
        gather_quads(layer, layer->first + item, layer->scratch + item * LANES,
                     factors_of(layer, layer->scratch) + item);
    else if (is_narrow(layer->conv))
        gather_narrow(layer, layer->first, layer->count, layer->scratch);
    else
        gather_block(layer, item, layer->first, layer->count, layer->scratch);
}

/* Items: some panels, multiplied and stored. */
static void direct_shared_multiply(void *context, size_t item, unsigned thread)
{
    const struct direct *layer = context;
    size_t panel = item * DIRECT_PANELS_AT_A_TIME;
    size_t panels = vgg_min_size(DIRECT_PANELS_AT_A_TIME, layer->panels - panel);
    float *c = layer->scratch + a_floats(layer);

    (void)thread;
    multiply_panels(layer, panel, panels, layer->count, layer->scratch, c);
    for (size_t block = panel * PANEL_VECTORS;
         block < vgg_min_size((panel + panels) * PANEL_VECTORS, layer->out_map.blocks); block++)
        store_block(layer, block, layer->first, layer->count, c, factors_of(layer, layer->scratch));
}

static void direct_conv(struct vgg_team *team, const struct vgg_conv *conv, enum kind kind,
                        const void *packed, const float *bias, const float *in,
                        struct vgg_shape in_shape, float *out, float *scratch)
{
    struct direct layer = direct_of(conv, in_shape, kind);
    struct vgg_shape out_shape = {in_shape.n, conv->out, (uint32_t)layer.out_map.h,
                                  (uint32_t)layer.out_map.w};

    layer.packed = packed;
    layer.bias = bias;
    layer.in = in;
    layer.out = out;
    layer.scratch = scratch;
    vgg_blocked_clear_frame(team, out_shape, LANES, out);
    if (!is_direct_shared(&layer)) {
        vgg_team_run(team, direct_local_item, &layer, vgg_ceil_div(layer.positions, layer.block));
        return;
    }
    for (layer.first = 0; layer.first < layer.positions; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.positions - layer.first);
        vgg_team_run(team, direct_shared_gather, &layer, gather_items(&layer));
        vgg_team_run(team, direct_shared_multiply, &layer,
                     vgg_ceil_div(layer.panels, DIRECT_PANELS_AT_A_TIME));
    }
}
