/* The oracle's convolutions in eight bits: rounded, multiplied and added as integers. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

enum { STEPS = 127, TILE = 4, SIDE = TILE + 2, FILTER = 3 };

/* Below it a row of inputs counts as zeros. */
static const double least = 0x1p-112;

static void *block(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        abort();
    return p;
}

static double largest_of(const double *x, size_t n)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(x[i]));
    return largest;
}

/* q[n] of x[n]; returns what an integer stands for. */
static double round_weights(const double *x, size_t n, int64_t *q)
{
    double largest = largest_of(x, n);

    for (size_t i = 0; i < n; i++)
        q[i] = largest == 0 ? 0 : (int64_t)rint(x[i] * (STEPS / largest));
    return largest / STEPS;
}

/* The same of inputs, whose scale is found in single precision. */
static double round_inputs(const double *x, size_t n, int64_t *q)
{
    double largest = largest_of(x, n);
    float inverse = (float)STEPS / (float)largest;

    for (size_t i = 0; i < n; i++)
        q[i] = largest < least ? 0 : (int64_t)rint(x[i] * (double)inverse);
    return largest < least ? 0 : largest / STEPS;
}

static double dot(const int64_t *a, const int64_t *b, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return (double)sum;
}

static double pixel(const double *plane, size_t h, size_t w, ptrdiff_t y, ptrdiff_t x)
{
    bool inside = y >= 0 && x >= 0 && y < (ptrdiff_t)h && x < (ptrdiff_t)w;

    return inside ? plane[(size_t)y * w + (size_t)x] : 0;
}

/* ---------------------------------------------------------------- direct --------------------- */

void oracle_conv_eight(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                       const double *bias, size_t out_c, size_t kernel, size_t pad, double *out)
{
    size_t oh = h + 2 * pad - kernel + 1, ow = w + 2 * pad - kernel + 1;
    size_t terms = in_c * kernel * kernel;
    int64_t *rows = block(out_c * terms, sizeof *rows), *q = block(terms, sizeof *q);
    double *scales = block(out_c, sizeof *scales), *x = block(terms, sizeof *x);

    for (size_t o = 0; o < out_c; o++)
        scales[o] = round_weights(weight + o * terms, terms, rows + o * terms);
    for (size_t at = 0; at < oh * ow; at++) {
        double scale;

        for (size_t i = 0; i < terms; i++) {
            size_t c = i / (kernel * kernel), ky = i / kernel % kernel, kx = i % kernel;

            x[i] = pixel(in + c * h * w, h, w, (ptrdiff_t)(at / ow + ky) - (ptrdiff_t)pad,
                         (ptrdiff_t)(at % ow + kx) - (ptrdiff_t)pad);
        }
        scale = round_inputs(x, terms, q);
        for (size_t o = 0; o < out_c; o++)
            out[o * oh * ow + at] =
                dot(q, rows + o * terms, terms) * scale * scales[o] + (bias != NULL ? bias[o] : 0);
    }
    free(rows);
    free(q);
    free(scales);
    free(x);
}

/* ---------------------------------------------------------------- Winograd ------------------- */

/* The points of F(4x4,3x3), and infinity. */
static const double points[SIDE - 1] = {0, 0.75, -0.75, 1.5, -1.5};

/* Coefficients of the product of (x - point) over all points but those left out. */
static void product_without(size_t without, double *coefficients)
{
    memset(coefficients, 0, SIDE * sizeof *coefficients);
    coefficients[0] = 1;
    for (size_t i = 0, degree = 0; i < SIDE - 1; i++) {
        if (i == without)
            continue;
        degree++;
        for (size_t k = degree; k > 0; k--)
            coefficients[k] = coefficients[k - 1] - points[i] * coefficients[k];
        coefficients[0] *= -points[i];
    }
}

/* The three matrices: rows of B' and G for each point, of A' for each output. */
struct matrices {
    double b[SIDE][SIDE], g[SIDE][FILTER], a[TILE][SIDE];
};

static struct matrices matrices_make(void)
{
    struct matrices m = {0};

    for (size_t p = 0; p < SIDE; p++) {
        double scale = 1;

        product_without(p, m.b[p]);
        for (size_t i = 0; p + 1 < SIDE && i + 1 < SIDE; i++)
            if (i != p)
                scale *= points[p] - points[i];
        for (size_t k = 0; k < FILTER; k++)
            m.g[p][k] = p + 1 == SIDE ? k + 1 == FILTER : pow(points[p], (double)k) / scale;
        for (size_t k = 0; k < TILE; k++)
            m.a[k][p] = p + 1 == SIDE ? k + 1 == TILE : pow(points[p], (double)k);
    }
    return m;
}

/* out[rows][rows] = m[rows][n] x[n][n] m' */
static void transform(const double *m, size_t rows, size_t n, const double *x, double *out)
{
    double half[SIDE][SIDE] = {{0}};

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                half[i][j] += m[i * n + k] * x[k * n + j];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            out[i * rows + j] = 0;
            for (size_t k = 0; k < n; k++)
                out[i * rows + j] += m[j * n + k] * half[i][k];
        }
}

enum { POINTS = SIDE * SIDE };

/* Filters at every point, rounded: q[out_c][POINTS][in_c], scales[out_c][POINTS]. */
static void round_filters(const struct matrices *m, const double *weight, size_t in_c, size_t out_c,
                          int64_t *q, double *scales)
{
    double *u = block(POINTS * in_c, sizeof *u), at[POINTS];

    for (size_t o = 0; o < out_c; o++) {
        for (size_t c = 0; c < in_c; c++) {
            transform(m->g[0], SIDE, FILTER, weight + (o * in_c + c) * FILTER * FILTER, at);
            for (size_t p = 0; p < POINTS; p++)
                u[p * in_c + c] = at[p];
        }
        for (size_t p = 0; p < POINTS; p++)
            scales[o * POINTS + p] = round_weights(u + p * in_c, in_c, q + (o * POINTS + p) * in_c);
    }
    free(u);
}

/* The tile whose first output is at (y, x): q[POINTS][in_c], scales[POINTS]. */
static void round_tile(const struct matrices *m, const double *in, size_t in_c, size_t h, size_t w,
                       size_t y, size_t x, int64_t *q, double *scales)
{
    double *v = block(POINTS * in_c, sizeof *v), d[POINTS], at[POINTS];

    for (size_t c = 0; c < in_c; c++) {
        for (size_t i = 0; i < POINTS; i++)
            d[i] = pixel(in + c * h * w, h, w, (ptrdiff_t)(y + i / SIDE) - 1,
                         (ptrdiff_t)(x + i % SIDE) - 1);
        transform(m->b[0], SIDE, SIDE, d, at);
        for (size_t p = 0; p < POINTS; p++)
            v[p * in_c + c] = at[p];
    }
    for (size_t p = 0; p < POINTS; p++)
        scales[p] = round_inputs(v + p * in_c, in_c, q + p * in_c);
    free(v);
}

void oracle_winograd_eight(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                           const double *bias, size_t out_c, double *out)
{
    struct matrices m = matrices_make();
    int64_t *u = block(out_c * POINTS * in_c, sizeof *u), *v = block(POINTS * in_c, sizeof *v);
    double *u_scales = block(out_c * POINTS, sizeof *u_scales), v_scales[POINTS];

    round_filters(&m, weight, in_c, out_c, u, u_scales);
    for (size_t y = 0; y < h; y += TILE)
        for (size_t x = 0; x < w; x += TILE) {
            round_tile(&m, in, in_c, h, w, y, x, v, v_scales);
            for (size_t o = 0; o < out_c; o++) {
                double product[POINTS], tile[TILE * TILE];

                for (size_t p = 0; p < POINTS; p++)
                    product[p] = dot(v + p * in_c, u + (o * POINTS + p) * in_c, in_c) *
                                 v_scales[p] * u_scales[o * POINTS + p];
                transform(m.a[0], TILE, SIDE, product, tile);
                for (size_t i = 0; i < TILE * TILE; i++)
                    if (y + i / TILE < h && x + i % TILE < w)
                        out[(o * h + y + i / TILE) * w + x + i % TILE] =
                            tile[i] + (bias != NULL ? bias[o] : 0);
            }
        }
    free(u);
    free(v);
    free(u_scales);
}
