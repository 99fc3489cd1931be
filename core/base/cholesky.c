/* Row by row, all products of rows. */
#include "base/cholesky.h"

#include <math.h>
#include <string.h>

#include "base/vectors.h"

void vgg_cholesky(double *a, size_t n, double least)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n;

        for (size_t j = 0; j < i; j++)
            row[j] = (row[j] - vgg_dot(row, a + j * n, j)) / a[j * n + j];
        row[i] = sqrt(fmax(row[i] - vgg_dot(row, row, i), least));
    }
}

void vgg_cholesky_invert(double *factor, size_t n, double *row)
{
    for (size_t i = 0; i < n; i++) {
        double *inverse = factor + i * n;
        double pivot = inverse[i];

        memcpy(row, inverse, i * sizeof *row);
        memset(inverse, 0, i * sizeof *inverse);
        for (size_t j = 0; j < i; j++)
            for (size_t k = 0; k <= j; k++)
                inverse[k] -= row[j] * factor[j * n + k];
        for (size_t k = 0; k < i; k++)
            inverse[k] /= pivot;
        inverse[i] = 1 / pivot;
    }
}

void vgg_cholesky_solve(const double *factor, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - vgg_dot(factor + i * n, x, i)) / factor[i * n + i];
}

void vgg_cholesky_solve_transposed(const double *factor, size_t n, double *x)
{
    for (size_t i = n; i-- > 0;) {
        const double *row = factor + i * n;

        x[i] /= row[i];
        for (size_t k = 0; k < i; k++)
            x[k] -= x[i] * row[k];
    }
}
