/* Lines about a training. */
#include "training/telling.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/terminal.h"
#include "training/command_line.h"
#include "training/telling_json.h"

static const double enough_error = 0.05; /* with less nobody asks for more */
static const double hardly = 0.05;       /* what a temperature near 1 changes */

enum {
    SAID_BYTES = 3 * BASE_PATH_BYTES,
    TIME_BYTES = 32,
    JUDGED_FROM = 500 /* pictures, of which a tenth is set aside, that a descent can be judged by */
};

/* ---------------------------------------------------------------- words ---------------------- */

/* A line on standard output, of texts of any origin. */
static void say(const char *format, ...) VGG_PRINTF(1, 2);
static void say(const char *format, ...)
{
    char line[SAID_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    terminal_text(stdout, line, SIZE_MAX);
    putchar('\n');
}

/* A text that was put together, or what little can be said without memory. */
static const char *text_of(struct text *text)
{
    text_append(text, "", 1);
    return text->failed ? "(out of memory)" : text->bytes;
}

/* Nothing ends at once: reading files and fitting a layer take seconds that are in no prediction.
 */
static void format_time(double seconds, char text[TIME_BYTES])
{
    if (seconds < 100)
        snprintf(text, TIME_BYTES, "%.0f seconds", fmax(5, ceil(seconds)));
    else if (seconds < 100 * 60)
        snprintf(text, TIME_BYTES, "%.0f minutes", ceil(seconds / 60));
    else if (seconds < 48 * 3600)
        snprintf(text, TIME_BYTES, "%.1f hours", seconds / 3600);
    else
        snprintf(text, TIME_BYTES, "%.1f days", seconds / 86400);
}

/* ---------------------------------------------------------------- the choice ----------------- */

static void say_fetch(const char *name)
{
    struct text text = {0};

    base_print_fetch(name, &text);
    say("    %s", text_of(&text));
    free(text.bytes);
}

static void say_base(const struct facts *facts)
{
    switch (facts->base->kind) {
    case BASE_PUBLISHED:
        say("base: %s%s", facts->base->path, facts->why);
        say("  the published network, which has seen a thousand kinds of things");
        break;
    case BASE_EMBEDDED:
        say("base: the model inside this program%s", facts->why);
        say("  It has seen six kinds of rubbish, one thing on plain ground each: good for such "
            "things,");
        say("  poor for most else. The published VGG-16 is far better; this brings it (553 MB, "
            "once):");
        say_fetch("vgg16");
        break;
    default:
        say("base: %s", facts->base->path);
    }
}

static void say_frozen(const struct facts *facts, const struct vgg_train_options *options)
{
    if (facts->base_width != 0) {
        say("  width %" PRIu32 " of %" PRIu32 ": its layers are fitted to the base's; then all of "
            "them train (--freeze none)",
            options->width, facts->base_width);
        return;
    }
    switch (options->freeze) {
    case VGG_FREEZE_FEATURES:
        say("  its layers stay as they are; a new last layer is fitted to what they see (--freeze "
            "features)");
        break;
    case VGG_FREEZE_CONVS:
        say("  its convolutions stay as they are; the layers above them train (--freeze convs)");
        break;
    case VGG_FREEZE_BLOCKS:
        say("  its first %" PRIu32 " of 5 blocks of convolutions stay as they are; what is above "
            "trains (--freeze %" PRIu32 ")",
            options->freeze_blocks, options->freeze_blocks);
        break;
    default:
        say("  all of its layers train (--freeze none)");
    }
}

void telling_choice(const struct facts *facts, const struct vgg_train_options *options)
{
    struct text text = {0};

    if (facts->json)
        return;
    census_print(facts->census, &text);
    say("%s", text_of(&text));
    free(text.bytes);
    if (facts->base->kind == BASE_NONE) {
        say("no base%s", facts->why);
        if (facts->options[0] != '\0')
            say("  chosen:%s", facts->options);
    } else {
        say_base(facts);
        say_frozen(facts, options);
    }
}

/* ---------------------------------------------------------------- the work ------------------- */

void telling_plan(const struct facts *facts)
{
    const struct vgg_train_plan *plan = &facts->plan;
    char time[TIME_BYTES], cached[48] = "";

    if (facts->json) {
        char *line = telling_plan_json(facts);

        fputs(line != NULL ? line : "", stdout);
        free(line);
        return;
    }
    format_time(plan->seconds, time);
    if (plan->cached != 0)
        snprintf(cached, sizeof cached, " (%zu are in the cache)", plan->cached);
    if (plan->views != 0)
        say("%zu pictures, %zu views of each%s: about %s and %" PRIu64 " MiB of memory",
            plan->pictures + plan->validation, plan->views, cached, time, plan->bytes >> 20);
    else
        say("%zu pictures to train on and %zu to validate: about %s and %" PRIu64 " MiB of memory",
            plan->pictures, plan->validation, time, plan->bytes >> 20);
}

void telling_narrowing(const struct facts *facts, const struct vgg_train_narrowing *narrowing)
{
    const double *explained = narrowing->explained;

    if (facts->json) {
        char *line = telling_narrowing_json(narrowing);

        fputs(line != NULL ? line : "", stdout);
        free(line);
        return;
    }
    say("width %" PRIu32 " of %" PRIu32 ": the first layer explains %.1f %% of the variance of its "
        "channels in the base, the last %.1f %%",
        narrowing->width, narrowing->base_width, 100 * explained[0],
        100 * explained[narrowing->layers - 1]);
}

void telling_epoch(struct facts *facts, const struct vgg_train_epoch *epoch)
{
    if (facts->json) {
        fputs(epoch->json, stdout);
        return;
    }
    if (!facts->headed)
        printf("epoch      rate      loss     error  val.loss val.error       time\n");
    facts->headed = true;
    if (epoch->epoch == 0) {
        printf("%5d %9s %9s %9s %9.4f %8.2f%%%s\n", 0, "-", "-", "-", epoch->validation_loss,
               100 * epoch->validation_error, epoch->best ? " *" : "");
        return;
    }
    printf("%5" PRIu32 " %9g %9.4f %8.2f%% %9.4f %8.2f%%%s %8.1f s\n", epoch->epoch, epoch->rate,
           epoch->loss, 100 * epoch->error, epoch->validation_loss, 100 * epoch->validation_error,
           epoch->best ? " *" : "  ", epoch->seconds);
}

const char *telling_smaller(const struct facts *facts)
{
    if (facts->freeze == VGG_FREEZE_FEATURES)
        return "a narrower base, and smaller test scales (--scales)";
    if (facts->base_width != 0)
        return "a smaller --width, --crop or --batch";
    return facts->base->kind != BASE_NONE ? "--freeze features, a smaller --batch"
                                          : "--batch 1, a smaller --crop, --width or --fc";
}

/* ---------------------------------------------------------------- the result ----------------- */

static void say_more(const struct facts *facts)
{
    say("  for fewer: more pictures, or the same with --freeze 4, which trains more layers and "
        "takes longer");
    if (facts->plan.pictures + facts->plan.validation < JUDGED_FROM)
        say("  (of fewer than about %d photographs its error can hardly be told, and it has no "
            "\"known\")",
            JUDGED_FROM);
}

static void say_error(const struct facts *facts, const struct vgg_train_result *result)
{
    double interval[2];
    size_t wrong;

    if (!facts_measured(result))
        return;
    wrong = facts_wrong(result, interval);
    say("%zu of %zu %s wrong%s: %.1f %% (%.1f to %.1f with 95 %% certainty; "
        "always naming the largest class: %.1f)",
        wrong, result->measured,
        facts->plan.folds != 0 || facts->plan.validation == 0 ? "pictures" : "validation pictures",
        facts->plan.folds != 0 ? " when left out" : "", 100 * result->error, 100 * interval[0],
        100 * interval[1], 100 * facts_chance(facts));
    if (facts->freeze == VGG_FREEZE_FEATURES && facts->base->kind != BASE_EMBEDDED &&
        result->error > enough_error)
        say_more(facts);
}

/* With one temperature for all scores, spoken of where it changes them. */
static void say_calibration(const struct vgg_train_result *result)
{
    char before[64] = "";

    if (!(result->temperature > 0) || result->ece[1] < 0)
        return;
    if (fabs(result->temperature - 1) >= hardly)
        snprintf(before, sizeof before, "%.1f before scores were calibrated; ",
                 100 * result->ece[0]);
    say("on average a score is %.1f points of 100 away from how often it is right (%sof %zu "
        "pictures chance alone makes that %.1f)",
        100 * result->ece[1], before, result->measured, 100 * result->ece_noise);
}

static void say_typicality(const struct vgg_train_result *result)
{
    if (result->typicality == 0) {
        if (result->typicality_reason[0] != '\0')
            say("it cannot tell what is none of these: %s", result->typicality_reason);
        return;
    }
    say("of what is unlike these \"known\" is false: below a typicality of %.3g (from %zu "
        "pictures)",
        facts_reject(result), result->typicality);
    if (result->unknown != 0 && result->unknown_caught >= 0)
        say("  so it finds %.0f %% of the %zu pictures in _unknown (AUROC %.3f)",
            100 * result->unknown_caught, result->unknown, result->unknown_auroc);
    else
        say("  how much it finds depends on what; a folder _unknown with pictures of other things "
            "shows it");
}

/* The path as a server elsewhere needs it. */
static void print_reload(const char *output, struct text *text)
{
    char *whole = realpath(output, NULL);
    struct text body = {0};

    text_print(&body, "{\"model\":");
    text_json(&body, whole != NULL ? whole : output);
    text_append(&body, "}", 2);
    text_print(text, "curl -H 'Content-Type: application/json' -d ");
    text_shell(text, body.failed ? "{}" : body.bytes);
    text_print(text, " localhost:8081/admin/reload");
    free(body.bytes);
    free(whole);
}

static void say_serving(const struct facts *facts)
{
    struct text serve = {0}, reload = {0};

    if (access("docker/fetch-model.sh", R_OK) == 0) {
        text_print(&serve, "make run MODEL=");
        text_shell(&serve, facts->output);
    } else
        command_line_print(&serve, 3, (char *[]){"serve", "--model", (char *)facts->output}, "");
    print_reload(facts->output, &reload);
    say("serve it:              %s", text_of(&serve));
    say("in a running server:   %s", text_of(&reload));
    free(serve.bytes);
    free(reload.bytes);
}

/* The last line of all. */
static void warn_if_poor(const struct facts *facts, const struct vgg_train_result *result)
{
    struct text mend = {0}, more = {0};
    struct base published;

    if (!facts_poor(facts, result))
        return;
    if (base_open("vgg16", &published, NULL) != VGG_OK) {
        base_print_fetch("vgg16", &mend);
        text_print(&mend, " && ");
    }
    text_print(&more, "%s --base vgg16", facts->options);
    command_line_print(&mend, facts->argc, facts->argv, text_of(&more));
    fflush(stdout);
    terminal_say(
        "%.0f %% wrong is poor: the embedded model knows too little of such things. With the "
        "published VGG-16 as base (553 MB, once): %s",
        100 * result->error, text_of(&mend));
    free(mend.bytes);
    free(more.bytes);
}

static void say_copies(struct facts *facts)
{
    struct text classes = {0}, validation = {0};

    copies_print_classes(&facts->copies, &classes);
    copies_print_validation(&facts->copies, &validation);
    if (classes.size != 0)
        say("%s", text_of(&classes));
    if (validation.size != 0)
        say("%s", text_of(&validation));
    free(classes.bytes);
    free(validation.bytes);
}

static void say_files(const struct facts *facts, const struct vgg_train_result *result)
{
    char best[FACTS_BEST_BYTES];

    if (result->best_error >= 0)
        say("%s holds %s, validation error %.2f%%", facts->output, facts_best(result, best),
            100 * result->best_error);
    else
        say("%s is written", facts->output);
    if (facts->report != NULL && !facts->unreported)
        say("%s shows the mistakes, in a browser", facts->report);
    say_serving(facts);
}

void telling_result(struct facts *facts, const struct vgg_train_result *result)
{
    if (facts->json) {
        char *line = telling_result_json(facts, result);

        fputs(line != NULL ? line : "", stdout);
        free(line);
    } else {
        say_error(facts, result);
        say_calibration(result);
        say_typicality(result);
        say_copies(facts);
        if (facts->output != NULL)
            say_files(facts, result);
    }
    if (facts->output != NULL)
        warn_if_poor(facts, result);
}

void telling_resume(const struct facts *facts, const struct vgg_train_options *options)
{
    const bool saved =
        options->freeze != VGG_FREEZE_FEATURES && access(options->checkpoint, R_OK) == 0;
    struct text text = {0}, more = {0};

    if (!saved && options->features_cache == NULL)
        return; /* nothing is kept */
    text_print(&more, "%s", facts->options);
    if (facts->base->kind != BASE_NONE && !facts->base_said) {
        text_print(&more, " --base ");
        text_shell(&more, base_word(facts->base));
    }
    text_print(&more, saved && !options->resume ? " --resume" : "");
    command_line_print(&text, facts->argc, facts->argv, text_of(&more));
    fflush(stdout);
    terminal_say("to go on: %s", text_of(&text));
    free(text.bytes);
    free(more.bytes);
}
