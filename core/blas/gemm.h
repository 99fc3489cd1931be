/* Single-precision matrix product, by OpenBLAS (the only file that includes cblas.h is gemm.c). */
#ifndef VGG_CORE_BLAS_GEMM_H
#define VGG_CORE_BLAS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * To be called before the first product; again, it does nothing. OpenBLAS keeps to the calling
 * thread: the team above it is the only parallelism. False: out of memory, none may be computed.
 */
bool vgg_gemm_start(void);

enum { VGG_GEMM_BYTES = (32 << 22) + (64 << 10) }; /* of the address space, taken by it */

/* c[m][n] += a[m][k] * b[k][n], row-major with leading dimensions lda, ldb, ldc (elements). */
void vgg_gemm_add(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                  size_t ldb, float *c, size_t ldc);

/*
 * The same where a is given as its transpose, a[k][m], or b as its, b[n][k]: `a_transposed` and
 * `b_transposed` say so.
 */
void vgg_gemm_add_transposed(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k,
                             const float *a, size_t lda, const float *b, size_t ldb, float *c,
                             size_t ldc);

#endif
