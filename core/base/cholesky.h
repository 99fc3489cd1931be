/* Positive definite matrices, row-major with rows of n; the upper triangles are not touched. */
#ifndef VGG_CORE_BASE_CHOLESKY_H
#define VGG_CORE_BASE_CHOLESKY_H

#include <stddef.h>

/*
 * a[n][n] becomes its factor L, a = L * transposed L. A pivot below `least` (> 0), which rounding
 * may leave of a matrix that is nearly singular, counts as that.
 */
void vgg_cholesky(double *a, size_t n, double least);

/* A factor becomes its inverse; row[n] is scratch. */
void vgg_cholesky_invert(double *factor, size_t n, double *row);

/* x[n] becomes inverse(L) * x. */
void vgg_cholesky_solve(const double *factor, size_t n, double *x);

/* x[n] becomes inverse(transposed L) * x. */
void vgg_cholesky_solve_transposed(const double *factor, size_t n, double *x);

#endif
