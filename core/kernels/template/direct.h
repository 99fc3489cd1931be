/*
 * Template: convolutions as an implicit matrix product over positions: 1x1 convolutions and the
 * fully-connected layers. For a block of positions, gather their inputs into
 * a[depth][positions][LANES], multiply by b[panel][depth][PANEL], add bias, ReLU, store.
 *
 * Where there are at least LANES input channels the depth runs over blocks of channels, then over
 * the window, so that gathering copies whole vectors; fewer channels (the first layer's 3) lie
 * behind each other, and the depth is filled up with zeros.
 */

enum {
    LOCAL_POSITIONS = 48,          /* of a block that one thread does alone */
    DIRECT_SHARED_BYTES = 1 << 20, /* of weights: above it, threads share each pass */
    SHARED_POSITIONS_MAX = 120,    /* a multiple of every ROWS_MAX */
    DIRECT_PANELS_AT_A_TIME = PANELS_MAX
};

struct direct {
    const struct vgg_conv *conv;
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

static size_t direct_depth(const struct vgg_conv *conv)
{
    return is_narrow(conv) ? vgg_ceil_div(window_size(conv) * conv->in, LANES)
                           : window_size(conv) * vgg_ceil_div(conv->in, LANES);
}

static size_t direct_weights_bytes(const struct vgg_conv *conv)
{
    return vgg_ceil_div(conv->out, PANEL) * direct_depth(conv) * LANES * PANEL *
           weight_bytes(conv->half);
}

static bool is_direct_shared(const struct vgg_conv *conv)
{
    return direct_weights_bytes(conv) > DIRECT_SHARED_BYTES;
}

/* Positions that a block may have. */
static size_t positions_max(const struct vgg_conv *conv)
{
    return is_direct_shared(conv) ? SHARED_POSITIONS_MAX : LOCAL_POSITIONS;
}

static struct direct direct_of(const struct vgg_conv *conv, struct vgg_shape in)
{
    struct direct layer = {
        .conv = conv,
        .in_map = vgg_blocked_of(in, LANES),
        .out_map = vgg_blocked_of(vgg_conv_unpooled(conv, in), LANES),
        .depth = direct_depth(conv),
        .panels = vgg_ceil_div(conv->out, PANEL),
    };
    size_t most = positions_max(conv);

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

/* For the largest block, so that a larger map never needs less. */
static size_t direct_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                   unsigned threads)
{
    struct direct layer = direct_of(conv, in);

    layer.block = vgg_min_size(layer.positions, positions_max(conv));
    return (a_floats(&layer) + c_floats(&layer)) * sizeof(float) *
           (is_direct_shared(conv) ? 1 : threads);
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

/* ---------------------------------------------------------------- storing -------------------- */

/* Bias, ReLU and store of output block `block` of positions [first, first + count). */
TARGET static void store_block(const struct direct *layer, size_t block, size_t first, size_t count,
                               const float *c)
{
    const struct vgg_blocked *map = &layer->out_map;
    const float *product =
        c + block / PANEL_VECTORS * layer->block * PANEL + block % PANEL_VECTORS * LANES;
    vec bias = load_bias(layer->conv, layer->bias, block), floor = relu_floor(layer->conv);

    for (size_t t = 0; t < count; t++) {
        size_t position = first + t;
        size_t x = position % map->w, y = position / map->w % map->h,
               n = position / map->w / map->h;

        vec_store(layer->out + vgg_blocked_at(map, n, block, y, x),
                  vec_max(floor, vec_add(vec_load(product + t * PANEL), bias)));
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
        .b = (const char *)layer->packed + panel * weights * weight_bytes(layer->conv->half),
        .b_stride = weights,
        .half = layer->conv->half,
        .depth = layer->depth,
        .panels = panels,
        .c = c + panel * layer->block * PANEL,
        .c_stride = layer->block * PANEL,
    };

    gemm(&product);
}

/* Item: one block of positions, done by one thread in its own scratch. */
static void direct_local_item(void *context, size_t item, unsigned thread)
{
    const struct direct *layer = context;
    size_t first = item * layer->block,
           count = vgg_min_size(layer->block, layer->positions - first);
    float *a = layer->scratch + thread * (a_floats(layer) + c_floats(layer));
    float *c = a + a_floats(layer);

    if (is_narrow(layer->conv))
        gather_narrow(layer, first, count, a);
    else
        for (size_t block = 0; block < layer->in_map.blocks; block++)
            gather_block(layer, block, first, count, a);
    multiply_panels(layer, 0, layer->panels, count, a, c);
    for (size_t block = 0; block < layer->out_map.blocks; block++)
        store_block(layer, block, first, count, c);
}

/* Items: blocks of input channels (or one for all, where they are few). */
static void direct_shared_gather(void *context, size_t item, unsigned thread)
{
    const struct direct *layer = context;

    (void)thread;
    if (is_narrow(layer->conv))
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
        store_block(layer, block, layer->first, layer->count, c);
}

static void direct_conv(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                        const float *bias, const float *in, struct vgg_shape in_shape, float *out,
                        float *scratch)
{
    struct direct layer = direct_of(conv, in_shape);
    struct vgg_shape out_shape = {in_shape.n, conv->out, (uint32_t)layer.out_map.h,
                                  (uint32_t)layer.out_map.w};

    layer.packed = packed;
    layer.bias = bias;
    layer.in = in;
    layer.out = out;
    layer.scratch = scratch;
    vgg_blocked_clear_frame(team, out_shape, LANES, out);
    if (!is_direct_shared(conv)) {
        vgg_team_run(team, direct_local_item, &layer, vgg_ceil_div(layer.positions, layer.block));
        return;
    }
    for (layer.first = 0; layer.first < layer.positions; layer.first += layer.block) {
        layer.count = vgg_min_size(layer.block, layer.positions - layer.first);
        vgg_team_run(team, direct_shared_gather, &layer, is_narrow(conv) ? 1 : layer.in_map.blocks);
        vgg_team_run(team, direct_shared_multiply, &layer,
                     vgg_ceil_div(layer.panels, DIRECT_PANELS_AT_A_TIME));
    }
}
