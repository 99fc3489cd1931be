/*
 * Template: kernels of training (kernels/gradients.h).
 */

enum {
    TAPS = 9,              /* weights of a 3x3 filter */
    POINT_CHANNELS = 8,    /* input channels of a 1x1 convolution that are summed together */
    GRADIENT_PIXELS = 256, /* of the rows that a pass over input channels reads again and again */
    GRADIENT_ITEMS = 32    /* pieces of work that a layer's weight gradient is cut into, at least */
};

/* ---------------------------------------------------------------- sums over a map ------------ */

/* A loop over blocks of views. */
struct sweep {
    struct vgg_blocked map, out_map; /* of y; of what follows it */
    const float *y, *out_grad, *centre, *scale, *shift, *slope, *offset;
    bool relu, pool;
    float *out;     /* or the gradient of u, or of y */
    float *partial; /* [n * blocks][2][LANES] */
};

static struct sweep sweep_of(struct vgg_shape shape, const float *y)
{
    return (struct sweep){.map = vgg_blocked_of(shape, LANES), .y = y};
}

/* Add the partial sums in the order of the views: sums[2][blocks * LANES]. */
static void reduce_sums(const struct sweep *sweep, double *sums)
{
    size_t channels = sweep->map.blocks * LANES;

    memset(sums, 0, 2 * channels * sizeof *sums);
    for (size_t n = 0; n < sweep->map.n; n++)
        for (size_t block = 0; block < sweep->map.blocks; block++) {
            const float *partial = sweep->partial + (n * sweep->map.blocks + block) * 2 * LANES;

            for (size_t i = 0; i < LANES; i++) {
                sums[block * LANES + i] += (double)partial[i];
                sums[channels + block * LANES + i] += (double)partial[LANES + i];
            }
        }
}

/* Item: one block of one view. Sums of rows are added up by themselves: shorter chains. */
TARGET static void moments_plane(void *context, size_t item, unsigned thread)
{
    const struct sweep *sweep = context;
    const struct vgg_blocked *map = &sweep->map;
    size_t n = item / map->blocks, block = item % map->blocks;
    vec centre = vec_load(sweep->centre + block * LANES), sum = vec_zero(), square = vec_zero();

    (void)thread;
    for (size_t row = 0; row < map->h; row++) {
        const float *y = sweep->y + vgg_blocked_at(map, n, block, row, 0);
        vec row_sum = vec_zero(), row_square = vec_zero();

        for (size_t x = 0; x < map->w; x++) {
            vec value = vec_sub(vec_load(y + x * LANES), centre);

            row_sum = vec_add(row_sum, value);
            row_square = vec_fma(value, value, row_square);
        }
        sum = vec_add(sum, row_sum);
        square = vec_add(square, row_square);
    }
    vec_store(sweep->partial + item * 2 * LANES, sum);
    vec_store(sweep->partial + item * 2 * LANES + LANES, square);
}

static void gradients_moments(struct vgg_team *team, const float *y, struct vgg_shape shape,
                              const float *centre, double *sums, float *scratch)
{
    struct sweep sweep = sweep_of(shape, y);

    sweep.centre = centre;
    sweep.partial = scratch;
    vgg_team_run(team, moments_plane, &sweep, sweep.map.n * sweep.map.blocks);
    reduce_sums(&sweep, sums);
}

/* ---------------------------------------------------------------- what follows, forward ------ */

/* The affine map and ReLU of one vector; forward and backward compute the same bits. */
TARGET ALWAYS_INLINE vec activate(const float *y, vec scale, vec shift, vec floor)
{
    return vec_max(floor, vec_fma(vec_load(y), scale, shift));
}

static float post_floor(bool relu)
{
    return relu ? 0 : -(float)INFINITY;
}

/* Item: one block of one view. */
TARGET static void post_plane(void *context, size_t item, unsigned thread)
{
    const struct sweep *sweep = context;
    const struct vgg_blocked *map = &sweep->map, *out_map = &sweep->out_map;
    size_t n = item / map->blocks, block = item % map->blocks, down = map->wp * LANES;
    vec scale = vec_load(sweep->scale + block * LANES);
    vec shift = vec_load(sweep->shift + block * LANES), floor = vec_set(post_floor(sweep->relu));

    (void)thread;
    for (size_t row = 0; row < out_map->h; row++) {
        const float *y = sweep->y + vgg_blocked_at(map, n, block, sweep->pool ? 2 * row : row, 0);
        float *out = sweep->out + vgg_blocked_at(out_map, n, block, row, 0);

        if (!sweep->pool) {
            for (size_t x = 0; x < map->w; x++)
                vec_store(out + x * LANES, activate(y + x * LANES, scale, shift, floor));
            continue;
        }
        for (size_t x = 0; x < out_map->w; x++, y += 2 * LANES) {
            vec top =
                vec_max(activate(y, scale, shift, floor), activate(y + LANES, scale, shift, floor));
            vec bottom = vec_max(activate(y + down, scale, shift, floor),
                                 activate(y + down + LANES, scale, shift, floor));

            vec_store(out + x * LANES, vec_max(top, bottom));
        }
    }
}

static struct vgg_shape pooled_shape(struct vgg_shape shape, bool pool)
{
    return pool ? (struct vgg_shape){shape.n, shape.c, shape.h / 2, shape.w / 2} : shape;
}

static void gradients_post(struct vgg_team *team, const struct vgg_post *post, const float *y,
                           struct vgg_shape shape, float *out)
{
    struct sweep sweep = sweep_of(shape, y);

    sweep.out_map = vgg_blocked_of(pooled_shape(shape, post->pool), LANES);
    sweep.scale = post->scale;
    sweep.shift = post->shift;
    sweep.relu = post->relu;
    sweep.pool = post->pool;
    sweep.out = out;
    vgg_team_run(team, post_plane, &sweep, sweep.map.n * sweep.map.blocks);
}

/* ---------------------------------------------------------------- what follows, backward ----- */

/* Sums of a block under way, and its coefficients. */
struct back {
    vec scale, shift, floor, centre, sum, product;
};

/* One pixel: keep the gradient where ReLU let the value through, count it, store it. */
TARGET ALWAYS_INLINE void back_pixel(struct back *back, const float *y, vec z, vec gradient,
                                     float *out)
{
    gradient = vec_where_gt(z, back->floor, gradient);
    back->sum = vec_add(back->sum, gradient);
    back->product = vec_fma(gradient, vec_sub(vec_load(y), back->centre), back->product);
    vec_store(out, gradient);
}

/* A window of four pixels: the first of the largest takes the gradient. */
TARGET ALWAYS_INLINE void back_window(struct back *back, const float *y, size_t down, vec gradient,
                                      float *out)
{
    const size_t at[4] = {0, LANES, down, down + LANES};
    vec z[4], largest, rest = gradient;

    UNROLL for (size_t i = 0; i < 4; i++)
    {
        z[i] = activate(y + at[i], back->scale, back->shift, back->floor);
    }
    largest = vec_max(vec_max(z[0], z[1]), vec_max(z[2], z[3]));
    UNROLL for (size_t i = 0; i < 4; i++)
    {
        vec taken = vec_where_ge(z[i], largest, rest);

        rest = vec_sub(rest, taken);
        back_pixel(back, y + at[i], z[i], taken, out + at[i]);
    }
}

/* Pixels that no window covers. */
static void clear_uncovered(const struct vgg_blocked *map, size_t n, size_t block, float *out)
{
    for (size_t y = 0; y < map->h; y++) {
        size_t first = y < map->h / 2 * 2 ? map->w / 2 * 2 : 0;

        if (first < map->w)
            memset(out + vgg_blocked_at(map, n, block, y, first), 0,
                   (map->w - first) * LANES * sizeof *out);
    }
}

/* Item: one block of one view. */
TARGET static void post_back_plane(void *context, size_t item, unsigned thread)
{
    const struct sweep *sweep = context;
    const struct vgg_blocked *map = &sweep->map, *out_map = &sweep->out_map;
    size_t n = item / map->blocks, block = item % map->blocks, down = map->wp * LANES;
    vec sum = vec_zero(), product = vec_zero();
    struct back back = {.scale = vec_load(sweep->scale + block * LANES),
                        .shift = vec_load(sweep->shift + block * LANES),
                        .floor = vec_set(post_floor(sweep->relu)),
                        .centre = vec_load(sweep->centre + block * LANES)};

    (void)thread;
    if (sweep->pool)
        clear_uncovered(map, n, block, sweep->out);
    for (size_t row = 0; row < out_map->h; row++) {
        size_t at = vgg_blocked_at(map, n, block, sweep->pool ? 2 * row : row, 0);
        const float *y = sweep->y + at;
        const float *gradient = sweep->out_grad + vgg_blocked_at(out_map, n, block, row, 0);
        float *out = sweep->out + at;

        back.sum = back.product = vec_zero();
        for (size_t x = 0; x < out_map->w; x++) {
            vec value = vec_load(gradient + x * LANES);

            if (sweep->pool)
                back_window(&back, y + 2 * x * LANES, down, value, out + 2 * x * LANES);
            else
                back_pixel(&back, y + x * LANES,
                           activate(y + x * LANES, back.scale, back.shift, back.floor), value,
                           out + x * LANES);
        }
        sum = vec_add(sum, back.sum);
        product = vec_add(product, back.product);
    }
    vec_store(sweep->partial + item * 2 * LANES, sum);
    vec_store(sweep->partial + item * 2 * LANES + LANES, product);
}

static void gradients_post_back(struct vgg_team *team, const struct vgg_post *post,
                                const float *out_grad, const float *y, struct vgg_shape shape,
                                const float *centre, float *u_grad, double *sums, float *scratch)
{
    struct sweep sweep = sweep_of(shape, y);

    sweep.out_map = vgg_blocked_of(pooled_shape(shape, post->pool), LANES);
    sweep.out_grad = out_grad;
    sweep.scale = post->scale;
    sweep.shift = post->shift;
    sweep.relu = post->relu;
    sweep.pool = post->pool;
    sweep.centre = centre;
    sweep.out = u_grad;
    sweep.partial = scratch;
    vgg_team_run(team, post_back_plane, &sweep, sweep.map.n * sweep.map.blocks);
    reduce_sums(&sweep, sums);
}

/* Item: one block of one view. */
TARGET static void blend_plane(void *context, size_t item, unsigned thread)
{
    const struct sweep *sweep = context;
    const struct vgg_blocked *map = &sweep->map;
    size_t n = item / map->blocks, block = item % map->blocks;
    vec scale = vec_load(sweep->scale + block * LANES);
    vec slope = vec_load(sweep->slope + block * LANES);
    vec offset = vec_load(sweep->offset + block * LANES);

    (void)thread;
    for (size_t row = 0; row < map->h; row++) {
        size_t at = vgg_blocked_at(map, n, block, row, 0);

        for (size_t x = 0; x < map->w; x++, at += LANES) {
            vec value = vec_fma(vec_load(sweep->y + at), slope, offset);

            vec_store(sweep->out + at, vec_fma(vec_load(sweep->out + at), scale, value));
        }
    }
}

static void gradients_blend(struct vgg_team *team, float *grad, const float *y,
                            struct vgg_shape shape, const float *scale, const float *slope,
                            const float *offset)
{
    struct sweep sweep = sweep_of(shape, y);

    sweep.out = grad;
    sweep.scale = scale;
    sweep.slope = slope;
    sweep.offset = offset;
    vgg_team_run(team, blend_plane, &sweep, sweep.map.n * sweep.map.blocks);
}

/* ---------------------------------------------------------------- weights -------------------- */

/*
 * A tile is the gradient of GRADIENT_VECTORS blocks of output channels by one block of input
 * channels: [LANES input channels][taps][GRADIENT_VECTORS][LANES]. Views are cut into chunks, whose
 * tiles are added in order at the end, so that narrow layers have work for several threads as well.
 */
struct weights_loop {
    const struct vgg_conv *conv;
    struct vgg_blocked in_map, out_map;
    size_t taps, groups, tiles; /* groups of output blocks; tiles of the layer */
    size_t chunks;
    const float *in, *y_grad;
    float *partial; /* [chunks][tiles][tile_floats] */
    float *grad;
};

static size_t tile_floats(size_t taps)
{
    return LANES * taps * GRADIENT_VECTORS * LANES;
}

static struct weights_loop weights_loop_of(const struct vgg_conv *conv, struct vgg_shape in_shape)
{
    struct weights_loop loop = {
        .conv = conv,
        .in_map = vgg_blocked_of(in_shape, LANES),
        .out_map = vgg_blocked_of(vgg_conv_unpooled(conv, in_shape), LANES),
        .taps = (size_t)conv->kernel * conv->kernel,
    };

    loop.groups = vgg_ceil_div(loop.out_map.blocks, GRADIENT_VECTORS);
    loop.tiles = loop.groups * loop.in_map.blocks;
    loop.chunks = vgg_min_size(vgg_ceil_div(GRADIENT_ITEMS, loop.tiles), in_shape.n);
    return loop;
}

/*
 * Rows of one view into the sums of input channel `in`'s lane: `vectors` output blocks, `plane`
 * apart, by the nine taps. The frame stands for the padding.
 */
TARGET ALWAYS_INLINE void taps_rows(const size_t vectors, const struct weights_loop *loop,
                                    const float *in, const float *y_grad, size_t rows, float *tile)
{
    size_t in_row = loop->in_map.wp * LANES, out_row = loop->out_map.wp * LANES;
    size_t plane = vgg_blocked_plane(&loop->out_map), w = loop->out_map.w;
    vec sums[TAPS * GRADIENT_VECTORS];

    UNROLL for (size_t i = 0; i < TAPS; i++)
    {
        UNROLL for (size_t v = 0; v < vectors; v++)
        {
            sums[i * vectors + v] = vec_load(tile + (i * GRADIENT_VECTORS + v) * LANES);
        }
    }
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < w; x++) {
            const float *window = in + y * in_row + x * LANES;
            vec gradient[GRADIENT_VECTORS];

            UNROLL for (size_t v = 0; v < vectors; v++)
            {
                gradient[v] = vec_load(y_grad + y * out_row + x * LANES + v * plane);
            }
            UNROLL for (size_t i = 0; i < TAPS; i++)
            {
                vec value = vec_broadcast(window + i / 3 * in_row + i % 3 * LANES);

                UNROLL for (size_t v = 0; v < vectors; v++)
                {
                    sums[i * vectors + v] = vec_fma(value, gradient[v], sums[i * vectors + v]);
                }
            }
        }
    UNROLL for (size_t i = 0; i < TAPS; i++)
    {
        UNROLL for (size_t v = 0; v < vectors; v++)
        {
            vec_store(tile + (i * GRADIENT_VECTORS + v) * LANES, sums[i * vectors + v]);
        }
    }
}

TARGET static void taps_rows_one(const struct weights_loop *loop, const float *in,
                                 const float *y_grad, size_t rows, float *tile)
{
    taps_rows(1, loop, in, y_grad, rows, tile);
}

TARGET static void taps_rows_all(const struct weights_loop *loop, const float *in,
                                 const float *y_grad, size_t rows, float *tile)
{
    taps_rows(GRADIENT_VECTORS, loop, in, y_grad, rows, tile);
}

/* The same for a 1x1 convolution, one output block: a vector for each input channel. */
TARGET static void point_rows(const struct weights_loop *loop, const float *in, const float *y_grad,
                              size_t rows, size_t channels, float *tile)
{
    size_t in_row = loop->in_map.wp * LANES, out_row = loop->out_map.wp * LANES;

    for (size_t first = 0; first < channels; first += POINT_CHANNELS) {
        size_t n = vgg_min_size(channels - first, POINT_CHANNELS);
        vec sums[POINT_CHANNELS];

        for (size_t i = 0; i < n; i++)
            sums[i] = vec_load(tile + (first + i) * GRADIENT_VECTORS * LANES);
        for (size_t y = 0; y < rows; y++)
            for (size_t x = 0; x < loop->out_map.w; x++) {
                vec gradient = vec_load(y_grad + y * out_row + x * LANES);

                for (size_t i = 0; i < n; i++)
                    sums[i] = vec_fma(vec_broadcast(in + y * in_row + x * LANES + first + i),
                                      gradient, sums[i]);
            }
        for (size_t i = 0; i < n; i++)
            vec_store(tile + (first + i) * GRADIENT_VECTORS * LANES, sums[i]);
    }
}

/* Some rows of one view into a tile: `blocks` output blocks by `channels` input channels. */
static void tile_rows(const struct weights_loop *loop, const float *in, const float *y_grad,
                      size_t rows, size_t blocks, size_t channels, float *tile)
{
    size_t plane = vgg_blocked_plane(&loop->out_map), in_row = loop->in_map.wp * LANES;

    if (loop->taps == 1) {
        for (size_t v = 0; v < blocks; v++)
            point_rows(loop, in, y_grad + v * plane, rows, channels, tile + v * LANES);
        return;
    }
    for (size_t i = 0; i < channels; i++) {
        const float *corner = in - in_row - LANES + i;
        float *sums = tile + i * TAPS * GRADIENT_VECTORS * LANES;

        if (blocks == GRADIENT_VECTORS)
            taps_rows_all(loop, corner, y_grad, rows, sums);
        else
            for (size_t v = 0; v < blocks; v++)
                taps_rows_one(loop, corner, y_grad + v * plane, rows, sums + v * LANES);
    }
}

static size_t block_channels(size_t channels, size_t block)
{
    return vgg_min_size(channels - block * LANES, LANES);
}

/* Item: one tile of one chunk of views. */
static void weights_item(void *context, size_t item, unsigned thread)
{
    const struct weights_loop *loop = context;
    size_t chunk = item / loop->tiles, tile = item % loop->tiles;
    size_t block = tile / loop->in_map.blocks * GRADIENT_VECTORS;
    size_t in_block = tile % loop->in_map.blocks;
    size_t blocks = vgg_min_size(loop->out_map.blocks - block, GRADIENT_VECTORS);
    size_t channels = block_channels(loop->conv->in, in_block);
    size_t rows = 1 + GRADIENT_PIXELS / (loop->out_map.w + 1), h = loop->out_map.h;
    float *sums = loop->partial + item * tile_floats(loop->taps);

    (void)thread;
    memset(sums, 0, tile_floats(loop->taps) * sizeof *sums);
    for (size_t n = chunk * loop->in_map.n / loop->chunks;
         n < (chunk + 1) * loop->in_map.n / loop->chunks; n++)
        for (size_t y = 0; y < h; y += rows)
            tile_rows(loop, loop->in + vgg_blocked_at(&loop->in_map, n, in_block, y, 0),
                      loop->y_grad + vgg_blocked_at(&loop->out_map, n, block, y, 0),
                      vgg_min_size(rows, h - y), blocks, channels, sums);
}

/* Item: one output channel. The chunks' tiles are added and brought into the order of files. */
static void weights_reduce(void *context, size_t item, unsigned thread)
{
    const struct weights_loop *loop = context;
    size_t taps = loop->taps, block = item / LANES, step = loop->tiles * tile_floats(taps);
    size_t group = block / GRADIENT_VECTORS, v = block % GRADIENT_VECTORS;
    float *grad = loop->grad + item * loop->conv->in * taps;

    (void)thread;
    for (size_t c = 0; c < loop->conv->in; c++)
        for (size_t i = 0; i < taps; i++) {
            const float *at =
                loop->partial + (group * loop->in_map.blocks + c / LANES) * tile_floats(taps) +
                ((c % LANES * taps + i) * GRADIENT_VECTORS + v) * LANES + item % LANES;
            float sum = 0;

            for (size_t chunk = 0; chunk < loop->chunks; chunk++)
                sum += at[chunk * step];
            grad[c * taps + i] = sum;
        }
}

static void gradients_weights(struct vgg_team *team, const struct vgg_conv *conv, const float *in,
                              struct vgg_shape in_shape, const float *y_grad, float *grad,
                              float *scratch)
{
    struct weights_loop loop = weights_loop_of(conv, in_shape);

    loop.in = in;
    loop.y_grad = y_grad;
    loop.partial = scratch;
    loop.grad = grad;
    vgg_team_run(team, weights_item, &loop, loop.chunks * loop.tiles);
    vgg_team_run(team, weights_reduce, &loop, conv->out);
}

static size_t gradients_scratch_floats(const struct vgg_conv *conv, struct vgg_shape in_shape)
{
    struct weights_loop loop = weights_loop_of(conv, in_shape);
    size_t weights = loop.chunks * loop.tiles * tile_floats(loop.taps);
    size_t sums = loop.out_map.n * loop.out_map.blocks * 2 * LANES;

    return weights > sums ? weights : sums;
}

#define GRADIENTS                                                                                  \
    {                                                                                              \
        .scratch_floats = gradients_scratch_floats, .moments = gradients_moments,                  \
        .post = gradients_post, .post_back = gradients_post_back, .blend = gradients_blend,        \
        .weights = gradients_weights,                                                              \
    }
