/* Examples mixed in pairs. */
#include "feed/mixup.h"

#include <assert.h>
#include <math.h>

#include "base/random.h"
#include "base/streams.h"

double vgg_mixup_share(uint64_t seed, uint64_t epoch, uint64_t step, uint64_t pair, double alpha)
{
    struct vgg_random random;
    double one, other, share;

    assert(alpha > 0 && alpha <= 1);
    vgg_random_init_keyed(&random, (uint64_t[]){seed, VGG_STREAM_MIXUP, epoch, step, pair}, 5);
    do { /* Joehnk's rejection */
        one = vgg_random_uniform(&random);
        other = vgg_random_uniform(&random);
    } while (pow(one, 1 / alpha) + pow(other, 1 / alpha) > 1 || !(one > 0));
    /* By the ratio: of a small alpha both powers are too small for a number. */
    share = 1 / (1 + pow(other / one, 1 / alpha));
    return fmax(share, 1 - share);
}

void vgg_mixup(float *one, float *other, size_t n, double share)
{
    float own = (float)share, rest = (float)(1 - share);

    for (size_t i = 0; i < n; i++) {
        float first = one[i], second = other[i];

        one[i] = own * first + rest * second;
        other[i] = own * second + rest * first;
    }
}
