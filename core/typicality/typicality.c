/* Distances of features, and what share of known pictures is as far. */
#include "typicality/typicality.h"

#include <math.h>
#include <stdlib.h>

void vgg_typicality_fini(struct vgg_typicality *typicality)
{
    free(typicality->transform);
    free(typicality->means);
    free(typicality->distances);
    *typicality = (struct vgg_typicality){0};
}

double vgg_typicality_p(const struct vgg_typicality *typicality, double distance)
{
    size_t low = 0, high = typicality->known_n; /* the first that is as far lies in low .. high */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (typicality->distances[middle] >= distance)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)(1 + typicality->known_n - low) / (double)(typicality->known_n + 1);
}
