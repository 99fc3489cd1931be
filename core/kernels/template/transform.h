/*
 * Template: Winograd's transforms of one tile of one block of channels, for F(4x4,3x3), F(6x6,3x3)
 * and the output of F(2x2,7x7): y = A' [(G g G') . (B' d B)] A.
 */

enum { IN_MAX = VGG_WINOGRAD_TILE_MAX + 2 };

/* Where a tile of the layer lies. */
struct place {
    size_t n, y, x; /* of its first output pixel, before pooling */
};

static struct place place_of(size_t tile, size_t tiles_y, size_t tiles_x, size_t side)
{
    size_t row = tile / tiles_x;

    return (struct place){row / tiles_y, row % tiles_y * side, tile % tiles_x * side};
}

/* ---------------------------------------------------------------- input transform ------------ */

/*
 * out = B' d: a product with the polynomial that vanishes at all points but one. For the pair of
 * points +-p the even and the odd part are shared.
 */
TARGET ALWAYS_INLINE void input_pair(const vec even, const vec odd, const double p, vec *plus,
                                     vec *minus)
{
    *plus = vec_fma(vec_set((float)p), odd, even);
    *minus = vec_fnma(vec_set((float)p), odd, even);
}

TARGET ALWAYS_INLINE void input_row_4(const vec d[6], vec out[6])
{
    const double a2 = VGG_F4_A * VGG_F4_A, b2 = VGG_F4_B * VGG_F4_B;
    const vec product = vec_set((float)(a2 * b2)), sum = vec_set((float)(a2 + b2));
    const vec va2 = vec_set((float)a2), vb2 = vec_set((float)b2);

    out[0] = vec_fma(product, d[0], vec_fnma(sum, d[2], d[4]));
    input_pair(vec_fnma(vb2, d[2], d[4]), vec_fnma(vb2, d[1], d[3]), VGG_F4_A, &out[1], &out[2]);
    input_pair(vec_fnma(va2, d[2], d[4]), vec_fnma(va2, d[1], d[3]), VGG_F4_B, &out[3], &out[4]);
    out[5] = vec_fma(product, d[1], vec_fnma(sum, d[3], d[5]));
}

/* x4 - (q2 + r2) x2 + q2 r2 x0 */
TARGET ALWAYS_INLINE vec quartic(const vec x0, const vec x2, const vec x4, const double q2,
                                 const double r2)
{
    return vec_fma(vec_set((float)(q2 * r2)), x0, vec_fnma(vec_set((float)(q2 + r2)), x2, x4));
}

TARGET ALWAYS_INLINE void input_row_6(const vec d[8], vec out[8])
{
    const double a2 = VGG_F6_A * VGG_F6_A, b2 = VGG_F6_B * VGG_F6_B, c2 = VGG_F6_C * VGG_F6_C;
    const vec p0 = vec_set((float)(a2 * b2 * c2)), p1 = vec_set((float)(a2 * b2 + (a2 + b2) * c2)),
              p2 = vec_set((float)(a2 + b2 + c2));

    out[0] = vec_fnma(p0, d[0], vec_fma(p1, d[2], vec_fnma(p2, d[4], d[6])));
    input_pair(quartic(d[2], d[4], d[6], b2, c2), quartic(d[1], d[3], d[5], b2, c2), VGG_F6_A,
               &out[1], &out[2]);
    input_pair(quartic(d[2], d[4], d[6], a2, c2), quartic(d[1], d[3], d[5], a2, c2), VGG_F6_B,
               &out[3], &out[4]);
    input_pair(quartic(d[2], d[4], d[6], a2, b2), quartic(d[1], d[3], d[5], a2, b2), VGG_F6_C,
               &out[5], &out[6]);
    out[7] = vec_fnma(p0, d[1], vec_fma(p1, d[3], vec_fnma(p2, d[5], d[7])));
}

TARGET ALWAYS_INLINE void input_row(const size_t tile, const vec *d, vec *out)
{
    if (tile == 4)
        input_row_4(d, out);
    else
        input_row_6(d, out);
}

/* One tile of one block of channels, its rows `row` floats apart; its products go v_stride apart.
 */
TARGET ALWAYS_INLINE void input_tile(const size_t tile, const float *in, size_t row, float *v,
                                     size_t stride)
{
    const size_t n = tile + 2;
    vec columns[IN_MAX][IN_MAX]; /* [j][i]: column j transformed */

    UNROLL for (size_t j = 0; j < n; j++)
    {
        vec d[IN_MAX];

        UNROLL for (size_t i = 0; i < n; i++)
        {
            d[i] = vec_load(in + i * row + j * LANES);
        }
        input_row(tile, d, columns[j]);
    }
    UNROLL for (size_t i = 0; i < n; i++)
    {
        vec d[IN_MAX], out[IN_MAX];

        UNROLL for (size_t j = 0; j < n; j++)
        {
            d[j] = columns[j][i];
        }
        input_row(tile, d, out);
        UNROLL for (size_t j = 0; j < n; j++)
        {
            vec_store(v + (i * n + j) * stride, out[j]);
        }
    }
}

TARGET static void input_tile_4(const float *in, size_t row, float *v, size_t stride)
{
    input_tile(4, in, row, v, stride);
}

TARGET static void input_tile_6(const float *in, size_t row, float *v, size_t stride)
{
    input_tile(6, in, row, v, stride);
}

/* ---------------------------------------------------------------- output transform ----------- */

/* out = A' m: powers of the points. */
TARGET ALWAYS_INLINE void output_row_4(const vec m[6], vec out[4])
{
    const double a = VGG_F4_A, b = VGG_F4_B;
    const vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    const vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);

    out[0] = vec_add(m[0], vec_add(sum_a, sum_b));
    out[1] = vec_fma(vec_set((float)a), difference_a, vec_mul(vec_set((float)b), difference_b));
    out[2] = vec_fma(vec_set((float)(a * a)), sum_a, vec_mul(vec_set((float)(b * b)), sum_b));
    out[3] = vec_fma(vec_set((float)(a * a * a)), difference_a,
                     vec_fma(vec_set((float)(b * b * b)), difference_b, m[5]));
}

/* pa x + pb y + pc z, of which pc z is given */
TARGET ALWAYS_INLINE vec combine(const double pa, const vec x, const double pb, const vec y,
                                 const vec rest)
{
    return vec_fma(vec_set((float)pa), x, vec_fma(vec_set((float)pb), y, rest));
}

TARGET ALWAYS_INLINE void output_row_6(const vec m[8], vec out[6])
{
    const double a = VGG_F6_A, b = VGG_F6_B, c = VGG_F6_C;
    const double a2 = a * a, b2 = b * b, c2 = c * c;
    const vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    const vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);
    const vec sum_c = vec_add(m[5], m[6]), difference_c = vec_sub(m[5], m[6]);

    out[0] = vec_add(vec_add(m[0], sum_a), vec_add(sum_b, sum_c));
    out[1] = combine(a, difference_a, b, difference_b, vec_mul(vec_set((float)c), difference_c));
    out[2] = combine(a2, sum_a, b2, sum_b, vec_mul(vec_set((float)c2), sum_c));
    out[3] = combine(a2 * a, difference_a, b2 * b, difference_b,
                     vec_mul(vec_set((float)(c2 * c)), difference_c));
    out[4] = combine(a2 * a2, sum_a, b2 * b2, sum_b, vec_mul(vec_set((float)(c2 * c2)), sum_c));
    out[5] = combine(a2 * a2 * a, difference_a, b2 * b2 * b, difference_b,
                     vec_fma(vec_set((float)(c2 * c2 * c)), difference_c, m[7]));
}

/* The first two powers of the points of output_row_6. */
TARGET ALWAYS_INLINE void output_row_2(const vec m[8], vec out[2])
{
    vec sums = vec_add(vec_add(m[1], m[2]), vec_add(m[3], m[4]));

    out[0] = vec_add(vec_add(m[0], sums), vec_add(m[5], m[6]));
    out[1] = combine(VGG_F6_A, vec_sub(m[1], m[2]), VGG_F6_B, vec_sub(m[3], m[4]),
                     vec_fma(vec_set((float)VGG_F6_C), vec_sub(m[5], m[6]), m[7]));
}

TARGET ALWAYS_INLINE void output_row(const size_t tile, const vec *m, vec *out)
{
    if (tile == 2)
        output_row_2(m, out);
    else if (tile == 4)
        output_row_4(m, out);
    else
        output_row_6(m, out);
}

/* Where a tile of outputs goes, and how much of it lies within the map. */
struct window {
    float *out;
    size_t row; /* floats */
    size_t rows, columns;
};

/* Store side x side vectors, whole or the part that lies within the map. */
TARGET ALWAYS_INLINE void store_tile(const vec *y, const size_t side, const struct window *to)
{
    if (to->rows >= side && to->columns >= side) {
        UNROLL for (size_t i = 0; i < side * side; i++)
        {
            vec_store(to->out + i / side * to->row + i % side * LANES, y[i]);
        }
        return;
    }
    for (size_t i = 0; i < side && i < to->rows; i++)
        for (size_t j = 0; j < side && j < to->columns; j++)
            vec_store(to->out + i * to->row + j * LANES, y[i * side + j]);
}

/* Of sums of quads: a tile's factor at each point, and vectors of columns', PANEL floats apart. */
struct factors {
    const float *rows, *columns;
};

/* A vector of a product at a point; `by` is NULL where it is of floats. */
TARGET ALWAYS_INLINE vec product_at(const float *m, const struct factors *by, const size_t point)
{
    return by == NULL ? vec_load(m)
                      : scaled(vec_load(m), vec_broadcast(by->rows + point),
                               vec_load(by->columns + point * PANEL));
}

/* One tile of one block of output channels: bias, ReLU, pool, store. */
TARGET ALWAYS_INLINE void output_tile(const size_t tile, const bool pool, const float *m,
                                      size_t stride, const struct factors *by, const vec bias,
                                      const vec floor, const struct window *to)
{
    const size_t n = tile == 4 ? 6 : 8, half = tile / 2;
    vec columns[IN_MAX][VGG_WINOGRAD_TILE_MAX]; /* [j][i]: column j transformed */
    vec y[VGG_WINOGRAD_TILE_MAX * VGG_WINOGRAD_TILE_MAX];

    UNROLL for (size_t j = 0; j < n; j++)
    {
        vec column[IN_MAX];

        UNROLL for (size_t i = 0; i < n; i++)
        {
            column[i] = product_at(m + (i * n + j) * stride, by, i * n + j);
        }
        output_row(tile, column, columns[j]);
    }
    UNROLL for (size_t i = 0; i < tile; i++)
    {
        vec row[IN_MAX];

        UNROLL for (size_t j = 0; j < n; j++)
        {
            row[j] = columns[j][i];
        }
        output_row(tile, row, y + i * tile);
        UNROLL for (size_t j = 0; j < tile; j++)
        {
            y[i * tile + j] = vec_max(floor, vec_add(y[i * tile + j], bias));
        }
    }
    if (!pool) {
        store_tile(y, tile, to);
        return;
    }
    UNROLL for (size_t i = 0; i < half * half; i++)
    {
        const vec *corner = y + i / half * 2 * tile + i % half * 2;

        y[i] = vec_max(vec_max(corner[0], corner[1]), vec_max(corner[tile], corner[tile + 1]));
    }
    store_tile(y, half, to);
}

typedef void output_tile_fn(const float *m, size_t stride, const struct factors *by, const vec bias,
                            const vec floor, const struct window *to);

#define OUTPUT_TILE(name, tile, pool, factors_or_null)                                             \
    TARGET static void name(const float *m, size_t stride, const struct factors *by,               \
                            const vec bias, const vec floor, const struct window *to)              \
    {                                                                                              \
        (void)by;                                                                                  \
        output_tile(tile, pool, m, stride, factors_or_null, bias, floor, to);                      \
    }
OUTPUT_TILE(output_tile_4, 4, false, NULL)
OUTPUT_TILE(output_tile_4_pool, 4, true, NULL)
OUTPUT_TILE(output_tile_6, 6, false, NULL)
OUTPUT_TILE(output_tile_6_pool, 6, true, NULL)
