/*
 * The rotation is a Cholesky decomposition of the rows' products with each other, in double: the
 * rows of the triangle are the rows in coordinates of an orthonormal basis. A row that those before
 * it span adds no dimension.
 */
#include "fit/rotation.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"

enum {
    PANEL = 32, /* rows whose products with all later ones are one loop */
    GROUP = 4   /* rows of an item; see products */
};

/* Of the mean squared length: a smaller rest is spanned. Rows are floats, so it is below rounding.
 */
static const double SPANNED = 1e-12;

struct span {
    const double *rows; /* [n][dims], centred */
    size_t n, dims;
    double *triangle; /* [n][n], of which `rank` columns are known */
    size_t *pivots;   /* [n]: the row that made each of these */
    size_t rank;
    double *products; /* [n][PANEL]: of later rows with the panel, less what is known */
    size_t first;     /* of the panel */
    double enough;    /* squared length of a rest */
};

bool vgg_rotation_reduces(size_t rows, size_t dims)
{
    return rows <= dims / 2;
}

/* In whole panels. */
static size_t round_up(size_t rows)
{
    return (rows + PANEL - 1) / PANEL * PANEL;
}

uint64_t vgg_rotation_bytes(size_t rows, size_t dims, uint64_t *held)
{
    uint64_t n = round_up(rows), vectors = 3 * dims * sizeof(double);

    if (!vgg_rotation_reduces(rows, dims)) {
        *held = (uint64_t)rows * dims * sizeof(float) + vectors;
        return *held;
    }
    *held = n * n * sizeof(float) + n * (n + dims) * sizeof(double) + vectors;
    return *held + (n * n + n * PANEL) * sizeof(double) + n * sizeof(size_t);
}

void vgg_rotation_fini(struct vgg_rotation *rotation)
{
    free(rotation->rows);
    free(rotation->mean);
    free(rotation->row);
    free(rotation->spanning);
    free(rotation->triangle);
    *rotation = (struct vgg_rotation){.dims = 0};
}

/* ---------------------------------------------------------------- centre and scale ----------- */

static void find_mean(const float *rows, size_t n, size_t dims, double *mean)
{
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dims; d++)
            mean[d] += (double)rows[i * dims + d];
    for (size_t d = 0; d < dims; d++)
        mean[d] /= (double)n;
}

/* Of a centred row. */
static double squared_length(const float *row, const double *mean, size_t dims)
{
    double sum = 0;

    for (size_t d = 0; d < dims; d++) {
        double x = (double)row[d] - mean[d];

        sum += x * x;
    }
    return sum;
}

static enum vgg_status find_scale(struct vgg_rotation *rotation, const float *rows, size_t n,
                                  struct vgg_error *error)
{
    double sum = 0;

    find_mean(rows, n, rotation->dims, rotation->mean);
    for (size_t i = 0; i < n; i++)
        sum += squared_length(rows + i * rotation->dims, rotation->mean, rotation->dims);
    if (!isfinite(sum))
        return vgg_fail(error, VGG_BAD_ARGUMENT, "the features are not finite");
    rotation->scale = sum > 0 ? 1 / sqrt(sum / (double)n) : 1; /* 0: all rows are equal */
    return VGG_OK;
}

static enum vgg_status scale_rows(struct vgg_rotation *rotation, const float *rows, size_t n,
                                  struct vgg_error *error)
{
    size_t dims = rotation->dims, numbers;

    rotation->rank = dims;
    rotation->rows =
        vgg_size_mul(n, dims, &numbers) ? vgg_alloc_aligned(numbers, sizeof *rotation->rows) : NULL;
    if (rotation->rows == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < numbers; i++)
        rotation->rows[i] = (float)(((double)rows[i] - rotation->mean[i % dims]) * rotation->scale);
    return VGG_OK;
}

/* ---------------------------------------------------------------- rotate --------------------- */

/* The products of GROUP rows with two, all of n numbers, with these strides from row to row. */
static void products(const double *rows, size_t stride, const double *pair, size_t pair_stride,
                     size_t n, double out[GROUP][2])
{
    vgg_pair sum[GROUP][2] = {{{0}}};
    double rest[GROUP][2] = {{0}};
    size_t d = 0;

    for (; d + 2 <= n; d += 2) {
        vgg_pair a = vgg_pair_load(pair + d), b = vgg_pair_load(pair + pair_stride + d);

        for (size_t i = 0; i < GROUP; i++) {
            vgg_pair x = vgg_pair_load(rows + i * stride + d);

            sum[i][0] += x * a;
            sum[i][1] += x * b;
        }
    }
    for (; d < n; d++)
        for (size_t i = 0; i < GROUP; i++)
            for (size_t k = 0; k < 2; k++)
                rest[i][k] += rows[i * stride + d] * pair[k * pair_stride + d];
    for (size_t i = 0; i < GROUP; i++)
        for (size_t k = 0; k < 2; k++)
            out[i][k] = sum[i][k][0] + sum[i][k][1] + rest[i][k];
}

/* Item: a group of rows and the panel. Rows and panels are whole: `n` is rounded up. */
static void panel_item(void *context, size_t item, unsigned thread)
{
    struct span *span = context;
    size_t row = span->first + item * GROUP;

    (void)thread;
    for (size_t c = 0; c < PANEL; c += 2) {
        size_t column = span->first + c;
        double all[GROUP][2], known[GROUP][2];

        products(span->rows + row * span->dims, span->dims, span->rows + column * span->dims,
                 span->dims, span->dims, all);
        products(span->triangle + row * span->n, span->n, span->triangle + column * span->n,
                 span->n, span->rank, known);
        for (size_t i = 0; i < GROUP; i++)
            for (size_t k = 0; k < 2; k++)
                span->products[(row + i) * PANEL + c + k] = all[i][k] - known[i][k];
    }
}

/* The coordinates of all later rows along what the panel's rows add. */
static void extend(struct span *span)
{
    size_t added = 0, rank = span->rank;

    for (size_t row = span->first; row < span->n; row++) {
        double *own = span->triangle + row * span->n + rank;
        double *product = span->products + row * PANEL, rest;

        for (size_t q = 0; q < added; q++) {
            const double *pivot = span->triangle + span->pivots[rank + q] * span->n + rank;

            own[q] =
                (product[span->pivots[rank + q] - span->first] - vgg_dot(own, pivot, q)) / pivot[q];
        }
        if (row >= span->first + PANEL)
            continue;
        rest = product[row - span->first] - vgg_dot(own, own, added);
        if (rest > span->enough) {
            own[added] = sqrt(rest);
            span->pivots[rank + added++] = row;
        }
    }
    span->rank += added;
}

static enum vgg_status find_span(struct span *span, const struct vgg_fit_options *options,
                                 struct vgg_error *error)
{
    for (span->first = 0; span->first < span->n; span->first += PANEL) {
        if (options->stop != NULL && options->stop(options->user))
            return vgg_fail(error, VGG_CANCELLED, "stopped while features were rotated");
        vgg_team_run(options->team, panel_item, span, (span->n - span->first) / GROUP);
        extend(span);
    }
    return VGG_OK;
}

/* What the layer needs of it: the rows' coordinates, and the spanning rows. */
static enum vgg_status keep(struct vgg_rotation *rotation, const struct span *span, double *centred,
                            size_t n, struct vgg_error *error)
{
    size_t rank = span->rank > 0 ? span->rank : 1, dims = rotation->dims;

    rotation->rank = rank; /* with all rows equal, one dimension of zeros */
    rotation->rows = vgg_alloc_aligned(n * rank, sizeof *rotation->rows);
    rotation->triangle = vgg_calloc(rank * rank, sizeof *rotation->triangle);
    if (rotation->rows == NULL || rotation->triangle == NULL)
        return vgg_fail_memory(error);
    for (size_t i = 0; i < n; i++)
        for (size_t q = 0; q < rank; q++)
            rotation->rows[i * rank + q] =
                (float)(span->triangle[i * span->n + q] * rotation->scale);
    for (size_t q = 0; q < span->rank; q++) {
        memcpy(rotation->triangle + q * rank, span->triangle + span->pivots[q] * span->n,
               (q + 1) * sizeof *rotation->triangle);
        memmove(centred + q * dims, centred + span->pivots[q] * dims, dims * sizeof *centred);
    }
    if (span->rank == 0)
        rotation->triangle[0] = 1;
    return VGG_OK;
}

static enum vgg_status rotate_rows(struct vgg_rotation *rotation, const float *rows, size_t n,
                                   const struct vgg_fit_options *options, struct vgg_error *error)
{
    size_t dims = rotation->dims, whole = round_up(n);
    double *centred = vgg_calloc(whole * dims, sizeof *centred);
    struct span span = {.rows = centred, .n = whole, .dims = dims};
    enum vgg_status status;

    rotation->spanning = centred;
    span.triangle = vgg_calloc(whole * whole, sizeof *span.triangle);
    span.pivots = vgg_alloc(whole, sizeof *span.pivots);
    span.products = vgg_alloc(whole * PANEL, sizeof *span.products);
    span.enough = SPANNED / (rotation->scale * rotation->scale);
    if (centred == NULL || span.triangle == NULL || span.pivots == NULL || span.products == NULL) {
        status = vgg_fail_memory(error);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dims; d++)
            centred[i * dims + d] = (double)rows[i * dims + d] - rotation->mean[d];
    status = find_span(&span, options, error);
    if (status == VGG_OK)
        status = keep(rotation, &span, centred, n, error);
done:
    free(span.triangle);
    free(span.pivots);
    free(span.products);
    return status;
}

enum vgg_status vgg_rotation_init(struct vgg_rotation *rotation, const struct vgg_fit_set *set,
                                  const struct vgg_fit_options *options, struct vgg_error *error)
{
    size_t rows = set->pictures * set->views;
    enum vgg_status status;

    *rotation = (struct vgg_rotation){.dims = set->dims};
    rotation->mean = vgg_calloc(set->dims, sizeof *rotation->mean);
    rotation->row = vgg_calloc(2, set->dims * sizeof *rotation->row);
    if (rotation->mean == NULL || rotation->row == NULL)
        return vgg_fail_memory(error);
    status = find_scale(rotation, set->rows, rows, error);
    if (status != VGG_OK)
        return status;
    return vgg_rotation_reduces(rows, set->dims)
               ? rotate_rows(rotation, set->rows, rows, options, error)
               : scale_rows(rotation, set->rows, rows, error);
}

/* ---------------------------------------------------------------- and back ------------------- */

/* Coordinates of a class's weights become its shares of the spanning rows: L^-T. */
static void solve_transposed(const double *triangle, size_t rank, double *weights)
{
    for (size_t q = rank; q-- > 0;) {
        weights[q] /= triangle[q * rank + q];
        for (size_t t = 0; t < q; t++)
            weights[t] -= weights[q] * triangle[q * rank + t];
    }
}

/* A class's weights for centred rows into rotation->row, before the scale. */
static void unrotate(const struct vgg_rotation *rotation, const double *layer)
{
    double *weights = rotation->row, *shares = weights + rotation->dims;

    if (rotation->spanning == NULL) {
        memcpy(weights, layer, rotation->dims * sizeof *weights);
        return;
    }
    memcpy(shares, layer, rotation->rank * sizeof *shares);
    solve_transposed(rotation->triangle, rotation->rank, shares);
    memset(weights, 0, rotation->dims * sizeof *weights);
    for (size_t q = 0; q < rotation->rank; q++)
        for (size_t d = 0; d < rotation->dims; d++)
            weights[d] += shares[q] * rotation->spanning[q * rotation->dims + d];
}

void vgg_rotation_return(const struct vgg_rotation *rotation, size_t classes, const double *layer,
                         double divisor, float *weights, float *bias)
{
    size_t dims = rotation->dims, rank = rotation->rank;

    for (size_t c = 0; c < classes; c++) {
        double shift = 0;

        unrotate(rotation, layer + c * rank);
        for (size_t d = 0; d < dims; d++) {
            shift += rotation->row[d] * rotation->scale * rotation->mean[d];
            weights[c * dims + d] = (float)(rotation->row[d] * rotation->scale / divisor);
        }
        bias[c] = (float)((layer[classes * rank + c] - shift) / divisor);
    }
}
