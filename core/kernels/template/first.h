/*
 * Template: the first layer, a 3x3 convolution of fewer than LANES channels, pad 1. Up to ROWS_MAX
 * neighbouring pixels of a row by one panel of output channels stay in registers; the input is read
 * where it lies, since pixels of a blocked map follow each other just as the rows of a packed
 * matrix do. Weights are packed as for the direct convolution.
 */

enum { FIRST_SIDE = 3 };

struct first {
    const struct vgg_conv *conv;
    const float *packed, *bias, *in;
    float *out;
    struct vgg_blocked in_map, out_map;
    size_t panels, panel_floats;
};

/* `pixels` from `in` (their window's first pixel) to the blocks of one panel, `plane` apart. */
TARGET ALWAYS_INLINE void first_pixels(const size_t pixels, const struct first *layer,
                                       const float *in, const float *b, const vec *bias,
                                       const vec floor, float *out, size_t blocks)
{
    vec sums[ROWS_MAX * PANEL_VECTORS];
    size_t row = layer->in_map.wp * LANES, plane = vgg_blocked_plane(&layer->out_map);

    UNROLL for (size_t i = 0; i < pixels * PANEL_VECTORS; i++)
    {
        sums[i] = vec_zero();
    }
    for (size_t y = 0; y < FIRST_SIDE; y++)
        for (size_t x = 0; x < FIRST_SIDE; x++)
            for (size_t c = 0; c < layer->conv->in; c++, b += PANEL) {
                const float *a = in + y * row + x * LANES + c;
                vec weights[PANEL_VECTORS];

                UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
                {
                    weights[v] = vec_load(b + v * LANES);
                }
                UNROLL for (size_t i = 0; i < pixels; i++)
                {
                    vec value = vec_broadcast(a + i * LANES);

                    UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
                    {
                        sums[i * PANEL_VECTORS + v] =
                            vec_fma(value, weights[v], sums[i * PANEL_VECTORS + v]);
                    }
                }
            }
    UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
    {
        if (v < blocks)
            UNROLL for (size_t i = 0; i < pixels; i++)
            {
                vec_store(out + v * plane + i * LANES,
                          vec_max(floor, vec_add(sums[i * PANEL_VECTORS + v], bias[v])));
            }
    }
}

typedef void first_fn(const struct first *layer, const float *in, const float *b, const vec *bias,
                      const vec floor, float *out, size_t blocks);

#define FIRST_FUNCTION(pixels)                                                                     \
    TARGET static void first_##pixels(const struct first *layer, const float *in, const float *b,  \
                                      const vec *bias, const vec floor, float *out, size_t blocks) \
    {                                                                                              \
        first_pixels(pixels, layer, in, b, bias, floor, out, blocks);                              \
    }
#define FIRST_ENTRY(pixels) first_##pixels,

FOR_EACH_ROWS(FIRST_FUNCTION)

static first_fn *const firsts[ROWS_MAX] = {FOR_EACH_ROWS(FIRST_ENTRY)};

/* Item: one row of one view. */
TARGET static void first_row(void *context, size_t item, unsigned thread)
{
    const struct first *layer = context;
    const struct vgg_blocked *map = &layer->out_map;
    size_t n = item / map->h, y = item % map->h, groups = vgg_ceil_div(map->w, ROWS_MAX);
    const float *in =
        layer->in + vgg_blocked_at(&layer->in_map, n, 0, y, 0) - (layer->in_map.wp + 1) * LANES;
    vec floor = relu_floor(layer->conv);

    (void)thread;
    for (size_t panel = 0; panel < layer->panels; panel++) {
        size_t block = panel * PANEL_VECTORS;
        size_t blocks = vgg_min_size(map->blocks - block, PANEL_VECTORS);
        float *out = layer->out + vgg_blocked_at(map, n, block, y, 0);
        vec bias[PANEL_VECTORS];

        for (size_t v = 0; v < PANEL_VECTORS; v++)
            bias[v] = load_bias(layer->conv, layer->bias, block + v);
        for (size_t group = 0, x = 0; group < groups; group++) {
            size_t size = map->w / groups + (group < map->w % groups);

            firsts[size - 1](layer, in + x * LANES, layer->packed + panel * layer->panel_floats,
                             bias, floor, out + x * LANES, blocks);
            x += size;
        }
    }
}

static void first_conv(struct vgg_pool *pool, const struct vgg_conv *conv, const float *packed,
                       const float *bias, const float *in, struct vgg_shape in_shape, float *out)
{
    struct vgg_shape out_shape = {in_shape.n, conv->out, in_shape.h, in_shape.w};
    struct first layer = {
        .conv = conv,
        .packed = packed,
        .bias = bias,
        .in = in,
        .out = out,
        .in_map = vgg_blocked_of(in_shape, LANES),
        .out_map = vgg_blocked_of(out_shape, LANES),
        .panels = vgg_ceil_div(conv->out, PANEL),
        .panel_floats = direct_depth(conv) * LANES * PANEL,
    };

    vgg_blocked_clear_frame(pool, out_shape, LANES, out);
    vgg_pool_run(pool, first_row, &layer, (size_t)in_shape.n * in_shape.h);
}
