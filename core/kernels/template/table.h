/* Template: the tables of an instruction set, and which algorithm a layer takes. */

enum {
    QUADS_CHANNELS_MIN = 48,
    /* Sums stay within 32 bits on the way, with DOT_OFFSET, which is at most QUAD_STEPS + 1. */
    QUADS_TERMS_MAX = (1U << 31) / ((QUAD_STEPS + 1) * QUAD_STEPS)
};

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

/*
 * Which layers are in eight bits: those with enough channels to fill quads, and sums that fit in 32
 * bits. The others, as the first one, are in floats.
 */
static bool is_eight(const struct vgg_conv *conv)
{
    return conv->in >= QUADS_CHANNELS_MIN && !conv->half &&
           window_size(conv) * conv->in <= QUADS_TERMS_MAX;
}

static bool is_winograd8(const struct vgg_conv *conv)
{
    return is_eight(conv) && conv->kernel == 3 && conv->pad == 1 && !conv->lrn;
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
                             : direct_weights_bytes(conv, kind_of(conv));
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
    if (conv->pool)
        bytes = vgg_blocked_bytes(vgg_conv_unpooled(conv, in), LANES);
    bytes += is_first(conv) ? first_scratch_bytes(in, threads)
                            : direct_scratch_bytes(conv, in, kind_of(conv), threads);
    if (is_window7(conv, in) && window7_scratch_bytes(conv, in, threads) > bytes)
        bytes = window7_scratch_bytes(conv, in, threads);
    return bytes;
}

/* Where a direct layer writes before its pool: `out`, or a full map at *scratch, which then moves
 * on. */
static float *full_map(const struct vgg_conv *conv, struct vgg_shape in, void *out, void **scratch)
{
    float *map = *scratch;

    if (!conv->pool)
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
        direct_conv(team, conv, kind_of(conv), packed, bias, in, in_shape, map, scratch);
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

/* ---------------------------------------------------------------- eight bits ----------------- */

static const char *table8_algorithm(const struct vgg_conv *conv, struct vgg_shape in)
{
    if (!is_eight(conv))
        return table_algorithm(conv, in);
    return is_winograd8(conv) ? "winograd f(4x4,3x3) i8" : "direct i8";
}

static size_t table8_weights_bytes(const struct vgg_conv *conv)
{
    if (!is_eight(conv))
        return table_weights_bytes(conv);
    return is_winograd8(conv) ? winograd8_weights_bytes(conv) : direct_weights_bytes(conv, QUADS);
}

static void table8_weights_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                                const float *weights, void *packed)
{
    if (!is_eight(conv))
        table_weights_pack(conv, row, rows, weights, packed);
    else if (is_winograd8(conv))
        winograd8_pack(conv, row, rows, weights, packed);
    else
        direct_pack8(conv, row, rows, weights, packed);
}

static size_t table8_scratch_bytes(const struct vgg_conv *conv, struct vgg_shape in,
                                   unsigned threads)
{
    if (!is_eight(conv))
        return table_scratch_bytes(conv, in, threads);
    if (is_winograd8(conv))
        return winograd8_scratch_bytes(conv, in, threads);
    return direct_scratch_bytes(conv, in, QUADS, threads) +
           (conv->pool ? vgg_blocked_bytes(vgg_conv_unpooled(conv, in), LANES) : 0);
}

static void table8_conv(struct vgg_team *team, const struct vgg_conv *conv, const void *packed,
                        const float *bias, const void *in, struct vgg_shape in_shape, void *out,
                        void *scratch)
{
    float *map;

    if (!is_eight(conv)) {
        table_conv(team, conv, packed, bias, in, in_shape, out, scratch);
        return;
    }
    if (is_winograd8(conv)) {
        winograd8_conv(team, conv, packed, bias, in, in_shape, out, scratch);
        return;
    }
    map = full_map(conv, in_shape, out, &scratch);
    direct_conv(team, conv, QUADS, packed, bias, in, in_shape, map, scratch);
    finish_map(team, conv, in_shape, map, out);
}

/* ---------------------------------------------------------------- tables --------------------- */

static const struct vgg_gradients gradients = GRADIENTS;

#define TABLE_COMMON(isa)                                                                          \
    .name = isa, .lanes = LANES, .map_bytes = table_map_bytes, .pack_rows = PANEL,                 \
    .input = table_input, .first = table_first, .spatial_mean = table_spatial_mean,                \
    .scores = table_scores, .peak_fma = peak_fma, .peak_read = peak_read

#define TABLE(isa)                                                                                 \
    {                                                                                              \
        TABLE_COMMON(isa), .precision = VGG_PRECISION_F32, .algorithm = table_algorithm,           \
                           .weights_bytes = table_weights_bytes,                                   \
                           .weights_pack = table_weights_pack,                                     \
                           .conv_scratch_bytes = table_scratch_bytes, .conv = table_conv,          \
                           .gradients = &gradients,                                                \
    }

#define TABLE8(isa)                                                                                \
    {                                                                                              \
        TABLE_COMMON(isa), .precision = VGG_PRECISION_I8, .algorithm = table8_algorithm,           \
                           .weights_bytes = table8_weights_bytes,                                  \
                           .weights_pack = table8_weights_pack,                                    \
                           .conv_scratch_bytes = table8_scratch_bytes, .conv = table8_conv,        \
    }
