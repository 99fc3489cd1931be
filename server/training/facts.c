/* What follows from a result. */
#include "training/facts.h"

#include <inttypes.h>
#include <stdio.h>

#include "fit/rates.h"
#include "vgg_typicality.h"

static const double poor_error = 0.2, poor_part_of_chance = 0.5;

const char *freeze_word(enum vgg_freeze freeze, uint32_t blocks)
{
    static const char *const numbers[] = {"0", "1", "2", "3", "4", "5"};

    switch (freeze) {
    case VGG_FREEZE_FEATURES:
        return "features";
    case VGG_FREEZE_CONVS:
        return "convs";
    case VGG_FREEZE_BLOCKS:
        return numbers[blocks <= 5 ? blocks : 5];
    default:
        return "none";
    }
}

const char *facts_best(const struct vgg_train_result *result, char text[FACTS_BEST_BYTES])
{
    snprintf(text, FACTS_BEST_BYTES, "epoch %" PRIu32 "%s", result->best_epoch,
             result->best_epoch == 0 ? ", the fitted start" : "");
    return text;
}

bool facts_measured(const struct vgg_train_result *result)
{
    return result->measured != 0 && result->error >= 0;
}

size_t facts_wrong(const struct vgg_train_result *result, double interval[2])
{
    size_t wrong = (size_t)(result->error * (double)result->measured + 0.5);

    vgg_binomial_interval(wrong, result->measured, interval);
    return wrong;
}

double facts_chance(const struct facts *facts)
{
    return 1 - (double)facts->census->most / (double)facts->census->pictures;
}

bool facts_poor(const struct facts *facts, const struct vgg_train_result *result)
{
    return facts->base->kind == BASE_EMBEDDED && facts_measured(result) &&
           (result->error > poor_error ||
            result->error > poor_part_of_chance * facts_chance(facts));
}

double facts_reject(const struct vgg_train_result *result)
{
    const struct vgg_model_info info = {.typicality = (uint32_t)result->typicality,
                                        .reject = result->reject};

    return vgg_reject_level(&info, 0);
}
