/* Products by tiles, one a thread; Cholesky's factor of those of the inputs. */
#include "narrow/gram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cholesky.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/vectors.h"
#include "blas/gemm.h"
#include "kernels/kernels.h"

enum { TILE = 192, TILE_FLOATS = TILE * TILE };

static const double CONSTANT = 1e-10;  /* variance by square mean: what rounding makes */
static const double HARDLY = 1e-4;     /* explained: no larger factor makes up for less */
static const double PIVOT_MIN = 1e-30; /* where all inputs are constant */

static size_t tiles_of(size_t n)
{
    return vgg_ceil_div(n, TILE);
}

enum vgg_status vgg_gram_init(struct vgg_gram *gram, size_t inputs, size_t outputs,
                              unsigned threads, struct vgg_error *error)
{
    *gram = (struct vgg_gram){
        .inputs = inputs,
        .outputs = outputs,
        .products = vgg_calloc_aligned(inputs + outputs, inputs * sizeof *gram->products),
        .sums = vgg_calloc(inputs + outputs, sizeof *gram->sums),
        .squares = vgg_calloc(outputs + 1, sizeof *gram->squares),
        .tiles = vgg_alloc_aligned(threads, TILE_FLOATS * sizeof *gram->tiles),
    };
    return gram->products != NULL && gram->sums != NULL && gram->squares != NULL &&
                   gram->tiles != NULL
               ? VGG_OK
               : vgg_fail_memory(error);
}

void vgg_gram_fini(struct vgg_gram *gram)
{
    free(gram->products);
    free(gram->sums);
    free(gram->squares);
    free(gram->tiles);
    *gram = (struct vgg_gram){.products = NULL};
}

uint64_t vgg_gram_bytes(size_t inputs, size_t outputs, unsigned threads)
{
    return vgg_mapped_bytes((inputs + outputs) * inputs * sizeof(double)) +
           vgg_mapped_bytes(threads * TILE_FLOATS * sizeof(float)) +
           (inputs + 2 * outputs) * sizeof(double);
}

/* ---------------------------------------------------------------- sums ----------------------- */

struct add_loop {
    struct vgg_gram *gram;
    size_t rows;
    const float *x, *y;
};

/* Columns of x or of y: at most a tile of them. */
struct columns {
    const float *at;
    size_t stride, n;
    size_t first; /* among the rows of the products */
};

static struct columns columns_of(const struct add_loop *loop, size_t tile)
{
    const struct vgg_gram *gram = loop->gram;
    size_t x_tiles = tiles_of(gram->inputs), first = tile * TILE;

    if (tile < x_tiles)
        return (struct columns){loop->x + first, gram->inputs,
                                vgg_min_size(TILE, gram->inputs - first), first};
    first = (tile - x_tiles) * TILE;
    return (struct columns){loop->y + first, gram->outputs,
                            vgg_min_size(TILE, gram->outputs - first), gram->inputs + first};
}

static void add_sums(const struct add_loop *loop, const struct columns *columns)
{
    struct vgg_gram *gram = loop->gram;

    for (size_t r = 0; r < loop->rows; r++)
        for (size_t i = 0; i < columns->n; i++) {
            double value = (double)columns->at[r * columns->stride + i];
            size_t at = columns->first + i;

            gram->sums[at] += value;
            if (at >= gram->inputs)
                gram->squares[at - gram->inputs] += value * value;
        }
}

/* Item: a tile of the products, by its row and its column of tiles. */
static void add_tile(void *context, size_t item, unsigned thread)
{
    const struct add_loop *loop = context;
    struct vgg_gram *gram = loop->gram;
    size_t x_tiles = tiles_of(gram->inputs), i = item / x_tiles, j = item % x_tiles;
    const struct columns a = columns_of(loop, i), b = columns_of(loop, j);
    float *tile = gram->tiles + (size_t)thread * TILE_FLOATS;

    if (j == 0)
        add_sums(loop, &a);
    if (i < x_tiles && j > i)
        return;
    memset(tile, 0, TILE_FLOATS * sizeof *tile);
    vgg_gemm_add_transposed(true, false, a.n, b.n, loop->rows, a.at, a.stride, b.at, b.stride, tile,
                            TILE);
    for (size_t r = 0; r < a.n; r++)
        for (size_t c = 0; c < b.n; c++)
            gram->products[(a.first + r) * gram->inputs + b.first + c] +=
                (double)tile[r * TILE + c];
}

void vgg_gram_add(struct vgg_gram *gram, struct vgg_team *team, size_t rows, const float *x,
                  const float *y)
{
    struct add_loop loop = {gram, rows, x, y};
    size_t x_tiles = tiles_of(gram->inputs);

    vgg_team_run(team, add_tile, &loop, (x_tiles + tiles_of(gram->outputs)) * x_tiles);
    gram->rows += rows;
}

void vgg_gram_centre(struct vgg_gram *gram)
{
    double n = (double)gram->rows;

    for (size_t i = 0; i < gram->inputs + gram->outputs; i++)
        for (size_t j = 0; j < gram->inputs && (i >= gram->inputs || j <= i); j++)
            gram->products[i * gram->inputs + j] -= gram->sums[i] * (gram->sums[j] / n);
    for (size_t o = 0; o < gram->outputs; o++) {
        double sum = gram->sums[gram->inputs + o];

        gram->squares[o] -= sum * (sum / n);
        if (gram->squares[o] <= CONSTANT * sum * (sum / n))
            gram->squares[o] = 0;
    }
}

/* ---------------------------------------------------------------- the fit -------------------- */

struct fit_loop {
    struct vgg_gram *gram;
    double ridge;
    float *weights, *biases;
};

/*
 * Item: an output. With G = A'A + ridge = L L' and b = A'y, w is L'^-1 L^-1 b, so that b'w is
 * |L^-1 b|^2, and the squares of A w are that less ridge * |w|^2.
 */
static void fit_output(void *context, size_t item, unsigned thread)
{
    const struct fit_loop *loop = context;
    struct vgg_gram *gram = loop->gram;
    size_t n = gram->inputs;
    double rows = (double)gram->rows, mean = gram->sums[n + item] / rows;
    double *w = gram->products + (n + item) * n, all = gram->squares[item];
    double gain, given, scale;

    (void)thread;
    if (all == 0)
        memset(w, 0, n * sizeof *w);
    vgg_cholesky_solve(gram->products, n, w);
    gain = vgg_dot(w, w, n);
    vgg_cholesky_solve_transposed(gram->products, n, w);
    given = gain - loop->ridge * vgg_dot(w, w, n);
    scale = all > 0 ? sqrt(rows / fmax(given, HARDLY * all)) : 1;
    for (size_t i = 0; i < n; i++)
        loop->weights[item * n + i] = (float)(scale * w[i]);
    loop->biases[item] = (float)(scale * (mean - vgg_dot(w, gram->sums, n) / rows));
    gram->squares[item] = all > 0 ? 1 - (all - 2 * gain + given) / all : 1;
}

double vgg_gram_fit(struct vgg_gram *gram, struct vgg_team *team, double ridge, float *weights,
                    float *biases)
{
    size_t n = gram->inputs;
    struct fit_loop loop = {.gram = gram, .weights = weights, .biases = biases};
    double explained = 0;

    for (size_t i = 0; i < n; i++)
        loop.ridge += ridge * gram->products[i * n + i] / (double)n;
    for (size_t i = 0; i < n; i++)
        gram->products[i * n + i] += loop.ridge;
    vgg_cholesky(gram->products, n, PIVOT_MIN);
    vgg_team_run(team, fit_output, &loop, gram->outputs);
    for (size_t o = 0; o < gram->outputs; o++)
        explained += gram->squares[o] / (double)gram->outputs;
    return explained;
}
