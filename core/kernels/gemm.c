/* SGEMM by OpenBLAS. */
#include "kernels/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>

void vgg_gemm_init(void)
{
    openblas_set_num_threads(1);
}

void vgg_gemm_add(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                  size_t ldb, float *c, size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0F,
                a, (blasint)lda, b, (blasint)ldb, 1.0F, c, (blasint)ldc);
}
