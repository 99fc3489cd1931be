/* Tables of error rates. */
#include "pictures/error_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "process/terminal.h"

enum { NAME_WIDTH = 30, SCALES_BYTES = VGG_SCALES_MAX * 5 + 1 };

static const char *const titles[PROTOCOLS] = {"dense", "multi-crop", "both averaged"};

/* Label, else id, else NULL. */
static const char *class_name(const struct vgg_model *model, uint32_t index)
{
    const char *id, *label;

    vgg_model_get_label(model, index, &id, &label);
    return label != NULL ? label : id;
}

/* ---------------------------------------------------------------- cells ---------------------- */

/* A text in a column. */
static void print_name(const char *text, size_t width)
{
    for (size_t used = terminal_text(stdout, text, width); used < width; used++)
        fputc(' ', stdout);
}

static void print_class_name(const struct vgg_model *model, uint32_t index, size_t width)
{
    const char *name = class_name(model, index);
    char number[16];

    snprintf(number, sizeof number, "%" PRIu32, index);
    print_name(name != NULL ? name : number, width);
}

/* The width of the names of all classes that were met. */
static size_t names_width(const struct error_report *report)
{
    size_t widest = strlen("class");

    for (uint32_t i = 0; i < report->rates->classes; i++) {
        const char *name = class_name(report->model, i);

        if (name != NULL && report->rates->class_pictures[i] != 0 && strlen(name) > widest)
            widest = strlen(name);
    }
    return widest < NAME_WIDTH ? widest : NAME_WIDTH;
}

/* Top-1, and top-5 where it says something; without mirrors and with them. */
static void print_wrong(const struct error_rates *rates, enum test_protocol protocol, size_t scale)
{
    for (unsigned mirrors = 0; mirrors <= rates->flip; mirrors++) {
        const struct error_count *wrong = &rates->wrong[protocol][mirrors][scale];

        printf("  %8.1f", error_percent(wrong->top1, rates->pictures));
        if (error_rates_has_top5(rates))
            printf("  %6.1f", error_percent(wrong->top5, rates->pictures));
    }
    fputc('\n', stdout);
}

/* ---------------------------------------------------------------- tables --------------------- */

/* "256,384,512" */
static void format_scales(const struct vgg_request *request, char text[SCALES_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; i < request->scales_n; i++)
        used += (size_t)snprintf(text + used, SCALES_BYTES - used, "%s%" PRIu32, i != 0 ? "," : "",
                                 request->scales[i]);
}

/* A title and what the columns hold; `width` is that of the first. */
static void print_heading(const struct error_rates *rates, const char *title, const char *first,
                          int width)
{
    bool top5 = error_rates_has_top5(rates);

    printf("\n%-*s  %*s", width, title, top5 ? 16 : 8, top5 ? "original only" : "original");
    if (rates->flip)
        printf("  %*s", top5 ? 16 : 8, top5 ? "with mirrors" : "mirrors");
    printf("\n%-*s", width, first);
    for (unsigned mirrors = 0; mirrors <= rates->flip; mirrors++)
        printf("  %8s%s", "top-1", top5 ? "   top-5" : "");
    fputc('\n', stdout);
}

/* Tables 3 and 4: one scale a line, then all together. Table 5: the protocols beside each other. */
static void print_rates(const struct error_report *report)
{
    const struct vgg_request *request = report->request;
    const struct error_rates *rates = report->rates;
    char all[SCALES_BYTES];
    size_t last = strlen(titles[PROTOCOL_BOTH]);
    int width;

    format_scales(request, all);
    width = (int)(strlen(all) > last ? strlen(all) : last);
    for (unsigned i = PROTOCOL_DENSE; i <= PROTOCOL_CROPS; i++) {
        if (!error_rates_counts(rates, i))
            continue;
        print_heading(rates, titles[i], "Q", width);
        for (size_t scale = 0; scale < request->scales_n; scale++) {
            printf("%-*" PRIu32, width, request->scales[scale]);
            print_wrong(rates, i, scale);
        }
        if (request->scales_n > 1) {
            printf("%-*s", width, all);
            print_wrong(rates, i, request->scales_n);
        }
    }
    if (rates->protocol != PROTOCOL_BOTH)
        return;
    print_heading(rates, all, "protocol", width);
    for (unsigned i = 0; i < PROTOCOLS; i++) {
        printf("%-*s", width, titles[i]);
        print_wrong(rates, i, request->scales_n);
    }
}

static void print_classes(const struct error_report *report)
{
    const struct error_rates *rates = report->rates;
    size_t width = names_width(report);

    printf("\n%-*s  %8s  %6s\n", (int)width, "class", "pictures", "top-1");
    for (uint32_t i = 0; i < rates->classes; i++)
        if (rates->class_pictures[i] != 0) {
            print_class_name(report->model, i, width);
            printf("  %8zu  %6.1f\n", rates->class_pictures[i],
                   error_percent(rates->class_wrong[i], rates->class_pictures[i]));
        }
}

/* Rows are the classes, columns the answers. */
static void print_confusion(const struct error_report *report)
{
    const struct error_rates *rates = report->rates;
    size_t width = names_width(report);

    printf("\n%-*s       answers\n%*s  ", (int)width, "class", (int)width, "");
    for (uint32_t i = 0; i < rates->classes; i++)
        printf(" %5" PRIu32, i);
    fputc('\n', stdout);
    for (uint32_t i = 0; i < rates->classes; i++) {
        print_class_name(report->model, i, width);
        printf("%2" PRIu32, i);
        for (uint32_t answer = 0; answer < rates->classes; answer++)
            printf(" %5zu", rates->confusion[(size_t)i * rates->classes + answer]);
        fputc('\n', stdout);
    }
}

static void print_misclassified(const struct error_report *report)
{
    size_t width = names_width(report);

    printf("\n%-*s  %-*s  %6s  file\n", (int)width, "class", (int)width, "answer", "score");
    for (size_t i = 0; i < report->folders->pictures.n; i++) {
        const struct error_outcome *outcome = &report->outcomes[i];

        if (outcome->skipped != NULL || outcome->answer.class == report->folders->classes[i])
            continue;
        print_class_name(report->model, report->folders->classes[i], width);
        fputs("  ", stdout);
        print_class_name(report->model, outcome->answer.class, width);
        printf("  %6.4f  ", (double)outcome->answer.score);
        terminal_text(stdout, report->folders->pictures.items[i].path, SIZE_MAX);
        fputc('\n', stdout);
    }
}

static void print_typicality_of(const char *kind, const struct typicalities *typicalities)
{
    printf("%-10s  %8zu", kind, typicalities->n);
    if (typicalities->n != 0)
        printf("  %13.1f", error_percent(typicalities->below, typicalities->n));
    fputc('\n', stdout);
}

static void print_unknown(const struct unknown *unknown)
{
    printf("\ntypicality  pictures  below %7.4g\n", unknown->level);
    print_typicality_of("known", &unknown->of_known);
    print_typicality_of("unknown", &unknown->of_unknown);
    if (unknown->auroc_left_out >= 0)
        printf("AUROC       %8.3f  against the model's own pictures, each left out\n",
               unknown->auroc_left_out);
    if (unknown->auroc >= 0)
        printf("            %8.3f  against these known ones\n", unknown->auroc);
}

void error_report_print(const struct error_report *report)
{
    const struct vgg_model_info *info = vgg_model_get_info(report->model);
    const struct error_rates *rates = report->rates;

    printf("%zu picture%s", rates->pictures, rates->pictures == 1 ? "" : "s");
    if (report->skipped != 0)
        printf(" (%zu skipped)", report->skipped);
    printf(", model ");
    terminal_text(stdout, info->name, SIZE_MAX);
    printf(" (%s, %.19s); errors in %%\n", info->arch, info->version);
    print_rates(report);
    print_classes(report);
    if (report->unknown != NULL)
        print_unknown(report->unknown);
    if (report->errors && rates->confusion != NULL)
        print_confusion(report);
    if (report->errors)
        print_misclassified(report);
}
