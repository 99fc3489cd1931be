/* Test scales. */
#include <stdlib.h>

#include "vgg.h"

static int ascending(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    return (first > second) - (first < second);
}

size_t vgg_scales_normalise(uint32_t *scales, size_t n)
{
    size_t kept = 0;

    if (n != 0) /* `scales` may be NULL then */
        qsort(scales, n, sizeof *scales, ascending);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || scales[i] != scales[kept - 1])
            scales[kept++] = scales[i];
    return kept;
}
