/* The temperature by a search along one line; how well scores are calibrated, by bins. */
#include "fit/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "fit/reliability.h"

static const double LEAST = 1e-30; /* posterior whose logarithm is taken */

/* ---------------------------------------------------------------- posteriors ----------------- */

struct posteriors {
    const struct vgg_logits *logits;
    double temperature;
    double *all;   /* [pictures][classes], or */
    double *truth; /* [pictures]: that of its label */
};

/* 1 over the sum of a view's exponentials, and their greatest logit. */
static double normaliser(const float *row, size_t classes, double temperature, double *most)
{
    double sum = 0;

    *most = (double)row[0];
    for (size_t c = 1; c < classes; c++)
        *most = fmax(*most, (double)row[c]);
    for (size_t c = 0; c < classes; c++)
        sum += exp(((double)row[c] - *most) / temperature);
    return 1 / sum;
}

/* Item: a picture. */
static void all_item(void *context, size_t item, unsigned thread)
{
    const struct posteriors *posteriors = context;
    const struct vgg_logits *logits = posteriors->logits;
    double *out = posteriors->all + item * logits->classes;

    (void)thread;
    for (size_t c = 0; c < logits->classes; c++)
        out[c] = 0;
    for (size_t v = 0; v < logits->views; v++) {
        const float *row = logits->rows + (item * logits->views + v) * logits->classes;
        double most, part = normaliser(row, logits->classes, posteriors->temperature, &most) /
                            (double)logits->views;

        for (size_t c = 0; c < logits->classes; c++)
            out[c] += part * exp(((double)row[c] - most) / posteriors->temperature);
    }
}

/* Item: a picture. */
static void truth_item(void *context, size_t item, unsigned thread)
{
    const struct posteriors *posteriors = context;
    const struct vgg_logits *logits = posteriors->logits;
    double sum = 0;

    (void)thread;
    for (size_t v = 0; v < logits->views; v++) {
        const float *row = logits->rows + (item * logits->views + v) * logits->classes;
        double most, part = normaliser(row, logits->classes, posteriors->temperature, &most);

        sum += part * exp(((double)row[logits->labels[item]] - most) / posteriors->temperature);
    }
    posteriors->truth[item] = sum / (double)logits->views;
}

void vgg_temperature_apply(const struct vgg_logits *logits, double temperature,
                           struct vgg_team *team, double *posteriors)
{
    struct posteriors all = {.logits = logits, .temperature = temperature, .all = posteriors};

    vgg_team_run(team, all_item, &all, logits->pictures);
}

/* ---------------------------------------------------------------- temperature ---------------- */

struct search {
    struct posteriors posteriors;
    struct vgg_team *team;
    double mistake; /* part of each picture that counts as one */
};

/* The loss at exp(x). */
static double loss_at(struct search *search, double x)
{
    size_t n = search->posteriors.logits->pictures;
    double mistake = search->mistake, loss = 0;

    search->posteriors.temperature = exp(x);
    vgg_team_run(search->team, truth_item, &search->posteriors, n);
    for (size_t i = 0; i < n; i++) {
        double truth = search->posteriors.truth[i];

        loss -= (1 - mistake) * log(fmax(truth, LEAST)) + mistake * log(fmax(1 - truth, LEAST));
    }
    return loss;
}

/* Steps in the better direction, until it gets worse: the minimum is within a step of the result.
 */
static double descend(struct search *search, double step, double limit)
{
    double x = 0, loss = loss_at(search, 0), next = loss_at(search, step);

    if (next >= loss) {
        step = -step;
        next = loss_at(search, step);
    }
    while (next < loss) {
        x += step;
        loss = next;
        next = fabs(x + step) <= limit ? loss_at(search, x + step) : INFINITY;
    }
    return x;
}

/* The minimum between two ends, by the golden section. */
static double section(struct search *search, double low, double high)
{
    static const double GOLDEN = 0.6180339887498949;
    double x[2] = {high - GOLDEN * (high - low), low + GOLDEN * (high - low)};
    double loss[2] = {loss_at(search, x[0]), loss_at(search, x[1])};

    while (high - low > 1e-4)
        if (loss[0] <= loss[1]) {
            high = x[1];
            x[1] = x[0];
            loss[1] = loss[0];
            x[0] = high - GOLDEN * (high - low);
            loss[0] = loss_at(search, x[0]);
        } else {
            low = x[0];
            x[0] = x[1];
            loss[0] = loss[1];
            x[1] = low + GOLDEN * (high - low);
            loss[1] = loss_at(search, x[1]);
        }
    return (low + high) / 2;
}

/* The temperature of least loss. */
static double minimise(struct search *search, double mistake)
{
    const double limit = log(20), step = limit / 6;
    double x;

    search->mistake = mistake;
    x = descend(search, step, limit);
    return exp(section(search, fmax(x - step, -limit), fmin(x + step, limit)));
}

enum vgg_status vgg_temperature_fit(const struct vgg_logits *logits, struct vgg_team *team,
                                    double *temperature, struct vgg_error *error)
{
    struct search search = {.posteriors = {.logits = logits}, .team = team};

    search.posteriors.truth = vgg_alloc(logits->pictures, sizeof(double));
    if (search.posteriors.truth == NULL)
        return vgg_fail_memory(error);
    *temperature = minimise(&search, 0);
    if (*temperature < 1)
        *temperature =
            fmax(*temperature, fmin(minimise(&search, 1 / ((double)logits->pictures + 2)), 1));
    free(search.posteriors.truth);
    return VGG_OK;
}

/* ---------------------------------------------------------------- calibration ---------------- */

static size_t best_of(const double *posterior, size_t classes)
{
    size_t best = 0;

    for (size_t c = 1; c < classes; c++)
        if (posterior[c] > posterior[best])
            best = c;
    return best;
}

double vgg_log_loss(const double *posteriors, size_t pictures, size_t classes,
                    const uint32_t *labels, const double *weights)
{
    double loss = 0, sum = 0;

    for (size_t i = 0; i < pictures; i++) {
        double weight = weights != NULL ? weights[i] : 1;

        loss -= weight * log(fmax(posteriors[i * classes + labels[i]], LEAST));
        sum += weight;
    }
    return sum > 0 ? loss / sum : 0;
}

struct vgg_calibration vgg_calibration_of(const double *posteriors, size_t pictures, size_t classes,
                                          const uint32_t *labels)
{
    struct vgg_calibration out = {0};
    struct vgg_reliability reliability;

    vgg_reliability_init(&reliability);
    for (size_t i = 0; i < pictures; i++) {
        const double *posterior = posteriors + i * classes;
        size_t best = best_of(posterior, classes);

        vgg_reliability_add(&reliability, posterior[best], best == labels[i]);
        out.error += best != labels[i];
    }
    out.error /= (double)pictures;
    out.nll = vgg_log_loss(posteriors, pictures, classes, labels, NULL);
    out.ece = vgg_reliability_error(&reliability);
    out.noise = vgg_reliability_noise(&reliability);
    return out;
}
