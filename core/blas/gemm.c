/*
 * SGEMM by OpenBLAS, but for small products: its AVX-512 kernels for those allocate memory at each
 * call and do not look whether they got it (0.3.21). They take up to a million multiply-adds.
 */
#include "blas/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>

#include "blas/openblas/openblas.h"

enum {
    SMALL = 100 * 100 * 100, /* multiply-adds: sgemm_small_kernel_permit of OpenBLAS */
    LANES = 4,               /* floats of the vector that every machine has */
    TILE_ROWS = 4,
    TILE_VECTORS = 2
};

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

bool vgg_gemm_start(void)
{
    return vgg_openblas_start();
}

/* A matrix by its first element and the elements from one row, and one column, to the next. */
struct matrix {
    const float *at;
    size_t stride, step;
};

/* c[4][8] += a[4][k] * b[k][8], in registers. */
static void multiply_tile(size_t k, struct matrix a, struct matrix b, float *c, size_t ldc)
{
    vector sums[TILE_ROWS][TILE_VECTORS] = {{{0}}};

    for (size_t i = 0; i < k; i++) {
        const vector *row = (const vector *)(const void *)(b.at + i * b.stride);

        for (size_t r = 0; r < TILE_ROWS; r++)
            for (size_t v = 0; v < TILE_VECTORS; v++)
                sums[r][v] += a.at[r * a.stride + i * a.step] * row[v];
    }
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t v = 0; v < TILE_VECTORS; v++)
            *(vector *)(void *)(c + r * ldc + v * LANES) += sums[r][v];
}

static void multiply_element(size_t k, struct matrix a, struct matrix b, float *c)
{
    float sum = 0;

    for (size_t i = 0; i < k; i++)
        sum += a.at[i * a.step] * b.at[i * b.stride];
    *c += sum;
}

static void multiply_small(size_t m, size_t n, size_t k, struct matrix a, struct matrix b, float *c,
                           size_t ldc)
{
    size_t whole_rows = m / TILE_ROWS * TILE_ROWS;
    size_t whole_columns = b.step == 1 ? n / (TILE_VECTORS * LANES) * (TILE_VECTORS * LANES) : 0;

    for (size_t y = 0; y < whole_rows; y += TILE_ROWS)
        for (size_t x = 0; x < whole_columns; x += TILE_VECTORS * LANES)
            multiply_tile(k, (struct matrix){a.at + y * a.stride, a.stride, a.step},
                          (struct matrix){b.at + x, b.stride, b.step}, c + y * ldc + x, ldc);
    for (size_t y = 0; y < m; y++)
        for (size_t x = y < whole_rows ? whole_columns : 0; x < n; x++)
            multiply_element(k, (struct matrix){a.at + y * a.stride, a.stride, a.step},
                             (struct matrix){b.at + x * b.step, b.stride, b.step}, c + y * ldc + x);
}

void vgg_gemm_add(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                  size_t ldb, float *c, size_t ldc)
{
    vgg_gemm_add_transposed(false, false, m, n, k, a, lda, b, ldb, c, ldc);
}

static struct matrix matrix_of(bool transposed, const float *at, size_t ld)
{
    return transposed ? (struct matrix){at, 1, ld} : (struct matrix){at, ld, 1};
}

static CBLAS_TRANSPOSE transposition(bool transposed)
{
    return transposed ? CblasTrans : CblasNoTrans;
}

void vgg_gemm_add_transposed(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k,
                             const float *a, size_t lda, const float *b, size_t ldb, float *c,
                             size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    if ((double)m * (double)n * (double)k <= SMALL) {
        multiply_small(m, n, k, matrix_of(a_transposed, a, lda), matrix_of(b_transposed, b, ldb), c,
                       ldc);
        return;
    }
    cblas_sgemm(CblasRowMajor, transposition(a_transposed), transposition(b_transposed), (blasint)m,
                (blasint)n, (blasint)k, 1.0F, a, (blasint)lda, b, (blasint)ldb, 1.0F, c,
                (blasint)ldc);
}
