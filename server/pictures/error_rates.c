/* Counting errors. */
#include "pictures/error_rates.h"

#include <stdlib.h>
#include <string.h>

const char *protocol_name(enum test_protocol protocol)
{
    static const char *const names[PROTOCOLS] = {"dense", "multicrop", "both"};

    return names[protocol];
}

bool error_rates_init(struct error_rates *rates, enum test_protocol protocol, uint32_t classes,
                      size_t scales_n, bool flip)
{
    bool matrix = classes <= RATES_CONFUSION_MAX;

    *rates = (struct error_rates){
        .protocol = protocol, .classes = classes, .scales_n = scales_n, .flip = flip};
    rates->class_pictures = calloc(classes, sizeof *rates->class_pictures);
    rates->class_wrong = calloc(classes, sizeof *rates->class_wrong);
    rates->confusion = matrix ? calloc((size_t)classes * classes, sizeof *rates->confusion) : NULL;
    rates->sum = calloc(classes, sizeof *rates->sum);
    rates->mean = calloc(classes, sizeof *rates->mean);
    rates->posterior = calloc(classes, sizeof *rates->posterior);
    if (rates->class_pictures != NULL && rates->class_wrong != NULL &&
        (rates->confusion != NULL || !matrix) && rates->sum != NULL && rates->mean != NULL &&
        rates->posterior != NULL)
        return true;
    error_rates_fini(rates);
    return false;
}

void error_rates_fini(struct error_rates *rates)
{
    free(rates->class_pictures);
    free(rates->class_wrong);
    free(rates->confusion);
    free(rates->sum);
    free(rates->mean);
    free(rates->posterior);
    *rates = (struct error_rates){0};
}

bool error_rates_takes(const struct error_rates *rates, enum test_protocol protocol)
{
    return protocol != PROTOCOL_BOTH &&
           (rates->protocol == protocol || rates->protocol == PROTOCOL_BOTH);
}

bool error_rates_counts(const struct error_rates *rates, enum test_protocol protocol)
{
    return rates->protocol == protocol || rates->protocol == PROTOCOL_BOTH;
}

bool error_rates_has_top5(const struct error_rates *rates)
{
    return rates->classes > RATES_TOP;
}

double error_percent(size_t wrong, size_t n)
{
    return 100 * (double)wrong / (double)n;
}

/* ---------------------------------------------------------------- averages ------------------- */

/* Add the mean of some views to rates->mean: of one scale, or of all of them (scales_n). */
static void add_mean(struct error_rates *rates, const struct protocol_views *views, bool mirrors,
                     size_t scale)
{
    bool all = scale == rates->scales_n;
    size_t each = views->n / rates->scales_n, begin = all ? 0 : scale * each;
    size_t end = all ? views->n : begin + each, step = rates->flip && !mirrors ? 2 : 1;

    if (all && mirrors == rates->flip) { /* what the engine has averaged before it rounded */
        for (size_t c = 0; c < rates->classes; c++)
            rates->mean[c] += (double)views->answer[c];
        return;
    }
    memset(rates->sum, 0, rates->classes * sizeof *rates->sum);
    for (size_t view = begin; view < end; view += step)
        for (size_t c = 0; c < rates->classes; c++)
            rates->sum[c] += (double)views->views[view][c];
    for (size_t c = 0; c < rates->classes; c++)
        rates->mean[c] += rates->sum[c] / (double)((end - begin) / step);
}

/* Leave in rates->posterior what one combination answers. */
static void combine(struct error_rates *rates, const struct protocol_views views[2],
                    enum test_protocol protocol, bool mirrors, size_t scale)
{
    memset(rates->mean, 0, rates->classes * sizeof *rates->mean);
    for (unsigned i = PROTOCOL_DENSE; i <= PROTOCOL_CROPS; i++)
        if (protocol == i || protocol == PROTOCOL_BOTH)
            add_mean(rates, &views[i], mirrors, scale);
    for (size_t c = 0; c < rates->classes; c++)
        rates->posterior[c] = (float)(rates->mean[c] / (protocol == PROTOCOL_BOTH ? 2 : 1));
}

/* ---------------------------------------------------------------- counting ------------------- */

static void count(struct error_rates *rates, uint32_t truth, const struct protocol_views views[2],
                  enum test_protocol protocol, bool mirrors)
{
    for (size_t scale = 0; scale <= rates->scales_n; scale++) {
        struct error_count *wrong = &rates->wrong[protocol][mirrors][scale];
        uint32_t before;

        combine(rates, views, protocol, mirrors, scale);
        before = vgg_class_rank(rates->posterior, rates->classes, truth);
        wrong->top1 += before >= 1;
        wrong->top5 += before >= RATES_TOP;
    }
}

struct protocol_answer error_rates_add(struct error_rates *rates, uint32_t truth,
                                       const struct protocol_views views[2])
{
    struct protocol_answer answer;

    for (unsigned protocol = 0; protocol < PROTOCOLS; protocol++)
        if (error_rates_counts(rates, protocol)) {
            count(rates, truth, views, protocol, false);
            if (rates->flip)
                count(rates, truth, views, protocol, true);
        }
    /* The last combination is the answer: the whole protocol comes last, and all scales. */
    vgg_top_k(rates->posterior, rates->classes, 1, &answer.class);
    answer.score = rates->posterior[answer.class];
    rates->pictures++;
    rates->class_pictures[truth]++;
    rates->class_wrong[truth] += answer.class != truth;
    if (rates->confusion != NULL)
        rates->confusion[(size_t)truth * rates->classes + answer.class]++;
    return answer;
}
