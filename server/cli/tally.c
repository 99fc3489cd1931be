/* Counting errors. */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

bool tally_init(struct tally *tally, enum tally_protocol protocol, uint32_t classes,
                size_t scales_n, bool flip)
{
    bool matrix = classes <= TALLY_CONFUSION_MAX;

    *tally = (struct tally){
        .protocol = protocol, .classes = classes, .scales_n = scales_n, .flip = flip};
    tally->class_pictures = calloc(classes, sizeof *tally->class_pictures);
    tally->class_wrong = calloc(classes, sizeof *tally->class_wrong);
    tally->confusion = matrix ? calloc((size_t)classes * classes, sizeof *tally->confusion) : NULL;
    tally->sum = calloc(classes, sizeof *tally->sum);
    tally->mean = calloc(classes, sizeof *tally->mean);
    tally->posterior = calloc(classes, sizeof *tally->posterior);
    if (tally->class_pictures != NULL && tally->class_wrong != NULL &&
        (tally->confusion != NULL || !matrix) && tally->sum != NULL && tally->mean != NULL &&
        tally->posterior != NULL)
        return true;
    tally_fini(tally);
    return false;
}

void tally_fini(struct tally *tally)
{
    free(tally->class_pictures);
    free(tally->class_wrong);
    free(tally->confusion);
    free(tally->sum);
    free(tally->mean);
    free(tally->posterior);
    *tally = (struct tally){0};
}

bool tally_takes(const struct tally *tally, enum tally_protocol protocol)
{
    return protocol != TALLY_BOTH && (tally->protocol == protocol || tally->protocol == TALLY_BOTH);
}

bool tally_counts(const struct tally *tally, enum tally_protocol protocol)
{
    return tally->protocol == protocol || tally->protocol == TALLY_BOTH;
}

bool tally_has_top5(const struct tally *tally)
{
    return tally->classes > TALLY_TOP;
}

double tally_percent(size_t wrong, size_t n)
{
    return 100 * (double)wrong / (double)n;
}

/* ---------------------------------------------------------------- averages ------------------- */

/* Add the mean of some views to tally->mean: of one scale, or of all of them (scales_n). */
static void add_mean(struct tally *tally, const struct tally_views *views, bool mirrors,
                     size_t scale)
{
    bool all = scale == tally->scales_n;
    size_t each = views->n / tally->scales_n, begin = all ? 0 : scale * each;
    size_t end = all ? views->n : begin + each, step = tally->flip && !mirrors ? 2 : 1;

    if (all && mirrors == tally->flip) { /* what the engine has averaged before it rounded */
        for (size_t c = 0; c < tally->classes; c++)
            tally->mean[c] += (double)views->answer[c];
        return;
    }
    memset(tally->sum, 0, tally->classes * sizeof *tally->sum);
    for (size_t view = begin; view < end; view += step)
        for (size_t c = 0; c < tally->classes; c++)
            tally->sum[c] += (double)views->views[view][c];
    for (size_t c = 0; c < tally->classes; c++)
        tally->mean[c] += tally->sum[c] / (double)((end - begin) / step);
}

/* Leave in tally->posterior what one combination answers. */
static void combine(struct tally *tally, const struct tally_views views[2],
                    enum tally_protocol protocol, bool mirrors, size_t scale)
{
    memset(tally->mean, 0, tally->classes * sizeof *tally->mean);
    for (unsigned i = TALLY_DENSE; i <= TALLY_CROPS; i++)
        if (protocol == i || protocol == TALLY_BOTH)
            add_mean(tally, &views[i], mirrors, scale);
    for (size_t c = 0; c < tally->classes; c++)
        tally->posterior[c] = (float)(tally->mean[c] / (protocol == TALLY_BOTH ? 2 : 1));
}

/* Classes that vgg_top_k puts before `truth`. */
static size_t rank(const struct tally *tally, uint32_t truth)
{
    const float *posterior = tally->posterior;
    size_t before = 0;

    for (uint32_t c = 0; c < tally->classes; c++)
        before +=
            posterior[c] > posterior[truth] || (posterior[c] == posterior[truth] && c < truth);
    return before;
}

/* ---------------------------------------------------------------- counting ------------------- */

static void count(struct tally *tally, uint32_t truth, const struct tally_views views[2],
                  enum tally_protocol protocol, bool mirrors)
{
    for (size_t scale = 0; scale <= tally->scales_n; scale++) {
        struct tally_wrong *wrong = &tally->wrong[protocol][mirrors][scale];
        size_t before;

        combine(tally, views, protocol, mirrors, scale);
        before = rank(tally, truth);
        wrong->top1 += before >= 1;
        wrong->top5 += before >= TALLY_TOP;
    }
}

struct tally_answer tally_add(struct tally *tally, uint32_t truth,
                              const struct tally_views views[2])
{
    struct tally_answer answer;

    for (unsigned protocol = 0; protocol < TALLY_PROTOCOLS; protocol++)
        if (tally_counts(tally, protocol)) {
            count(tally, truth, views, protocol, false);
            if (tally->flip)
                count(tally, truth, views, protocol, true);
        }
    /* The last combination is the answer: the whole protocol comes last, and all scales. */
    vgg_top_k(tally->posterior, tally->classes, 1, &answer.class);
    answer.score = tally->posterior[answer.class];
    tally->pictures++;
    tally->class_pictures[truth]++;
    tally->class_wrong[truth] += answer.class != truth;
    if (tally->confusion != NULL)
        tally->confusion[(size_t)truth * tally->classes + answer.class]++;
    return answer;
}
