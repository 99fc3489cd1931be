/* Lines of JSON about a training. */
#include "training/telling_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ,"KEY":VALUE; null where it was not measured. */
static void add_number(struct text *text, const char *key, double value, bool measured)
{
    if (measured && isfinite(value))
        text_print(text, ",\"%s\":%.6g", key, value);
    else
        text_print(text, ",\"%s\":null", key);
}

static void add_string(struct text *text, const char *key, const char *value)
{
    text_print(text, ",\"%s\":", key);
    if (value != NULL && *value != '\0')
        text_json(text, value);
    else
        text_print(text, "null");
}

static char *finish(struct text *text)
{
    size_t size;

    text_append(text, "}}\n", 4);
    return text_take(text, &size);
}

char *telling_plan_json(const struct facts *facts)
{
    const struct vgg_train_plan *plan = &facts->plan;
    const struct base *base = facts->base;
    struct text text = {0};

    text_print(&text, "{\"plan\":{\"classes\":%zu,\"pictures\":%zu,\"validation\":%zu",
               plan->classes, plan->pictures, plan->validation);
    add_string(&text, "base", base->kind != BASE_NONE ? base_word(base) : NULL);
    add_string(&text, "freeze", freeze_word(facts->freeze, facts->freeze_blocks));
    add_string(&text, "options", facts->options);
    text_print(&text, ",\"folds\":%" PRIu32 ",\"views\":%zu,\"cached\":%zu", plan->folds,
               plan->views, plan->cached);
    add_number(&text, "seconds", plan->seconds, true);
    text_print(&text, ",\"bytes\":%" PRIu64, plan->bytes);
    return finish(&text);
}

char *telling_narrowing_json(const struct vgg_train_narrowing *narrowing)
{
    struct text text = {0};

    text_print(&text, "{\"narrowing\":{\"width\":%" PRIu32 ",\"base_width\":%" PRIu32,
               narrowing->width, narrowing->base_width);
    for (size_t i = 0; i < narrowing->layers; i++)
        text_print(&text, "%s%.6f", i == 0 ? ",\"explained\":[" : ",", narrowing->explained[i]);
    text_print(&text, "]");
    return finish(&text);
}

static void add_error(struct text *text, const struct vgg_train_result *result, bool measured)
{
    double interval[2] = {0, 1};

    if (measured)
        (void)facts_wrong(result, interval);
    add_number(text, "error", result->error, measured);
    add_number(text, "error_least", interval[0], measured);
    add_number(text, "error_most", interval[1], measured);
}

char *telling_result_json(const struct facts *facts, const struct vgg_train_result *result)
{
    bool measured = facts_measured(result);
    bool calibrated = measured && result->temperature > 0;
    struct text text = {0};

    text_print(&text, "{\"result\":{\"epochs\":%" PRIu32 ",\"best_epoch\":%" PRIu32, result->epochs,
               result->best_epoch);
    add_string(&text, "output", facts->output);
    text_print(&text, ",\"measured\":%zu", result->measured);
    add_error(&text, result, measured);
    add_number(&text, "nll_before", result->nll[0], calibrated);
    add_number(&text, "nll", result->nll[1], calibrated);
    add_number(&text, "ece_before", result->ece[0], calibrated);
    add_number(&text, "ece", result->ece[1], calibrated);
    add_number(&text, "ece_noise", result->ece_noise, calibrated);
    add_number(&text, "temperature", result->temperature, calibrated);
    add_number(&text, "strength", result->strength, result->strength > 0);
    text_print(&text, ",\"typicality\":%zu", result->typicality);
    add_string(&text, "typicality_reason", result->typicality_reason);
    add_number(&text, "reject", facts_reject(result), result->typicality != 0);
    text_print(&text, ",\"unknown\":%zu", result->unknown);
    add_number(&text, "unknown_auroc", result->unknown_auroc,
               result->unknown != 0 && result->unknown_auroc >= 0);
    add_number(&text, "unknown_caught", result->unknown_caught,
               result->unknown != 0 && result->unknown_caught >= 0);
    text_print(&text, ",\"poor\":%s", facts_poor(facts, result) ? "true" : "false");
    return finish(&text);
}
