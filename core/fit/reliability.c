/* Counting in bins, of the answers and of simulated ones. */
#include "fit/reliability.h"

#include <math.h>

void vgg_reliability_init(struct vgg_reliability *reliability)
{
    *reliability = (struct vgg_reliability){.n = 0};
    vgg_random_init(&reliability->random, 0);
}

void vgg_reliability_add(struct vgg_reliability *reliability, double confidence, bool right)
{
    size_t bin = (size_t)fmin(confidence * VGG_RELIABILITY_BINS, VGG_RELIABILITY_BINS - 1);

    reliability->n++;
    reliability->bins[bin].n++;
    reliability->bins[bin].right += right;
    reliability->bins[bin].confidence += confidence;
    for (size_t round = 0; round < VGG_RELIABILITY_ROUNDS; round++)
        reliability->excess[round][bin] +=
            (vgg_random_uniform(&reliability->random) < confidence) - confidence;
}

double vgg_reliability_error(const struct vgg_reliability *reliability)
{
    double sum = 0;

    for (size_t i = 0; i < VGG_RELIABILITY_BINS; i++)
        sum += fabs((double)reliability->bins[i].right - reliability->bins[i].confidence);
    return reliability->n != 0 ? sum / (double)reliability->n : 0;
}

double vgg_reliability_noise(const struct vgg_reliability *reliability)
{
    double sum = 0;

    for (size_t round = 0; round < VGG_RELIABILITY_ROUNDS; round++)
        for (size_t i = 0; i < VGG_RELIABILITY_BINS; i++)
            sum += fabs(reliability->excess[round][i]);
    return reliability->n != 0 ? sum / VGG_RELIABILITY_ROUNDS / (double)reliability->n : 0;
}
