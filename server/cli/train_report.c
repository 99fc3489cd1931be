/* What a training tells, for its report. */
#include "cli/train_report.h"

#include "process/terminal.h"

static void say_base(struct html_report *report, const struct vgg_train_options *options,
                     const struct facts *facts)
{
    if (options->base == NULL)
        html_report_say(report, "All layers were trained, without a base.");
    else if (facts->base_width != 0)
        html_report_say(report,
                        "The base is %s, of width %u; the layers of a network of width %u were "
                        "fitted to its own, and then all trained.",
                        options->base, facts->base_width, options->width);
    else if (options->freeze == VGG_FREEZE_FEATURES)
        html_report_say(report,
                        "The base is %s, of which all layers but the last stayed as they were; the "
                        "last was fitted anew.",
                        options->base);
    else if (options->freeze == VGG_FREEZE_CONVS)
        html_report_say(report,
                        "The base is %s, whose convolutions stayed as they were; the "
                        "fully-connected layers were trained.",
                        options->base);
    else if (options->freeze == VGG_FREEZE_BLOCKS)
        html_report_say(report,
                        "The base is %s, whose first %u blocks of convolutions stayed as they "
                        "were; the rest was trained.",
                        options->base, options->freeze_blocks);
    else
        html_report_say(report, "The base is %s; all layers were trained on.", options->base);
}

static void say_result(struct html_report *report, const struct vgg_train_result *result)
{
    char best[FACTS_BEST_BYTES];

    if (result->best_error >= 0)
        html_report_say(report, "The file holds %s; of %u epochs none had less validation error.",
                        facts_best(result, best), result->epochs);
    if (result->strength > 0)
        html_report_say(report,
                        "How firmly the weights of the last layer are held small was chosen by the "
                        "pictures left out: %.3g (strength of L2).",
                        result->strength);
}

bool train_report_write(struct html_report *report, const char *directory,
                        const struct vgg_train_options *options, const struct facts *facts,
                        const struct vgg_train_result *result)
{
    const struct html_report_subject subject = {
        .directory = directory,
        .model = options->output,
        .name = options->name,
        .reject = facts_reject(result),
        .training = result,
    };
    struct vgg_error error = {0};

    say_base(report, options, facts);
    if (facts->options[0] != '\0')
        html_report_say(report, "Chosen unasked:%s", facts->options);
    say_result(report, result);
    if (html_report_write(report, &subject, &error) == VGG_OK)
        return true;
    terminal_say("--report %s", error.text);
    return false;
}
