/*
 * Template: weights as files hold them, [out][in][k][k], into panels of output channels. Eight
 * output channels are transposed at a time, panel by panel, so that what is read lies in runs and
 * what is written in whole cache lines.
 *
 * Padding belongs to the rows that stand beside it: terms past the last input channel to each row,
 * output channels past the last to the call with the last row. So calls for other rows may run at
 * the same time, and nothing needs to be cleared first.
 */

enum {
    GROUP = 8,             /* output channels */
    FILTER = 9,            /* elements of a 3x3 filter */
    WINOGRAD_CHANNELS = 8, /* input channels whose filters are transposed together */
};

typedef float eight __attribute__((vector_size(GROUP * sizeof(float))));
typedef double eight_doubles __attribute__((vector_size(GROUP * sizeof(double))));
typedef int eight_indices __attribute__((vector_size(GROUP * sizeof(int))));

/* The rows of one call, and the group of them under way. */
struct packing {
    const struct vgg_conv *conv;
    const float *weights;
    size_t row, rows;         /* of the call */
    size_t end;               /* past the last output channel that it writes */
    size_t first;             /* output channel of the group's first lane */
    size_t given, lane, last; /* lanes that have a row; lanes [lane, last) are this call's */
};

static struct packing packing_of(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                                 const float *weights)
{
    struct packing packing = {.conv = conv, .weights = weights, .row = row, .rows = rows};

    packing.end = row + rows == conv->out ? vgg_ceil_div(conv->out, PANEL) * PANEL : row + rows;
    return packing;
}

/* Turn to the group that begins at output channel `first`, a multiple of GROUP. */
static void packing_group(struct packing *packing, size_t first)
{
    size_t rows_end = packing->row + packing->rows;

    packing->first = first;
    packing->given = rows_end > first ? vgg_min_size(rows_end - first, GROUP) : 0;
    packing->lane = packing->row > first ? packing->row - first : 0;
    packing->last = vgg_min_size(packing->end - first, GROUP);
}

/* Up to GROUP terms from `term` on of a lane's row; zeros after them and for lanes without one. */
TARGET static inline eight load_terms(const struct packing *packing, size_t lane, size_t row_terms,
                                      size_t term, size_t terms)
{
    size_t row = packing->first + lane - packing->row;
    eight x = {0};

    if (lane < packing->lane || lane >= packing->given)
        return x;
    if (terms == GROUP)
        memcpy(&x, packing->weights + row * row_terms + term, sizeof x);
    else
        memcpy(&x, packing->weights + row * row_terms + term, terms * sizeof(float));
    return x;
}

/* x[i][j] -> x[j][i] */
TARGET static inline void transpose(eight x[GROUP])
{
    const eight_indices low_1 = {0, 8, 2, 10, 4, 12, 6, 14}, high_1 = {1, 9, 3, 11, 5, 13, 7, 15};
    const eight_indices low_2 = {0, 1, 8, 9, 4, 5, 12, 13}, high_2 = {2, 3, 10, 11, 6, 7, 14, 15};
    const eight_indices low_4 = {0, 1, 2, 3, 8, 9, 10, 11}, high_4 = {4, 5, 6, 7, 12, 13, 14, 15};
    eight y[GROUP];

    UNROLL for (size_t i = 0; i < GROUP; i += 2)
    {
        y[i] = __builtin_shuffle(x[i], x[i + 1], low_1);
        y[i + 1] = __builtin_shuffle(x[i], x[i + 1], high_1);
    }
    UNROLL for (size_t i = 0; i < GROUP; i++)
    {
        if (i % 4 < 2) {
            x[i] = __builtin_shuffle(y[i], y[i + 2], low_2);
            x[i + 2] = __builtin_shuffle(y[i], y[i + 2], high_2);
        }
    }
    UNROLL for (size_t i = 0; i < GROUP / 2; i++)
    {
        y[i] = __builtin_shuffle(x[i], x[i + 4], low_4);
        y[i + 4] = __builtin_shuffle(x[i], x[i + 4], high_4);
    }
    UNROLL for (size_t i = 0; i < GROUP; i++)
    {
        x[i] = y[i];
    }
}

/* Terms [term, term + GROUP) of a group: x[i] is term + i of every lane. */
TARGET static inline void load_group(const struct packing *packing, size_t row_terms, size_t term,
                                     size_t terms, eight x[GROUP])
{
    UNROLL for (size_t lane = 0; lane < GROUP; lane++)
    {
        x[lane] = load_terms(packing, lane, row_terms, term, terms);
    }
    transpose(x);
}

/* Store the call's own lanes of a group at out[0 .. GROUP). */
TARGET static inline void store_floats(const struct packing *packing, eight x, float *out)
{
    if (packing->lane == 0 && packing->last == GROUP)
        memcpy(out, &x, sizeof x);
    else
        for (size_t lane = packing->lane; lane < packing->last; lane++)
            out[lane] = x[lane];
}

/* ---------------------------------------------------------------- direct --------------------- */

/* A term's group of lanes into a panel, at `index` of its depth. */
TARGET static inline void store_term(const struct packing *packing, eight x, size_t index,
                                     void *panel)
{
    size_t at = index * PANEL + packing->first % PANEL;
    uint16_t halves[GROUP];

    if (!packing->conv->half) {
        store_floats(packing, x, (float *)panel + at);
        return;
    }
    half_store(halves, x);
    if (packing->lane == 0 && packing->last == GROUP)
        memcpy((uint16_t *)panel + at, halves, sizeof halves);
    else
        for (size_t lane = packing->lane; lane < packing->last; lane++)
            ((uint16_t *)panel)[at + lane] = halves[lane];
}

/*
 * One block of up to `side` input channels, from `channel` on, of the group: element by element of
 * the window, the channels of one beside each other. Channels past the last are zero.
 */
TARGET static void direct_pack_block(const struct packing *packing, size_t channel, size_t side,
                                     void *block)
{
    size_t elements = window_size(packing->conv), row_terms = elements * packing->conv->in;
    size_t channels = vgg_min_size(packing->conv->in - channel, side), c = 0, element = 0;

    for (size_t term = 0; term < channels * elements; term += GROUP) {
        size_t terms = vgg_min_size(channels * elements - term, GROUP);
        eight x[GROUP];

        load_group(packing, row_terms, channel * elements + term, terms, x);
        for (size_t i = 0; i < terms; i++) {
            store_term(packing, x[i], element * side + c, block);
            if (++element == elements) {
                element = 0;
                c++;
            }
        }
    }
    for (element = 0; element < elements; element++)
        for (c = channels; c < side; c++)
            store_term(packing, (eight){0}, element * side + c, block);
}

TARGET static void direct_pack(const struct vgg_conv *conv, uint32_t row, uint32_t rows,
                               const float *weights, void *packed)
{
    struct packing packing = packing_of(conv, row, rows, weights);
    size_t side = is_narrow(conv) ? conv->in : LANES, unit = weight_bytes(kind_of(conv));
    size_t block_bytes = window_size(conv) * side * PANEL * unit;
    size_t panel_bytes = direct_panel(conv, kind_of(conv)) * unit;

    for (size_t panel = row / PANEL; panel * PANEL < packing.end; panel++) {
        char *out = (char *)packed + panel * panel_bytes;
        size_t from = panel == row / PANEL ? row / GROUP * GROUP : panel * PANEL;
        size_t to = vgg_min_size((panel + 1) * PANEL, packing.end);

        for (size_t channel = 0; channel < conv->in; channel += side, out += block_bytes)
            for (size_t first = from; first < to; first += GROUP) {
                packing_group(&packing, first);
                direct_pack_block(&packing, channel, side, out);
            }
        for (size_t first = from; first < to; first += GROUP) {
            packing_group(&packing, first);
            for (size_t i = window_size(conv) * side; is_narrow(conv) && i % LANES != 0; i++)
                store_term(&packing, (eight){0}, i, (char *)packed + panel * panel_bytes);
        }
    }
}

/* ---------------------------------------------------------------- Winograd ------------------- */

/* g[0] x0 + g[1] x1 + g[2] x2 of every lane, in double. */
#define FILTER_DOT(g, x) ((g)[0] * (x)[0] + (g)[1] * (x)[1] + (g)[2] * (x)[2])

/*
 * Transformed filters of one panel and some input channels. The points of a filter lie a large
 * power of two apart, all in one set of every cache, so they are gathered here and stored in runs.
 */
struct filters {
    float u[VGG_WINOGRAD_SIDE_MAX * VGG_WINOGRAD_SIDE_MAX][WINOGRAD_CHANNELS][PANEL];
};

/* u[n][n] = G w G' of a group's filters w[3][3]. */
TARGET static inline void transform_filter(const double g[VGG_WINOGRAD_SIDE_MAX][3], size_t n,
                                           const eight *w, eight_doubles *u)
{
    eight_doubles rows[VGG_WINOGRAD_SIDE_MAX][3], x[3];

    for (size_t column = 0; column < 3; column++) {
        for (size_t i = 0; i < 3; i++)
            x[i] = __builtin_convertvector(w[i * 3 + column], eight_doubles);
        for (size_t i = 0; i < n; i++)
            rows[i][column] = FILTER_DOT(g[i], x);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            u[i * n + j] = FILTER_DOT(g[j], rows[i]);
}

/* Filters w[3][3] of a group, of input channels [channel, channel + WINOGRAD_CHANNELS). */
TARGET static void load_filters(const struct packing *packing, size_t channel, eight *w)
{
    size_t in = packing->conv->in;
    size_t channels = in > channel ? vgg_min_size(in - channel, WINOGRAD_CHANNELS) : 0;

    memset(w, 0, WINOGRAD_CHANNELS * FILTER * sizeof *w);
    for (size_t term = 0; term < channels * FILTER; term += GROUP)
        load_group(packing, in * FILTER, channel * FILTER + term,
                   vgg_min_size(channels * FILTER - term, GROUP), w + term);
}

/* Input channels [channel, channel + WINOGRAD_CHANNELS) of the group. */
TARGET static void transform_group(const struct packing *packing, size_t tile,
                                   const double g[VGG_WINOGRAD_SIDE_MAX][3], size_t channel,
                                   struct filters *filters)
{
    size_t points = (tile + 2) * (tile + 2);
    eight w[WINOGRAD_CHANNELS * FILTER];
    eight_doubles u[VGG_WINOGRAD_SIDE_MAX * VGG_WINOGRAD_SIDE_MAX];

    load_filters(packing, channel, w);
    for (size_t c = 0; c < WINOGRAD_CHANNELS; c++) {
        transform_filter(g, tile + 2, w + c * FILTER, u);
        for (size_t point = 0; point < points; point++) {
            eight narrow = __builtin_convertvector(u[point], eight);

            memcpy(&filters->u[point][c][packing->first % PANEL], &narrow, sizeof narrow);
        }
    }
}

/* Output channels [from, to) of one panel, counted from its first, of `channels` input channels. */
TARGET static void store_filters(const struct filters *filters, size_t points, size_t channels,
                                 size_t from, size_t to, float *out, size_t stride)
{
    for (size_t point = 0; point < points; point++, out += stride) {
        if (to - from == PANEL) {
            memcpy(out, filters->u[point], channels * sizeof filters->u[point][0]);
            continue;
        }
        for (size_t c = 0; c < channels; c++)
            memcpy(out + c * PANEL + from, &filters->u[point][c][from], (to - from) * sizeof *out);
    }
}

TARGET static void winograd_pack(const struct vgg_conv *conv, size_t tile, uint32_t row,
                                 uint32_t rows, const float *weights, float *packed)
{
    struct packing packing = packing_of(conv, row, rows, weights);
    size_t depth = vgg_ceil_div(conv->in, LANES) * LANES;
    size_t stride = vgg_ceil_div(conv->out, PANEL) * depth * PANEL;
    double g[VGG_WINOGRAD_SIDE_MAX][3];
    struct filters filters;

    vgg_winograd_filter_matrix(tile, g);
    for (size_t panel = row / PANEL; panel * PANEL < packing.end; panel++) {
        size_t start = panel * PANEL, from = row > start ? row - start : 0;
        size_t to = vgg_min_size(packing.end - start, PANEL);

        for (size_t channel = 0; channel < depth; channel += WINOGRAD_CHANNELS) {
            for (size_t lane = from / GROUP * GROUP; lane < to; lane += GROUP) {
                packing_group(&packing, start + lane);
                transform_group(&packing, tile, g, channel, &filters);
            }
            store_filters(&filters, (tile + 2) * (tile + 2),
                          vgg_min_size(depth - channel, WINOGRAD_CHANNELS), from, to,
                          packed + (start * depth + channel * PANEL), stride);
        }
    }
}
