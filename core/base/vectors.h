/* Sums of products in double, always in one order. */
#ifndef VGG_CORE_BASE_VECTORS_H
#define VGG_CORE_BASE_VECTORS_H

#include <stddef.h>
#include <string.h>

typedef double vgg_pair __attribute__((vector_size(2 * sizeof(double))));

static inline vgg_pair vgg_pair_load(const double *x)
{
    vgg_pair pair;

    memcpy(&pair, x, sizeof pair);
    return pair;
}

static inline double vgg_dot(const double *a, const double *b, size_t n)
{
    vgg_pair sum[2] = {{0}};
    double rest = 0;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        sum[0] += vgg_pair_load(a + i) * vgg_pair_load(b + i);
        sum[1] += vgg_pair_load(a + i + 2) * vgg_pair_load(b + i + 2);
    }
    for (; i < n; i++)
        rest += a[i] * b[i];
    sum[0] += sum[1];
    return sum[0][0] + sum[0][1] + rest;
}

#endif
