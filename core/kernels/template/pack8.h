/*
 * Template: weights into quads, see quads.h and pack.h. A group's rows are read twice: for the
 * largest magnitude of each column, and to be rounded. Both in double, where no weight is too small
 * or too large.
 */

typedef int32_t eight_integers __attribute__((vector_size(GROUP * sizeof(int32_t))));
typedef int64_t eight_longs __attribute__((vector_size(GROUP * sizeof(int64_t))));

enum {
    QUAD_TERMS = (int)LANES < GROUP ? (int)LANES : GROUP /* lanes of quads at a time */
};

/* The larger of `largest` and the magnitude of x, in every lane. */
TARGET static inline eight_doubles larger(eight_doubles largest, eight_doubles x)
{
    eight_longs magnitude = (eight_longs)x & INT64_MAX;
    eight_longs keep = (eight_longs)largest > magnitude; /* as integers, in the same order */

    return (eight_doubles)(((eight_longs)largest & keep) | (magnitude & ~keep));
}

/* The columns of a group: how they are rounded, and the sums of what they are then. */
struct rounding {
    eight_doubles largest, inverse;
    eight_integers sum;
};

TARGET static inline void rounding_start(struct rounding *rounding)
{
    for (size_t lane = 0; lane < GROUP; lane++)
        rounding->inverse[lane] =
            rounding->largest[lane] == 0 ? 0 : QUAD_STEPS / rounding->largest[lane];
    rounding->sum = (eight_integers){0};
}

/* Round the four vectors of a quad. */
TARGET static inline eight_integers round_quad(struct rounding *rounding,
                                               const eight_doubles x[QUAD])
{
    const double shift = 0x1.8p52; /* beyond it a double has no fraction */
    eight_integers quad = {0};

    UNROLL for (size_t i = 0; i < QUAD; i++)
    {
        eight_doubles rounded = x[i] * rounding->inverse + shift;
        eight_integers q = __builtin_convertvector(rounded - shift, eight_integers);

        rounding->sum += q;
        quad |= (q & 0xff) << (int)(8 * i);
    }
    return quad;
}

/* What belongs to the group's columns, which are [at, at + GROUP) of all. */
TARGET static inline void store_columns(const struct packing *packing,
                                        const struct rounding *rounding, struct columns columns,
                                        size_t at)
{
    const double factor = (double)QUAD_SHIFT / QUAD_STEPS;

    store_floats(packing, (eight)(rounding->sum * -DOT_OFFSET), (float *)columns.starts + at);
    store_floats(packing, __builtin_convertvector(rounding->largest * factor, eight),
                 (float *)columns.factors + at);
}

/* ---------------------------------------------------------------- direct --------------------- */

/* Terms [term, term + GROUP) of the group, of a row's `row_terms`; zeros past the last. */
TARGET static inline void load_doubles(const struct packing *packing, size_t row_terms, size_t term,
                                       size_t terms, eight_doubles x[GROUP])
{
    eight narrow[GROUP] = {{0}};

    if (term < row_terms)
        load_group(packing, row_terms, term, vgg_min_size(terms, row_terms - term), narrow);
    for (size_t i = 0; i < GROUP; i++)
        x[i] = __builtin_convertvector(narrow[i], eight_doubles);
}

/* Four blocks of LANES input channels, from `channel` on: quads [element][channel]. */
TARGET static void direct_pack8_quads(const struct packing *packing, size_t channel,
                                      struct rounding *rounding, float *out)
{
    size_t elements = window_size(packing->conv), terms = LANES * elements;
    size_t row_terms = packing->conv->in * elements, c = 0, element = 0;

    for (size_t term = 0; term < terms; term += GROUP) {
        size_t n = vgg_min_size(terms - term, GROUP);
        eight_doubles x[QUAD][GROUP];

        for (size_t i = 0; i < QUAD; i++)
            load_doubles(packing, row_terms, (channel + i * LANES) * elements + term, n, x[i]);
        for (size_t i = 0; i < n; i++) {
            const eight_doubles four[QUAD] = {x[0][i], x[1][i], x[2][i], x[3][i]};

            store_floats(packing, (eight)round_quad(rounding, four),
                         out + (element * LANES + c) * PANEL);
            if (++element == elements) {
                element = 0;
                c++;
            }
        }
    }
}

/* The largest magnitude of each lane's row. */
TARGET static eight_doubles direct_largest(const struct packing *packing)
{
    size_t row_terms = window_size(packing->conv) * packing->conv->in;
    eight_doubles largest = {0};

    for (size_t term = 0; term < row_terms; term += GROUP) {
        eight_doubles x[GROUP];

        load_doubles(packing, row_terms, term, GROUP, x);
        for (size_t i = 0; i < GROUP; i++)
            largest = larger(largest, x[i]);
    }
    return largest;
}

TARGET static void direct_pack8(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                                const float *weights, float *packed)
{
    struct packing packing = packing_of(conv, row, rows, weights);
    size_t panels = vgg_ceil_div(conv->out, PANEL), panel_quads = direct_panel(conv, QUADS);
    size_t chunk_quads = window_size(conv) * LANES * PANEL;
    struct columns columns = columns_at(packed + panels * panel_quads, panels * PANEL);

    for (size_t first = row / GROUP * GROUP; first < packing.end; first += GROUP) {
        float *out = packed + first / PANEL * panel_quads + first % PANEL;
        struct rounding rounding;

        packing_group(&packing, first);
        rounding.largest = direct_largest(&packing);
        rounding_start(&rounding);
        for (size_t channel = 0; channel < conv->in; channel += QUAD_CHANNELS, out += chunk_quads)
            direct_pack8_quads(&packing, channel, &rounding, out);
        store_columns(&packing, &rounding, columns, first);
    }
}

/* ---------------------------------------------------------------- Winograd ------------------- */

/* The largest magnitude at each point of each lane's filters. */
TARGET static void winograd8_largest(const struct packing *packing, const double g[][3],
                                     struct rounding *roundings)
{
    eight w[WINOGRAD_CHANNELS * FILTER];
    eight_doubles u[POINTS8];

    for (size_t point = 0; point < POINTS8; point++)
        roundings[point].largest = (eight_doubles){0};
    for (size_t channel = 0; channel < packing->conv->in; channel += WINOGRAD_CHANNELS) {
        load_filters(packing, channel, w);
        for (size_t c = 0; c < WINOGRAD_CHANNELS; c++) {
            transform_filter(g, SIDE8, w + c * FILTER, u);
            for (size_t point = 0; point < POINTS8; point++)
                roundings[point].largest = larger(roundings[point].largest, u[point]);
        }
    }
}

/* Quads of input channels [channel, channel + QUAD_TERMS) and those of the next three blocks. */
TARGET static void winograd8_quads(const struct packing *packing, const double g[][3],
                                   size_t channel, struct rounding *roundings, float *out,
                                   size_t stride)
{
    eight w[QUAD][WINOGRAD_CHANNELS * FILTER];
    eight_doubles u[QUAD][POINTS8];

    for (size_t i = 0; i < QUAD; i++)
        load_filters(packing, channel + i * LANES, w[i]);
    for (size_t c = 0; c < QUAD_TERMS; c++, out += PANEL) {
        for (size_t i = 0; i < QUAD; i++)
            transform_filter(g, SIDE8, w[i] + c * FILTER, u[i]);
        for (size_t point = 0; point < POINTS8; point++) {
            const eight_doubles four[QUAD] = {u[0][point], u[1][point], u[2][point], u[3][point]};

            store_floats(packing, (eight)round_quad(&roundings[point], four), out + point * stride);
        }
    }
}

TARGET static void winograd8_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                                  const float *weights, float *packed)
{
    struct packing packing = packing_of(conv, row, rows, weights);
    struct winograd base = winograd8_of(conv, (struct vgg_shape){1, conv->in, 1, 1}).base;
    size_t stride = panel_floats(&base);
    struct columns columns =
        columns_at(packed + base.panels * POINTS8 * stride, winograd8_columns(&base));
    struct rounding roundings[POINTS8];
    double g[VGG_WINOGRAD_SIDE_MAX][3];

    vgg_winograd_filter_matrix(TILE8, g);
    for (size_t first = row / GROUP * GROUP; first < packing.end; first += GROUP) {
        size_t panel = first / PANEL * POINTS8, lane = first % PANEL;

        packing_group(&packing, first);
        winograd8_largest(&packing, g, roundings);
        for (size_t point = 0; point < POINTS8; point++)
            rounding_start(&roundings[point]);
        for (size_t quads = 0; quads < base.depth * LANES; quads += QUAD_TERMS)
            winograd8_quads(&packing, g, quads / LANES * QUAD_CHANNELS + quads % LANES, roundings,
                            packed + panel * stride + quads * PANEL + lane, stride);
        for (size_t point = 0; point < POINTS8; point++)
            store_columns(&packing, &roundings[point], columns, (panel + point) * PANEL + lane);
    }
}
