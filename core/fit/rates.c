/* Ranks and intervals of rates. */
#include "fit/rates.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double vgg_auroc(double *low, size_t low_n, double *high, size_t high_n)
{
    size_t below = 0, not_above = 0;
    double halves = 0; /* of the pairs that are in order: exact below 2^53 */

    assert(low_n > 0 && high_n > 0);
    qsort(low, low_n, sizeof *low, ascending);
    qsort(high, high_n, sizeof *high, ascending);
    for (size_t i = 0; i < high_n; i++) {
        while (below < low_n && low[below] < high[i])
            below++;
        while (not_above < low_n && low[not_above] <= high[i])
            not_above++;
        halves += (double)(below + not_above);
    }
    return halves / 2 / (double)low_n / (double)high_n;
}

void vgg_binomial_interval(size_t hits, size_t n, double interval[2])
{
    const double z = 1.959963984540054; /* of a normal, 97.5 % are below */
    double trials = (double)n, rate = (double)hits / trials, more = z * z / trials;
    double centre = rate + more / 2;
    double half = z * sqrt(rate * (1 - rate) / trials + more / trials / 4);

    assert(n > 0 && hits <= n);
    interval[0] = hits == 0 ? 0 : (centre - half) / (1 + more);
    interval[1] = hits == n ? 1 : (centre + half) / (1 + more);
}
