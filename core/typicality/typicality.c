/* Distances of features, and what share of known pictures is as far. */
#include "typicality/typicality.h"

#include <math.h>
#include <stdlib.h>

enum { LANES = 8 }; /* sums side by side: one alone would wait for each addition */

uint64_t vgg_typicality_bytes(const struct vgg_typicality *typicality)
{
    uint64_t columns = (uint64_t)typicality->features + typicality->classes;

    return (typicality->dims * columns + typicality->known_n) * sizeof(float);
}

void vgg_typicality_fini(struct vgg_typicality *typicality)
{
    free(typicality->transform);
    free(typicality->means);
    free(typicality->distances);
    *typicality = (struct vgg_typicality){0};
}

static double product(const float *a, const float *b, size_t n)
{
    double lanes[LANES] = {0}, sum = 0;
    size_t whole = n / LANES * LANES;

    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += (double)a[i + j] * (double)b[i + j];
    for (size_t i = whole; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

double vgg_typicality_distance(const struct vgg_typicality *typicality, const float *x)
{
    double place[VGG_TYPICALITY_DIMS_MAX], least = INFINITY;
    double length = sqrt(product(x, x, typicality->features));

    for (size_t i = 0; i < typicality->dims; i++)
        place[i] = length > 0 ? product(typicality->transform + i * typicality->features, x,
                                        typicality->features) /
                                    length
                              : 0;
    for (size_t c = 0; c < typicality->classes; c++) {
        const float *mean = typicality->means + c * typicality->dims;
        double distance = 0;

        for (size_t i = 0; i < typicality->dims; i++) {
            double apart = place[i] - (double)mean[i];

            distance += apart * apart;
        }
        least = fmin(least, distance);
    }
    return least;
}

double vgg_typicality_p(const struct vgg_typicality *typicality, double distance)
{
    size_t n = typicality->known_n, low = 0, high = n; /* the first as far is in low .. high */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((double)typicality->distances[middle] >= distance)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)(1 + n - low) / (double)(n + 1);
}
