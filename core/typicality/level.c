/* Levels of typicality, and the area under the ROC curve. */
#include "typicality/level.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "vgg_typicality.h"

static const double REJECT_MAX = 0.05; /* of the levels that unknown pictures choose */

/* A level that is asked for, but at least 2 / (known_n + 1). */
static double at_least(double asked, size_t known_n)
{
    return fmax(asked, 2 / (double)(known_n + 1));
}

double vgg_level_caught(const double *p, size_t n, double level)
{
    size_t below = 0;

    while (below < n && p[below] < level)
        below++;
    return (double)below / (double)n;
}

double vgg_level_choose(const double *unknown, size_t n, size_t known_n)
{
    double best = at_least(0, known_n);

    for (size_t i = 3; (double)i <= REJECT_MAX * (double)(known_n + 1); i++) {
        double level = (double)i / (double)(known_n + 1);

        if (vgg_level_caught(unknown, n, level) - level > vgg_level_caught(unknown, n, best) - best)
            best = level;
    }
    return best;
}

double vgg_reject_level(const struct vgg_model_info *info, double asked)
{
    if (info->typicality == 0)
        return 0;
    return at_least(asked > 0 ? asked : info->reject, info->typicality);
}

/* ---------------------------------------------------------------- the ROC curve -------------- */

static int ascending(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;

    return (first > second) - (first < second);
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
