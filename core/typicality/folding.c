/* Signs are drawn once and for all, so that a fit depends on its pictures alone. */
#include "typicality/folding.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"

bool vgg_folding_init(struct vgg_folding *folding, size_t features, size_t dims)
{
    struct vgg_random random;

    *folding = (struct vgg_folding){features, dims, vgg_alloc(features, sizeof *folding->signs)};
    vgg_random_init(&random, 0);
    for (size_t i = 0; i < features && folding->signs != NULL; i++)
        folding->signs[i] = vgg_random_next(&random) >> 63 != 0 ? 1 : -1;
    return folding->signs != NULL;
}

void vgg_folding_fini(struct vgg_folding *folding)
{
    free(folding->signs);
    *folding = (struct vgg_folding){0};
}

void vgg_fold(const struct vgg_folding *folding, const float *x, double scale, double *out,
              size_t stride)
{
    for (size_t d = 0; d < folding->dims; d++) {
        double sum = 0;

        for (size_t i = d; i < folding->features; i += folding->dims)
            sum += (double)x[i] * (double)folding->signs[i];
        out[d * stride] = sum * scale;
    }
}

void vgg_unfold(const struct vgg_folding *folding, const double *lower, float *transform)
{
    for (size_t d = 0; d < folding->dims; d++)
        for (size_t i = 0; i < folding->features; i++) {
            size_t j = i % folding->dims;

            transform[d * folding->features + i] =
                j <= d ? folding->signs[i] * (float)lower[d * folding->dims + j] : 0;
        }
}
