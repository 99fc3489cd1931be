/* Template: the table of an instruction set, and which algorithm a layer takes. */

/* Winograd wants whole blocks of channels; LRN follows a first layer, which is direct. */
static bool is_winograd(const struct vgg_conv *conv)
{
    return conv->kernel == 3 && conv->pad == 1 && conv->in >= LANES && !conv->lrn && !conv->half;
}

static bool is_first(const struct vgg_conv *conv)
{
    return conv->kernel == 3 && conv->pad == 1 && conv->in < LANES && !conv->half;
}

/*
 * F(6x6) needs a fifth fewer multiplications than F(4x4), and 1.8 times the weights: where those
 * are many they would come from memory, and not from a cache, at every pass.
 */
static size_t tile_of(const struct vgg_conv *conv)
{
    return (size_t)conv->in * conv->out <= WINOGRAD_6_CHANNELS ? 6 : 4;
}

/* A direct layer that pools writes its full map first. */
static bool needs_full_map(const struct vgg_conv *conv)
{
    return !is_winograd(conv) && conv->pool;
}

static const char *table_algorithm(const struct vgg_conv *conv, struct vgg_shape in)
{
    if (is_winograd(conv))
        return tile_of(conv) == 4 ? "winograd f(4x4,3x3)" : "winograd f(6x6,3x3)";
    if (is_window7(conv, in))
        return conv->half ? "winograd f(2x2,7x7) f16" : "winograd f(2x2,7x7)";
    return conv->half ? "direct f16" : "direct";
}

static size_t table_map_bytes(struct vgg_shape shape)
{
    return vgg_blocked_bytes(shape, LANES);
}

static size_t table_weights_bytes(const struct vgg_conv *conv)
{
    return is_winograd(conv) ? winograd_weights_bytes(conv, tile_of(conv))
                             : direct_weights_bytes(conv);
}

static void table_weights_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                               const float *weights, void *packed)
{
    if (is_winograd(conv))
        winograd_pack(conv, tile_of(conv), row, rows, weights, packed);
    else
        direct_pack(conv, row, rows, weights, packed);
}

static void table_input(struct vgg_team *team, const struct vgg_view_pixels *views,
                        struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                        void *out)
{
    vgg_blocked_input(team, views, shape, normalisation, LANES, out);
}

/* A larger map never needs less, though it may take another algorithm. */
static size_t table_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                  unsigned threads)
{
    size_t bytes = 0;

    if (is_winograd(conv))
        return winograd_scratch_bytes(conv, in, tile_of(conv), threads);
    if (needs_full_map(conv))
        bytes = vgg_blocked_bytes(vgg_conv_unpooled(conv, in), LANES);
    bytes +=
        is_first(conv) ? first_scratch_bytes(in, threads) : direct_scratch_bytes(conv, in, threads);
    if (is_window7(conv, in) && window7_scratch_bytes(conv, in, threads) > bytes)
        bytes = window7_scratch_bytes(conv, in, threads);
    return bytes;
}

/* Where a layer writes before its pool: `out`, or a full map at *scratch, which then moves on. */
static float *full_map(const struct vgg_conv *conv, struct vgg_shape in, void *out, void **scratch)
{
    float *map = *scratch;

    if (!needs_full_map(conv))
        return out;
    *scratch = (char *)*scratch + vgg_blocked_bytes(vgg_conv_unpooled(conv, in), LANES);
    return map;
}

/* What follows a layer that wrote its full map: to `out`, or in place. */
static void finish_map(struct vgg_team *team, const struct vgg_conv *conv, struct vgg_shape in,
                       float *map, void *out)
{
    struct vgg_shape full = vgg_conv_unpooled(conv, in);

    if (conv->lrn)
        vgg_blocked_lrn(team, full, LANES, map);
    if (conv->pool) {
        vgg_blocked_clear_frame(team, vgg_conv_output(conv, in), LANES, out);
        vgg_blocked_pool(team, full, LANES, map, out);
    }
}

static void table_first(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                        const float *bias, const struct vgg_view_pixels *views,
                        struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                        void *out, void *scratch)
{
    float *map = full_map(conv, shape, out, &scratch);

    first_views(team, conv, packed, bias, views, shape, normalisation, map, scratch);
    finish_map(team, conv, shape, map, out);
}

static void table_conv(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                       const float *bias, const void *in, struct vgg_shape in_shape, void *out,
                       void *scratch)
{
    float *map;

    if (is_winograd(conv)) {
        winograd_conv(team, conv, tile_of(conv), packed, bias, in, in_shape, out, scratch);
        return;
    }
    if (is_window7(conv, in_shape)) {
        window7_conv(team, conv, packed, bias, in, in_shape, out, scratch);
        return;
    }
    map = full_map(conv, in_shape, out, &scratch);
    if (is_first(conv))
        first_conv(team, conv, packed, bias, in, in_shape, map);
    else
        direct_conv(team, conv, packed, bias, in, in_shape, map, scratch);
    finish_map(team, conv, in_shape, map, out);
}

static void table_spatial_mean(const void *map, struct vgg_shape shape, double *mean)
{
    vgg_blocked_spatial_mean(map, shape, LANES, mean);
}

static void table_scores(const void *map, struct vgg_shape shape, size_t n, float *out)
{
    vgg_blocked_scores(map, shape, n, LANES, out);
}

static const struct vgg_gradients gradients = GRADIENTS;

#define TABLE(isa, its_precision)                                                                  \
    {                                                                                              \
        .name = isa, .precision = its_precision, .lanes = LANES, .algorithm = table_algorithm,     \
        .map_bytes = table_map_bytes, .weights_bytes = table_weights_bytes, .pack_rows = PANEL,    \
        .weights_pack = table_weights_pack, .input = table_input, .first = table_first,            \
        .conv_scratch_bytes = table_scratch_bytes, .conv = table_conv,                             \
        .spatial_mean = table_spatial_mean, .scores = table_scores, .peak_fma = peak_fma,          \
        .peak_read = peak_read, .gradients = &gradients,                                           \
    }
