/* vgg eval --json: every error rate in one object. */
#include <inttypes.h>

#include "pictures/error_report.h"
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
        text_print(text, ",\"%s\":%.9g", key, error_percent(wrong, n));
    else
        text_print(text, ",\"%s\":null", key);
}

static void print_wrong(struct text *text, const struct error_rates *rates,
                        const struct error_count *wrong)
{
    print_percent(text, "top1_error", wrong->top1, rates->pictures);
    print_percent(text, "top5_error", wrong->top5,
                  error_rates_has_top5(rates) ? rates->pictures : 0);
}

static void print_scales(struct text *text, const uint32_t *scales, size_t n)
{
    text_print(text, ",\"scales\":[");
    for (size_t i = 0; i < n; i++)
        text_print(text, "%s%" PRIu32, i != 0 ? "," : "", scales[i]);
    text_print(text, "]");
}

/* "protocol", "scales", "flip" and the errors of one combination; `scale` is one of them or all. */
static void print_combination(struct text *text, const struct error_report *report,
                              enum test_protocol protocol, bool mirrors, size_t scale)
{
    const struct vgg_request *request = report->request;
    bool all = scale == request->scales_n;

    text_print(text, "\"protocol\":\"%s\"", protocol_name(protocol));
    print_scales(text, request->scales + (all ? 0 : scale), all ? scale : 1);
    text_print(text, ",\"flip\":%s", mirrors ? "true" : "false");
    print_wrong(text, report->rates, &report->rates->wrong[protocol][mirrors][scale]);
}

/* One scale has no line of its own besides that of all scales. */
static void print_results(struct text *text, const struct error_report *report)
{
    const struct error_rates *rates = report->rates;
    const char *between = "";

    text_print(text, ",\"results\":[");
    for (unsigned protocol = 0; protocol < PROTOCOLS; protocol++)
        for (unsigned mirrors = 0; mirrors <= rates->flip; mirrors++)
            for (size_t scale = rates->scales_n > 1 ? 0 : 1; scale <= rates->scales_n; scale++) {
                if (!error_rates_counts(rates, protocol))
                    continue;
                text_print(text, "%s{", between);
                print_combination(text, report, protocol, mirrors == 1, scale);
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

static void print_classes(struct text *text, const struct error_report *report)
{
    const struct error_rates *rates = report->rates;
    const char *between = "";

    text_print(text, ",\"classes\":[");
    for (uint32_t i = 0; i < rates->classes; i++) {
        if (rates->class_pictures[i] == 0)
            continue;
        text_print(text, "%s{", between);
        print_class(text, report->model, i);
        text_print(text, ",\"pictures\":%zu", rates->class_pictures[i]);
        print_percent(text, "top1_error", rates->class_wrong[i], rates->class_pictures[i]);
        text_print(text, "}");
        between = ",";
    }
    text_print(text, "]");
}

static void print_confusion(struct text *text, const struct error_rates *rates)
{
    if (rates->confusion == NULL) {
        text_print(text, ",\"confusion\":null");
        return;
    }
    text_print(text, ",\"confusion\":[");
    for (size_t i = 0; i < rates->classes; i++) {
        text_print(text, "%s[", i != 0 ? "," : "");
        for (size_t answer = 0; answer < rates->classes; answer++)
            text_print(text, "%s%zu", answer != 0 ? "," : "",
                       rates->confusion[i * rates->classes + answer]);
        text_print(text, "]");
    }
    text_print(text, "]");
}

/* The skipped pictures, or the misclassified ones. */
static void print_files(struct text *text, const struct error_report *report, bool skipped)
{
    const char *between = "";

    text_print(text, ",\"%s\":[", skipped ? "skipped" : "misclassified");
    for (size_t i = 0; i < report->folders->pictures.n; i++) {
        const struct error_outcome *outcome = &report->outcomes[i];
        uint32_t class = report->folders->classes[i];

        if (skipped ? outcome->skipped == NULL
                    : outcome->skipped != NULL || outcome->answer.class == class)
            continue;
        text_print(text, "%s{\"file\":", between);
        text_json(text, report->folders->pictures.items[i].path);
        if (skipped)
            print_string(text, "detail", outcome->skipped);
        else {
            text_print(text, ",\"class\":{");
            print_class(text, report->model, class);
            text_print(text, "},\"answer\":{");
            print_class(text, report->model, outcome->answer.class);
            text_print(text, ",\"score\":%.9g}", (double)outcome->answer.score);
        }
        text_print(text, "}");
        between = ",";
    }
    text_print(text, "]");
}

static void print_area(struct text *text, const char *key, double area)
{
    if (area >= 0)
        text_print(text, ",\"%s\":%.9g", key, area);
    else
        text_print(text, ",\"%s\":null", key);
}

static void print_unknown(struct text *text, const struct unknown *unknown)
{
    const struct typicalities *of_known = &unknown->of_known, *of_unknown = &unknown->of_unknown;

    text_print(text, ",\"unknown\":{\"reject\":%.9g,\"pictures\":%zu", unknown->level,
               of_unknown->n);
    print_percent(text, "caught", of_unknown->below, of_unknown->n);
    text_print(text, ",\"known\":%zu", of_known->n);
    print_percent(text, "refused", of_known->below, of_known->n);
    print_area(text, "auroc", unknown->auroc);
    print_area(text, "auroc_left_out", unknown->auroc_left_out);
    text_print(text, "}");
}

char *error_report_json(const struct error_report *report, size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(report->model);
    const struct error_rates *rates = report->rates;
    struct text text = {0};

    text_print(&text, "{\"model\":{\"arch\":\"%s\"", info->arch);
    print_string(&text, "name", info->name);
    print_string(&text, "version", info->version);
    print_string(&text, "kernel", info->kernel);
    print_string(&text, "precision", info->precision);
    print_string(&text, "fc_weights", info->fc_weights);
    text_print(&text, "},");
    print_combination(&text, report, rates->protocol, rates->flip, rates->scales_n);
    text_print(&text, ",\"pictures\":%zu", rates->pictures);
    print_results(&text, report);
    print_classes(&text, report);
    print_confusion(&text, rates);
    if (report->unknown != NULL)
        print_unknown(&text, report->unknown);
    print_files(&text, report, true);
    if (report->errors)
        print_files(&text, report, false);
    text_print(&text, "}\n");
    return text_take(&text, size);
}
