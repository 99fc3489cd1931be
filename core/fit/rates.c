/* Intervals of rates. */
#include "fit/rates.h"

#include <assert.h>
#include <math.h>

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
