/* vgg eval --json: every error rate in one object. */
#include <inttypes.h>

#include "cli/eval_report.h"
#include "text/text.h"

/* ,"KEY":"VALUE", or nothing for NULL. */
static void print_string(struct text *text, const char *key, const char *value)
{
    if (value == NULL)
        return;
    text_print(text, ",\"%s\":", key);
    text_json(text, value);
}

/* In per cent, null where nothing was counted. */
static void print_percent(struct text *text, const char *key, size_t wrong, size_t n)
{
    if (n != 0)
        text_print(text, ",\"%s\":%.9g", key, tally_percent(wrong, n));
    else
        text_print(text, ",\"%s\":null", key);
}

static void print_wrong(struct text *text, const struct tally *tally,
                        const struct tally_wrong *wrong)
{
    print_percent(text, "top1_error", wrong->top1, tally->pictures);
    print_percent(text, "top5_error", wrong->top5, tally_has_top5(tally) ? tally->pictures : 0);
}

static void print_scales(struct text *text, const uint32_t *scales, size_t n)
{
    text_print(text, ",\"scales\":[");
    for (size_t i = 0; i < n; i++)
        text_print(text, "%s%" PRIu32, i != 0 ? "," : "", scales[i]);
    text_print(text, "]");
}

/* "protocol", "scales", "flip" and the errors of one combination; `scale` is one of them or all. */
static void print_combination(struct text *text, const struct eval_result *result,
                              enum tally_protocol protocol, bool mirrors, size_t scale)
{
    const struct vgg_request *request = result->request;
    bool all = scale == request->scales_n;

    text_print(text, "\"protocol\":\"%s\"", eval_protocol_name(protocol));
    print_scales(text, request->scales + (all ? 0 : scale), all ? scale : 1);
    text_print(text, ",\"flip\":%s", mirrors ? "true" : "false");
    print_wrong(text, result->tally, &result->tally->wrong[protocol][mirrors][scale]);
}

/* One scale has no line of its own besides that of all scales. */
static void print_results(struct text *text, const struct eval_result *result)
{
    const struct tally *tally = result->tally;
    const char *between = "";

    text_print(text, ",\"results\":[");
    for (unsigned protocol = 0; protocol < TALLY_PROTOCOLS; protocol++)
        for (unsigned mirrors = 0; mirrors <= tally->flip; mirrors++)
            for (size_t scale = tally->scales_n > 1 ? 0 : 1; scale <= tally->scales_n; scale++) {
                if (!tally_counts(tally, protocol))
                    continue;
                text_print(text, "%s{", between);
                print_combination(text, result, protocol, mirrors == 1, scale);
                text_print(text, "}");
                between = ",";
            }
    text_print(text, "]");
}

/* "index", "id" and "label" of a class. */
static void print_class(struct text *text, const struct vgg_model *model, uint32_t index)
{
    const char *id, *label;

    vgg_model_get_label(model, index, &id, &label);
    text_print(text, "\"index\":%" PRIu32, index);
    print_string(text, "id", id);
    print_string(text, "label", label);
}

static void print_classes(struct text *text, const struct eval_result *result)
{
    const struct tally *tally = result->tally;
    const char *between = "";

    text_print(text, ",\"classes\":[");
    for (uint32_t i = 0; i < tally->classes; i++) {
        if (tally->class_pictures[i] == 0)
            continue;
        text_print(text, "%s{", between);
        print_class(text, result->model, i);
        text_print(text, ",\"pictures\":%zu", tally->class_pictures[i]);
        print_percent(text, "top1_error", tally->class_wrong[i], tally->class_pictures[i]);
        text_print(text, "}");
        between = ",";
    }
    text_print(text, "]");
}

static void print_confusion(struct text *text, const struct tally *tally)
{
    if (tally->confusion == NULL) {
        text_print(text, ",\"confusion\":null");
        return;
    }
    text_print(text, ",\"confusion\":[");
    for (size_t i = 0; i < tally->classes; i++) {
        text_print(text, "%s[", i != 0 ? "," : "");
        for (size_t answer = 0; answer < tally->classes; answer++)
            text_print(text, "%s%zu", answer != 0 ? "," : "",
                       tally->confusion[i * tally->classes + answer]);
        text_print(text, "]");
    }
    text_print(text, "]");
}

/* The skipped pictures, or the misclassified ones. */
static void print_files(struct text *text, const struct eval_result *result, bool skipped)
{
    const char *between = "";

    text_print(text, ",\"%s\":[", skipped ? "skipped" : "misclassified");
    for (size_t i = 0; i < result->folders->pictures.n; i++) {
        const struct eval_outcome *outcome = &result->outcomes[i];
        uint32_t class = result->folders->classes[i];

        if (skipped ? outcome->skipped == NULL
                    : outcome->skipped != NULL || outcome->answer.class == class)
            continue;
        text_print(text, "%s{\"file\":", between);
        text_json(text, result->folders->pictures.items[i].path);
        if (skipped)
            print_string(text, "detail", outcome->skipped);
        else {
            text_print(text, ",\"class\":{");
            print_class(text, result->model, class);
            text_print(text, "},\"answer\":{");
            print_class(text, result->model, outcome->answer.class);
            text_print(text, ",\"score\":%.9g}", (double)outcome->answer.score);
        }
        text_print(text, "}");
        between = ",";
    }
    text_print(text, "]");
}

char *eval_report_json(const struct eval_result *result, size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(result->model);
    const struct tally *tally = result->tally;
    struct text text = {0};

    text_print(&text, "{\"model\":{\"arch\":\"%s\"", info->arch);
    print_string(&text, "name", info->name);
    print_string(&text, "version", info->version);
    print_string(&text, "kernel", info->kernel);
    print_string(&text, "fc_weights", info->fc_weights);
    text_print(&text, "},");
    print_combination(&text, result, tally->protocol, tally->flip, tally->scales_n);
    text_print(&text, ",\"pictures\":%zu", tally->pictures);
    print_results(&text, result);
    print_classes(&text, result);
    print_confusion(&text, tally);
    print_files(&text, result, true);
    if (result->errors)
        print_files(&text, result, false);
    text_print(&text, "}\n");
    return text_take(&text, size);
}
