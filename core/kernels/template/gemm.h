/*
 * Template: the matrix product that Winograd convolutions, direct ones and fully-connected layers
 * all are. ROWS_MAX rows by one panel of columns stay in registers; few rows take several panels at
 * once instead, since short chains wait for latency.
 *
 * What is multiplied are floats, or quads: four bytes where a float would be, one from each of four
 * blocks of channels, whose four products are added at once. Sums of quads are exact 32-bit
 * integers.
 */

enum kind { FLOATS, HALVES, QUADS, KINDS }; /* of the right operand; QUADS of both */

enum {
    PANEL = PANEL_VECTORS * LANES, /* output channels of one column of the micro-kernel */
    DEPTH_MAX = 512 / LANES, /* blocks of terms in one chain of FMAs; longer sums add chains */
    PREFETCH = 1024 / PANEL, /* terms of b ahead */
    PANELS_MAX = 4,
    LINE_BYTES = 64,
    A_BYTES_SHORT = 256 << 10 /* of the left operand: stays in the second-level cache */
};

/* Panels of one pass for a number of rows: a power of two, as many as the registers hold. */
#define PANELS_FOR(rows) ((rows)*4 <= ROWS_MAX ? 4 : (rows)*2 <= ROWS_MAX ? 2 : 1)

/* How the weights of a layer in floats are held. */
static enum kind kind_of(const struct vgg_conv *conv)
{
    return conv->half ? HALVES : FLOATS;
}

/* Bytes of one packed weight, or quad of them. */
ALWAYS_INLINE size_t weight_bytes(const enum kind kind)
{
    return kind == HALVES ? sizeof(uint16_t) : sizeof(float);
}

/* A vector of packed weights. */
TARGET static inline vec load_weights(const void *b, size_t i, const enum kind kind)
{
    return kind == HALVES ? vec_load_half((const uint16_t *)b + i) : vec_load((const float *)b + i);
}

/* Some rows of a by some panels of b, for a micro-kernel; strides in elements. */
struct panels {
    const float *a; /* [depth][rows][LANES] */
    size_t a_stride;
    const void *b; /* [panels][depth * LANES][PANEL] */
    size_t b_stride;
    size_t depth;
    float *c; /* [panels][rows][PANEL] */
    size_t c_stride;
    const float *start; /* [panels][PANEL]: what sums of quads begin with */
    bool add;           /* to what c holds */
    const char *ahead;  /* weights that are needed later, ahead_step bytes further at each term */
    size_t ahead_step;
};

/* What a chain of sums begins with. */
TARGET ALWAYS_INLINE vec first_sum(const enum kind kind, const float *start, size_t vector)
{
    return kind == QUADS ? vec_load(start + vector * LANES) : vec_zero();
}

TARGET ALWAYS_INLINE vec multiply_add(const enum kind kind, const vec x, const vec w, const vec sum)
{
    return kind == QUADS ? vec_dot(x, w, sum) : vec_fma(x, w, sum);
}

TARGET ALWAYS_INLINE vec add_sums(const enum kind kind, const vec a, const vec b)
{
    return kind == QUADS ? vec_add_integers(a, b) : vec_add(a, b);
}

/*
 * c (+)= a * b. All loops over rows and panels have constant bounds, so that the sums stay in
 * registers. Each is one chain of FMAs in ascending order of the depth. Meanwhile the weights ahead
 * are asked for.
 */
TARGET ALWAYS_INLINE void micro(const size_t rows, const size_t panels, const enum kind kind,
                                const struct panels *on)
{
    vec sums[ROWS_MAX * PANEL_VECTORS];
    const size_t vectors = panels * PANEL_VECTORS;
    const size_t unit = weight_bytes(kind), a_stride = on->a_stride, b_stride = on->b_stride;
    const size_t depth = on->depth, c_stride = on->c_stride, ahead_step = on->ahead_step;
    const float *a = on->a;
    const char *b = on->b, *ahead = on->ahead;
    float *const c = on->c;
    const bool add = on->add;

    UNROLL for (size_t i = 0; i < rows * vectors; i++)
    {
        sums[i] = first_sum(kind, on->start, i % vectors);
    }
    for (size_t block = 0; block < depth; block++, a += a_stride)
        UNROLL_TERMS for (size_t i = 0; i < LANES; i++, b += PANEL * unit, ahead += ahead_step)
        {
            vec weights[PANELS_MAX * PANEL_VECTORS];

            UNROLL for (size_t p = 0; p < panels; p++)
            {
                UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
                {
                    weights[p * PANEL_VECTORS + v] =
                        load_weights(b, p * b_stride + v * LANES, kind);
                }
                UNROLL for (size_t line = 0; line < PANEL * unit; line += LINE_BYTES)
                {
                    __builtin_prefetch(ahead + p * b_stride * unit + line);
                }
            }
            UNROLL for (size_t r = 0; r < rows; r++)
            {
                vec x = vec_broadcast(a + r * LANES + i);

                UNROLL for (size_t v = 0; v < vectors; v++)
                {
                    sums[r * vectors + v] =
                        multiply_add(kind, x, weights[v], sums[r * vectors + v]);
                }
            }
        }
    UNROLL for (size_t r = 0; r < rows; r++)
    {
        UNROLL for (size_t v = 0; v < vectors; v++)
        {
            float *out = c + v / PANEL_VECTORS * c_stride + r * PANEL + v % PANEL_VECTORS * LANES;

            if (add)
                sums[r * vectors + v] = add_sums(kind, vec_load(out), sums[r * vectors + v]);
            vec_store(out, sums[r * vectors + v]);
        }
    }
}

typedef void micro_fn(const struct panels *on);

/* The kernels of one number of rows: for PANELS_FOR(rows) panels and for one. */
struct micro {
    size_t panels;
    micro_fn *many[KINDS], *one[KINDS];
};

#define MICRO_FUNCTION(name, rows, panels_n, kind, target)                                         \
    target static void name(const struct panels *on)                                               \
    {                                                                                              \
        micro(rows, panels_n, kind, on);                                                           \
    }
#define MICRO_FUNCTIONS(rows)                                                                      \
    MICRO_FUNCTION(micro_many_##rows, rows, PANELS_FOR(rows), FLOATS, TARGET)                      \
    MICRO_FUNCTION(micro_one_##rows, rows, 1, FLOATS, TARGET)                                      \
    MICRO_FUNCTION(micro_many_half_##rows, rows, PANELS_FOR(rows), HALVES, TARGET)                 \
    MICRO_FUNCTION(micro_one_half_##rows, rows, 1, HALVES, TARGET)                                 \
    MICRO_FUNCTION(micro_many_quad_##rows, rows, PANELS_FOR(rows), QUADS, TARGET_DOT)              \
    MICRO_FUNCTION(micro_one_quad_##rows, rows, 1, QUADS, TARGET_DOT)
#define MICRO_ENTRY(rows)                                                                          \
    {PANELS_FOR(rows),                                                                             \
     {micro_many_##rows, micro_many_half_##rows, micro_many_quad_##rows},                          \
     {micro_one_##rows, micro_one_half_##rows, micro_one_quad_##rows}},

FOR_EACH_ROWS(MICRO_FUNCTIONS)

static const struct micro micros[ROWS_MAX] = {FOR_EACH_ROWS(MICRO_ENTRY)};

/* Those for a number of rows; of quads in the encoding that this CPU knows. */
#ifdef TARGET_DOT_EVEX
#define MICRO_FUNCTIONS_EVEX(rows)                                                                 \
    MICRO_FUNCTION(micro_many_evex_##rows, rows, PANELS_FOR(rows), QUADS, TARGET_DOT_EVEX)         \
    MICRO_FUNCTION(micro_one_evex_##rows, rows, 1, QUADS, TARGET_DOT_EVEX)
#define MICRO_ENTRY_EVEX(rows)                                                                     \
    {PANELS_FOR(rows), {[QUADS] = micro_many_evex_##rows}, {[QUADS] = micro_one_evex_##rows}},

FOR_EACH_ROWS(MICRO_FUNCTIONS_EVEX)

static const struct micro micros_evex[ROWS_MAX] = {FOR_EACH_ROWS(MICRO_ENTRY_EVEX)};

static const struct micro *micro_of(size_t rows, enum kind kind)
{
    return kind == QUADS && is_dot_evex() ? &micros_evex[rows - 1] : &micros[rows - 1];
}
#else
static const struct micro *micro_of(size_t rows, enum kind kind)
{
    (void)kind;
    return &micros[rows - 1];
}
#endif

/* A product: see gemm(). */
struct product {
    const float *a;
    size_t a_rows, rows;
    const void *b;
    size_t b_stride;
    enum kind kind;
    size_t depth, panels;
    float *c;
    size_t c_stride;
    const float *start; /* of QUADS: integers, [panels][PANEL] */
    bool add;           /* to what c holds */
    const void *next;   /* the weights that are read after b, as near as is known; or NULL */
};

/* Some panels by some terms, in blocks of LANES. */
struct part {
    size_t panel, panels;
    size_t from, depth;
    const char *b, *next; /* its weights, and those that come after them */
};

/*
 * All rows of a part, in groups that share each panel one after the other. A lone group reads its
 * weights from memory as it goes; of several the first would wait for them and the others leave the
 * memory idle, so each asks for its share of the next part's.
 */
TARGET static void multiply_part(const struct product *product, const struct part *part)
{
    /* Groups of nearly equal size: 13 rows of at most 6 are 5 + 4 + 4. */
    size_t groups = vgg_ceil_div(product->rows, ROWS_MAX), row = 0;
    size_t unit = weight_bytes(product->kind), term = PANEL * unit;
    size_t panel_bytes = part->depth * LANES * term;
    static const float zeros[PANELS_MAX * PANEL] __attribute__((aligned(LINE_BYTES)));

    for (size_t group = 0; group < groups; group++) {
        size_t rows = product->rows / groups + (group < product->rows % groups), p = 0;
        const struct micro *micro = micro_of(rows, product->kind);

        while (p < part->panels) {
            bool many = p + micro->panels <= part->panels;
            const char *b = part->b + p * product->b_stride * unit;
            struct panels panels = {
                .a = product->a + (part->from * product->a_rows + row) * LANES,
                .a_stride = product->a_rows * LANES,
                .b = b,
                .b_stride = product->b_stride,
                .depth = part->depth,
                .c = product->c + (part->panel + p) * product->c_stride + row * PANEL,
                .c_stride = product->c_stride,
                .start = product->start == NULL || part->from != 0
                             ? zeros
                             : product->start + (part->panel + p) * PANEL,
                .add = product->add || part->from != 0,
                .ahead = b + PREFETCH * term,
                .ahead_step = term,
            };

            if (groups > 1 && part->next != NULL) {
                panels.ahead = part->next + panel_bytes * group / groups;
                panels.ahead_step = term / groups;
            }
            (many ? micro->many : micro->one)[product->kind](&panels);
            p += many ? micro->panels : 1;
        }
        row += rows;
    }
}

/* Part i of a product, of which there are `chains` along the depth and `groups` of panels. */
static struct part part_of(const struct product *product, size_t i, size_t chains, size_t groups,
                           size_t together)
{
    /* A short a stays in cache while the panels stream past it; of a long one, one chain's part. */
    bool is_short = product->rows * product->depth * LANES * sizeof(float) <= A_BYTES_SHORT;
    struct part part = {.panel = (is_short ? i / chains : i % groups) * together,
                        .from = (is_short ? i % chains : i / groups) * DEPTH_MAX};

    part.panels = vgg_min_size(product->panels - part.panel, together);
    part.depth = vgg_min_size(product->depth - part.from, DEPTH_MAX);
    part.b =
        (const char *)product->b +
        (part.panel * product->b_stride + part.from * LANES * PANEL) * weight_bytes(product->kind);
    return part;
}

/*
 * c[panel][row][PANEL] = a * b over `depth` blocks of LANES terms: a[depth][a_rows][LANES] (the
 * first `rows` are used), b[panel][depth * LANES][PANEL] (panels b_stride elements apart), c_stride
 * floats from one panel of c to the next. Each element is one fixed sequence of FMAs, or an exact
 * sum that begins with start[panel][PANEL], whatever the other fields.
 */
TARGET static void gemm(const struct product *product)
{
    size_t together = product->rows > ROWS_MAX ? 1 : PANELS_MAX;
    size_t chains = vgg_ceil_div(product->depth, DEPTH_MAX);
    size_t groups = vgg_ceil_div(product->panels, together);
    struct part part = part_of(product, 0, chains, groups, together);

    for (size_t i = 1; i < chains * groups; i++) {
        struct part next = part_of(product, i, chains, groups, together);

        part.next = next.b;
        multiply_part(product, &part);
        part = next;
    }
    part.next = product->next;
    multiply_part(product, &part);
}
