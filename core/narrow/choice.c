/*
 * Greedily, as in a Cholesky factor with pivots: what is left of the covariance loses what the
 * channel that is taken explains.
 */
#include "narrow/choice.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The length of the next layer's weights of a channel. */
static double weight_of(const float *weights, const struct vgg_conv *next, size_t channel)
{
    size_t taps = (size_t)next->kernel * next->kernel;
    double sum = 0;

    for (size_t o = 0; o < next->out; o++)
        for (size_t t = 0; t < taps; t++) {
            double weight = (double)weights[(o * next->in + channel) * taps + t];

            sum += weight * weight;
        }
    return sqrt(sum);
}

void vgg_weigh_channels(double *covariance, size_t n, const float *weights,
                        const struct vgg_conv *next)
{
    for (size_t c = 0; c < n; c++) {
        double weight = weight_of(weights, next, c);

        for (size_t j = 0; j <= c; j++)
            covariance[c * n + j] *= weight;
        for (size_t i = c; i < n; i++)
            covariance[i * n + c] *= weight;
    }
}

/* ---------------------------------------------------------------- the choice ----------------- */

static const double EXPLAINED = 1e-9; /* of the whole variance: what rounding leaves of a channel */

static bool is_chosen(const uint32_t *chosen, size_t n, size_t channel)
{
    for (size_t i = 0; i < n; i++)
        if (chosen[i] == channel)
            return true;
    return false;
}

/* The channel that explains most of all the variance that is left. */
static uint32_t find_best(const double *rest, size_t n, double least, const uint32_t *chosen,
                          size_t chosen_n)
{
    double most = -1;
    size_t best = 0;

    for (size_t i = 0; i < n; i++) {
        double gain = 0;

        if (is_chosen(chosen, chosen_n, i))
            continue;
        for (size_t j = 0; j < n; j++)
            gain += rest[i * n + j] * rest[i * n + j];
        gain /= fmax(rest[i * n + i], least);
        if (gain > most) {
            most = gain;
            best = i;
        }
    }
    return (uint32_t)best;
}

/* Leave what it does not explain; nothing is left of itself. */
static void take(double *rest, size_t n, double least, size_t best)
{
    const double *row = rest + best * n;
    double variance = fmax(row[best], least);

    for (size_t i = 0; i < n; i++) {
        double part = row[i] / variance;

        for (size_t j = 0; j < n && i != best; j++)
            rest[i * n + j] -= part * row[j];
        if (i != best)
            rest[i * n + best] = 0;
    }
    memset(rest + best * n, 0, n * sizeof *rest);
}

static void sort(uint32_t *values, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint32_t value = values[j];

            values[j] = values[j - 1];
            values[j - 1] = value;
        }
}

void vgg_choose_channels(double *covariance, size_t n, size_t k, uint32_t *chosen)
{
    double least = 0;

    for (size_t i = 0; i < n; i++) {
        least += EXPLAINED * covariance[i * n + i];
        for (size_t j = 0; j < i; j++)
            covariance[j * n + i] = covariance[i * n + j];
    }
    least = fmax(least, 1e-300); /* all are constant */
    for (size_t i = 0; i < k; i++) {
        chosen[i] = find_best(covariance, n, least, chosen, i);
        take(covariance, n, least, chosen[i]);
    }
    sort(chosen, k);
}
