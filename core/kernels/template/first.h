/*
 * Template: the first layer, a 3x3 convolution of fewer than LANES channels, pad 1. Up to ROWS_MAX
 * neighbouring pixels of a row by one panel of output channels, or by one vector where there are no
 * more, stay in registers; pixels of a row follow each other just as the rows of a packed matrix
 * do. The input is a map, read where it lies; or it is normalised on the way, a band of rows at a
 * time, and its map is never written. Weights are packed as for the direct convolution.
 */

enum {
    FIRST_SIDE = 3,
    INPUT_CHANNELS = 3, /* floats of a pixel in a band */
    BAND_ROWS = 8       /* of the output; a band of the input has one more on either side */
};

struct first {
    const struct vgg_conv *conv;
    const float *packed, *bias;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t panels, panel_floats;
    const float *in;                     /* the map */
    const struct vgg_view_pixels *views; /* or the pictures, */
    const struct vgg_normalisation *normalisation;
    float *bands; /* [threads][BAND_ROWS + 2][band_row] */
};

/* One row of the output: where its windows begin in the input, and how long a row is there. */
struct first_row {
    const float *in;
    size_t stride;
    float *out; /* of the first block of a panel */
    size_t blocks;
};

/*
 * `pixels` from `x` on of a row, whose input pixels are `step` floats apart, to `vectors` output
 * blocks, of which the row has row->blocks.
 */
TARGET ALWAYS_INLINE void first_pixels(const size_t pixels, const size_t vectors, const size_t step,
                                       const struct first *layer, const struct first_row *row,
                                       size_t x, const float *b, const vec *bias, const vec floor)
{
    const float *in = row->in + x * step;
    float *out = row->out + x * LANES;
    size_t plane = vgg_blocked_plane(&layer->out_map);
    vec sums[ROWS_MAX * PANEL_VECTORS];

    UNROLL for (size_t i = 0; i < pixels * vectors; i++)
    {
        sums[i] = vec_zero();
    }
    for (size_t ky = 0; ky < FIRST_SIDE; ky++)
        for (size_t kx = 0; kx < FIRST_SIDE; kx++)
            for (size_t c = 0; c < layer->conv->in; c++, b += PANEL) {
                const float *a = in + ky * row->stride + kx * step + c;
                vec weights[PANEL_VECTORS];

                __asm__("" : "+r"(a)); /* or values are carried from term to term, on the stack */
                UNROLL for (size_t v = 0; v < vectors; v++)
                {
                    weights[v] = vec_load(b + v * LANES);
                }
                UNROLL for (size_t i = 0; i < pixels; i++)
                {
                    vec value = vec_broadcast(a + i * step);

                    UNROLL for (size_t v = 0; v < vectors; v++)
                    {
                        sums[i * vectors + v] = vec_fma(value, weights[v], sums[i * vectors + v]);
                    }
                }
            }
    UNROLL for (size_t v = 0; v < vectors; v++)
    {
        if (v < row->blocks)
            UNROLL for (size_t i = 0; i < pixels; i++)
            {
                vec_store(out + v * plane + i * LANES,
                          vec_max(floor, vec_add(sums[i * vectors + v], bias[v])));
            }
    }
}

typedef void first_fn(const struct first *layer, const struct first_row *row, size_t x,
                      const float *b, const vec *bias, const vec floor);

/* Of a map and of a band, to a whole panel and to one block. */
#define FIRST_FUNCTION(name, pixels, vectors, step)                                                \
    TARGET static void name##_##pixels(const struct first *layer, const struct first_row *row,     \
                                       size_t x, const float *b, const vec *bias, const vec floor) \
    {                                                                                              \
        first_pixels(pixels, vectors, step, layer, row, x, b, bias, floor);                        \
    }
#define FIRST_FUNCTIONS(pixels)                                                                    \
    FIRST_FUNCTION(map_panel, pixels, PANEL_VECTORS, LANES)                                        \
    FIRST_FUNCTION(map_block, pixels, 1, LANES)                                                    \
    FIRST_FUNCTION(band_panel, pixels, PANEL_VECTORS, INPUT_CHANNELS)                              \
    FIRST_FUNCTION(band_block, pixels, 1, INPUT_CHANNELS)
#define MAP_PANEL(pixels) map_panel_##pixels,
#define MAP_BLOCK(pixels) map_block_##pixels,
#define BAND_PANEL(pixels) band_panel_##pixels,
#define BAND_BLOCK(pixels) band_block_##pixels,

FOR_EACH_ROWS(FIRST_FUNCTIONS)

static first_fn *const firsts[2][2][ROWS_MAX] = {
    {{FOR_EACH_ROWS(MAP_PANEL)}, {FOR_EACH_ROWS(MAP_BLOCK)}},
    {{FOR_EACH_ROWS(BAND_PANEL)}, {FOR_EACH_ROWS(BAND_BLOCK)}}};

/* Row y of view n, its input beginning at `in`. */
TARGET static void first_row(const struct first *layer, const float *in, size_t stride, size_t n,
                             size_t y)
{
    const struct vgg_blocked *map = &layer->out_map;
    struct first_row row = {.in = in, .stride = stride};
    size_t groups = vgg_ceil_div(map->w, ROWS_MAX);
    vec floor = relu_floor(layer->conv);

    for (size_t panel = 0; panel < layer->panels; panel++) {
        size_t block = panel * PANEL_VECTORS;
        first_fn *const *functions;
        vec bias[PANEL_VECTORS];

        row.out = layer->out + vgg_blocked_at(map, n, block, y, 0);
        row.blocks = vgg_min_size(map->blocks - block, PANEL_VECTORS);
        functions = firsts[layer->views != NULL][row.blocks == 1];
        for (size_t v = 0; v < PANEL_VECTORS; v++)
            bias[v] = load_bias(layer->conv, layer->bias, block + v);
        for (size_t group = 0, x = 0; group < groups; group++) {
            size_t size = map->w / groups + (group < map->w % groups);

            functions[size - 1](layer, &row, x, layer->packed + panel * layer->panel_floats, bias,
                                floor);
            x += size;
        }
    }
}

/* Item: one row of one view. */
static void first_map_item(void *context, size_t item, unsigned thread)
{
    const struct first *layer = context;
    size_t n = item / layer->in_map.h, y = item % layer->in_map.h,
           stride = layer->in_map.wp * LANES;

    (void)thread;
    first_row(layer, layer->in + vgg_blocked_at(&layer->in_map, n, 0, y, 0) - stride - LANES,
              stride, n, y);
}

/* Floats of a row of a band: a pixel of zeros on either side. */
static size_t band_row(size_t w)
{
    return (w + 2) * INPUT_CHANNELS;
}

/* Row y of a view, zeros beyond its edges. */
static void band_fill(const struct first *layer, size_t n, ptrdiff_t y, float *row)
{
    size_t h = layer->in_map.h, w = layer->in_map.w;

    if (y < 0 || y >= (ptrdiff_t)h) {
        memset(row, 0, band_row(w) * sizeof *row);
        return;
    }
    for (size_t c = 0; c < INPUT_CHANNELS; c++)
        row[c] = row[(w + 1) * INPUT_CHANNELS + c] = 0;
    vgg_input_row(&layer->views[n], h, w, (size_t)y, layer->normalisation, INPUT_CHANNELS,
                  row + INPUT_CHANNELS);
}

/* Item: one band of one view. */
static void first_band_item(void *context, size_t item, unsigned thread)
{
    const struct first *layer = context;
    size_t h = layer->in_map.h, stride = band_row(layer->in_map.w);
    size_t bands = vgg_ceil_div(h, BAND_ROWS), n = item / bands, y = item % bands * BAND_ROWS;
    size_t rows = vgg_min_size(BAND_ROWS, h - y);
    float *band = layer->bands + thread * (BAND_ROWS + 2) * stride;

    for (size_t r = 0; r < rows + 2; r++)
        band_fill(layer, n, (ptrdiff_t)(y + r) - 1, band + r * stride);
    for (size_t r = 0; r < rows; r++)
        first_row(layer, band + r * stride, stride, n, y + r);
}

static struct first first_of(const struct vgg_conv *conv, const float *packed, const float *bias,
                             struct vgg_shape in, float *out)
{
    return (struct first){
        .conv = conv,
        .packed = packed,
        .bias = bias,
        .out = out,
        .in_map = vgg_blocked_of(in, LANES),
        .out_map = vgg_blocked_of(vgg_conv_unpooled(conv, in), LANES),
        .panels = vgg_ceil_div(conv->out, PANEL),
        .panel_floats = direct_depth(conv, FLOATS) * LANES * PANEL,
    };
}

/* From a map. */
static void first_conv(struct vgg_team *team, const struct vgg_conv *conv, const float *packed,
                       const float *bias, const float *in, struct vgg_shape in_shape, float *out)
{
    struct first layer = first_of(conv, packed, bias, in_shape, out);

    layer.in = in;
    vgg_blocked_clear_frame(team, vgg_conv_unpooled(conv, in_shape), LANES, out);
    vgg_team_run(team, first_map_item, &layer, (size_t)in_shape.n * in_shape.h);
}

static size_t first_scratch_bytes(struct vgg_shape in, unsigned threads)
{
    return threads * (BAND_ROWS + 2) * band_row(in.w) * sizeof(float);
}

/* From pictures. */
static void first_views(struct vgg_team *team, const struct vgg_conv *conv, const float *packed,
                        const float *bias, const struct vgg_view_pixels *views,
                        struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                        float *out, float *scratch)
{
    struct first layer = first_of(conv, packed, bias, shape, out);

    layer.views = views;
    layer.normalisation = normalisation;
    layer.bands = scratch;
    vgg_blocked_clear_frame(team, vgg_conv_unpooled(conv, shape), LANES, out);
    vgg_team_run(team, first_band_item, &layer, shape.n * vgg_ceil_div(shape.h, BAND_ROWS));
}
