/*
 * Template: eight bits. The numbers of a row of the left operand (a position, or a tile at one
 * point) are held as bytes q, with one scale: x = q * largest / 127, q the nearest integer, ties to
 * even. So are those of a column of weights. The sum of their products is exact, and
 *
 *     y = (sum * row's factor) * column's factor.
 *
 * Bytes lie in quads: those of four blocks of channels in one vector, lane i holding channel i of
 * each. Where the instruction wants its left operand unsigned, q + DOT_OFFSET is stored, and sums
 * begin with minus what that adds to them.
 */

enum {
    QUAD = 4, /* blocks of channels */
    QUAD_CHANNELS = QUAD * LANES
};

#define QUAD_STEPS 127
/* Taken from rows and given to columns, so that a sum times a row's factor is not out of range. */
#define QUAD_SHIFT 128
/* Rows of smaller numbers count as zeros: their scale would be denormal, or 1 / scale infinite. */
#define QUAD_LEAST 0x1p-112F

/*
 * What x is multiplied by to be rounded, and what sums are; of zeros both 0, of NaN both NaN.
 * Without branches, for the compiler to do several at once.
 */
static inline void scale_of(float largest, float *inverse, float *factor)
{
    float one = QUAD_STEPS / largest, other = largest * (1.0F / (QUAD_STEPS * QUAD_SHIFT));
    bool zeros = largest < QUAD_LEAST;

    *inverse = zeros ? 0 : one;
    *factor = zeros ? 0 : other;
}

/* The largest lane of magnitudes, compared as integers: NaN is above all. */
TARGET static inline float largest_lane(vec magnitudes)
{
    vec x[LANES] = {magnitudes};

    for (size_t i = 1; i < LANES; i++)
        x[i] = vec_zero();
    return vec_largest_lanes(x)[0];
}

/* x times `inverse` in quads: after adding this, the last byte is the rounded product. */
TARGET ALWAYS_INLINE vec quads_of(const vec x[QUAD], const vec inverse)
{
    const vec shift = vec_set(0x1.8p23F + DOT_OFFSET);

    return vec_low_bytes(vec_fused(x[0], inverse, shift), vec_fused(x[1], inverse, shift),
                         vec_fused(x[2], inverse, shift), vec_fused(x[3], inverse, shift));
}

/* Behind the packed weights: what their columns' sums begin with (integers), and their factors. */
struct columns {
    const float *starts, *factors;
};

static size_t columns_bytes(size_t columns)
{
    return 2 * columns * sizeof(float);
}

static struct columns columns_at(const float *weights_end, size_t columns)
{
    return (struct columns){weights_end, weights_end + columns};
}

/* A vector of sums as floats. */
TARGET ALWAYS_INLINE vec scaled(const vec sums, const vec row, const vec column)
{
    return vec_mul(vec_mul(vec_from_integers(sums), row), column);
}
