/* Examples mixed in pairs. */
#include "feed/mixup.h"

#include <assert.h>
#include <math.h>

#include "base/random.h"
#include "base/streams.h"

double vgg_mixup_share(uint64_t seed, uint64_t epoch, uint64_t step, uint64_t pair, double alpha)
{
    struct vgg_random random;
    double one, sum;

    assert(alpha > 0 && alpha <= 1);
    vgg_random_init_keyed(&random, (uint64_t[]){seed, VGG_STREAM_MIXUP, epoch, step, pair}, 5);
    do { /* Joehnk's rejection */
        one = pow(vgg_random_uniform(&random), 1 / alpha);
        sum = one + pow(vgg_random_uniform(&random), 1 / alpha);
    } while (sum > 1 || !(sum > 0));
    return fmax(one / sum, 1 - one / sum);
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
