/* Sections of charts: the epochs, what scores are worth, typicality. */
#include <math.h>
#include <stdio.h>

#include "fit/rates.h"
#include "report/charts.h"
#include "report/page.h"

enum { TYPICALITY_BINS = 12, BINS_OF_TEN = 4, TICK_BYTES = 24, POINTS_MAX = 500 };

static const double hardly = 0.05; /* what a temperature near 1 changes */

/* A part in ticks. */
static const struct chart_tick parts[] = {
    {0, "0"}, {0.25, "25 %"}, {0.5, "50 %"}, {0.75, "75 %"}, {1, "100 %"}};

enum { PARTS = sizeof parts / sizeof *parts };

/* ---------------------------------------------------------------- epochs --------------------- */

/* What an epoch has of a curve. */
typedef double epoch_value(const struct vgg_train_epoch *epoch);

static double loss_of(const struct vgg_train_epoch *epoch)
{
    return epoch->loss;
}

static double validation_loss_of(const struct vgg_train_epoch *epoch)
{
    return epoch->validation_loss;
}

static double error_of(const struct vgg_train_epoch *epoch)
{
    return epoch->error;
}

static double validation_error_of(const struct vgg_train_epoch *epoch)
{
    return epoch->validation_error;
}

/* At most POINTS_MAX of them, evenly. */
static void print_curve(const struct chart *chart, const char *style,
                        const struct html_report *report, epoch_value *value)
{
    size_t step = (report->epochs_n + POINTS_MAX - 1) / POINTS_MAX, n = 0;
    double points[POINTS_MAX][2];

    for (size_t i = 0; i < report->epochs_n; i += step) {
        points[n][0] = report->epochs[i].epoch;
        points[n++][1] = value(&report->epochs[i]);
    }
    chart_curve(chart, style, (const double(*)[2])points, n);
}

/* The largest finite value of two curves, at least a little. */
static double largest(const struct html_report *report, epoch_value *trained,
                      epoch_value *validated)
{
    double most = 1e-3;

    for (size_t i = 0; i < report->epochs_n; i++) {
        double a = trained(&report->epochs[i]), b = validated(&report->epochs[i]);

        most = isfinite(a) ? fmax(most, a) : most;
        most = isfinite(b) ? fmax(most, b) : most;
    }
    return most;
}

/* Two curves over the epochs, of parts of 1 or of any measure. */
static void print_epochs(struct page *page, const char *title, bool in_parts, epoch_value *trained,
                         epoch_value *validated)
{
    const struct html_report *report = page->report;
    const double most = largest(report, trained, validated), first = report->epochs[0].epoch;
    const double last = report->epochs[report->epochs_n - 1].epoch;
    const struct chart chart = {.text = &page->text,
                                .x = {first, fmax(last, first + 1)},
                                .y = {0, most},
                                .x_title = "epoch",
                                .y_title = title,
                                .label = title};
    char texts[5][TICK_BYTES];
    struct chart_tick x[2] = {{first, texts[0]}, {last, texts[1]}}, y[3];

    snprintf(texts[0], TICK_BYTES, "%.0f", first);
    snprintf(texts[1], TICK_BYTES, "%.0f", last);
    for (int i = 0; i < 3; i++) {
        y[i] = (struct chart_tick){most * i / 2, texts[2 + i]};
        snprintf(texts[2 + i], TICK_BYTES, in_parts ? "%.1f %%" : "%.3g",
                 (in_parts ? 100 : 1) * y[i].value);
    }
    chart_begin(&chart, x, last > first ? 2 : 1, y, 3);
    print_curve(&chart, "curve trained", report, trained);
    print_curve(&chart, "curve", report, validated);
    chart_end(&chart);
}

void page_epochs(struct page *page)
{
    if (page->report->epochs_n == 0)
        return;
    markup_print(&page->text,
                 "<section id=\"epochs\"><h2>Learning curve</h2>\n"
                 "<p class=\"legend\"><span class=\"key\">validation</span> "
                 "<span class=\"key trained\">pictures trained on, as they were drawn</span></p>\n"
                 "<div class=\"charts\">\n");
    print_epochs(page, "loss", false, loss_of, validation_loss_of);
    print_epochs(page, "error", true, error_of, validation_error_of);
    text_print(&page->text, "</div></section>\n");
}

/* ---------------------------------------------------------------- calibration ---------------- */

/* A dot at the mean score and the part that is right, and the interval of that. */
static void print_bin(const struct chart *chart, const struct vgg_reliability_bin *bin,
                      size_t judged)
{
    double confidence = bin->confidence / (double)bin->n, interval[2];

    vgg_binomial_interval(bin->right, bin->n, interval);
    chart_line(chart, "whisker", (double[]){confidence, interval[0]},
               (double[]){confidence, interval[1]});
    markup_print(chart->text, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
                 chart_x(chart, confidence), chart_y(chart, (double)bin->right / (double)bin->n),
                 3 + 7 * sqrt((double)bin->n / (double)judged));
}

static void say_temperature(struct page *page, const struct vgg_train_result *training)
{
    if (fabs(training->temperature - 1) < hardly)
        markup_print(&page->text, " They were so before they were calibrated, too.");
    else
        markup_print(&page->text,
                     " The last layer was divided by %.3g (the temperature), which took this from "
                     "%.3f to %.3f, and what right answers lack in score (negative "
                     "log-likelihood) from %.3f to %.3f.",
                     training->temperature, training->ece[0], training->ece[1], training->nll[0],
                     training->nll[1]);
}

static void say_calibration(struct page *page)
{
    const struct vgg_train_result *training = page->subject->training;
    const struct tally *tally = page->tally;

    markup_print(&page->text,
                 "<p>Of pictures that get a score of 70 %%, 70 %% should be right: a dot on the "
                 "line. On average they are off by <strong>%.3f</strong> (expected calibration "
                 "error); of %zu pictures, scores that mean just what they say come to "
                 "%.3f.",
                 vgg_reliability_error(&tally->reliability), tally->judged,
                 vgg_reliability_noise(&tally->reliability));
    if (training != NULL && training->temperature > 0)
        say_temperature(page, training);
    text_print(&page->text, "</p>\n");
}

void page_calibration(struct page *page)
{
    const struct tally *tally = page->tally;
    const struct chart chart = {.text = &page->text,
                                .x = {0, 1},
                                .y = {0, 1},
                                .x_title = "score of the answer",
                                .y_title = "right",
                                .label = "Part of the answers that are right, by their score"};

    if (tally->judged == 0)
        return;
    text_print(&page->text, "<section id=\"calibration\"><h2>What scores are worth</h2>\n");
    say_calibration(page);
    chart_begin(&chart, parts, PARTS, parts, PARTS);
    chart_line(&chart, "ideal", (double[]){0, 0}, (double[]){1, 1});
    for (int i = 0; i < VGG_RELIABILITY_BINS; i++)
        if (tally->reliability.bins[i].n != 0)
            print_bin(&chart, &tally->reliability.bins[i], tally->judged);
    chart_end(&chart);
    text_print(&page->text, "</section>\n");
}

/* ---------------------------------------------------------------- typicality ----------------- */

/* Pictures by the logarithm of their typicality, from 0.001 to 1. */
static void count_typicality(const struct html_report *report, bool unknown,
                             size_t counts[TYPICALITY_BINS])
{
    for (size_t i = 0; i < report->pictures_n; i++) {
        const struct report_picture *picture = &report->pictures[i];
        double place = TYPICALITY_BINS + BINS_OF_TEN * log10(fmax(picture->typicality, 1e-9));

        if (picture->typicality >= 0 && (picture->label == NO_CLASS) == unknown)
            counts[(int)fmin(fmax(place, 0), TYPICALITY_BINS - 1)]++;
    }
}

/* Half a bin wide, of a share of n. */
static void print_bars(const struct chart *chart, const char *style, double offset,
                       const size_t counts[TYPICALITY_BINS], size_t n)
{
    for (int i = 0; i < TYPICALITY_BINS && n != 0; i++)
        if (counts[i] != 0)
            chart_box(chart, style, (double[]){i + offset, 0},
                      (double[]){i + offset + 0.42, (double)counts[i] / (double)n});
}

static void print_histogram(struct page *page)
{
    const struct tally *tally = page->tally;
    const struct chart chart = {.text = &page->text,
                                .x = {0, TYPICALITY_BINS},
                                .y = {0, 1},
                                .x_title = "typicality",
                                .y_title = "pictures",
                                .label = "Pictures by their typicality"};
    const struct chart_tick x[] = {{0, "0.001"}, {4, "0.01"}, {8, "0.1"}, {12, "1"}};
    size_t known[TYPICALITY_BINS] = {0}, unknown[TYPICALITY_BINS] = {0};
    double level = page->subject->reject;

    count_typicality(page->report, false, known);
    count_typicality(page->report, true, unknown);
    text_print(&page->text,
               "<p class=\"legend\"><span class=\"key trained\">of the classes</span>");
    if (tally->unknown_typical != 0)
        text_print(&page->text, " <span class=\"key\">of none of them</span>");
    text_print(&page->text, " <span class=\"key level\">level</span></p>\n");
    chart_begin(&chart, x, sizeof x / sizeof *x, parts, PARTS);
    print_bars(&chart, "bar trained", 0.06, known, tally->known_typical);
    print_bars(&chart, "bar", 0.52, unknown, tally->unknown_typical);
    if (level > 0) {
        double place = fmax(TYPICALITY_BINS + BINS_OF_TEN * log10(level), 0);

        chart_line(&chart, "level", (double[]){place, 0}, (double[]){place, 1});
    }
    chart_end(&chart);
}

static void say_typicality(struct page *page)
{
    const struct tally *tally = page->tally;
    struct text *text = &page->text;

    markup_print(text,
                 "<p>A picture is called unknown below a typicality of %.3g. Of %zu pictures of "
                 "the classes that is so for %zu",
                 page->subject->reject, tally->known_typical, tally->refused_n);
    if (tally->unknown_typical != 0)
        markup_print(text, "; of %zu that are of none of them, for %zu", tally->unknown_typical,
                     tally->unknown_typical - tally->admitted_n);
    if (tally->auroc >= 0)
        markup_print(text, " (AUROC %.3f)", tally->auroc);
    text_print(text, ".</p>\n");
}

static void print_doubtful(struct page *page, const char *title, const size_t *pictures, size_t n)
{
    if (n == 0)
        return;
    markup_print(&page->text, "<h3>%s</h3>\n", title);
    page_figures(page, pictures, n, CELL_FIGURES);
}

void page_typicality(struct page *page)
{
    const struct vgg_train_result *training = page->subject->training;
    const struct tally *tally = page->tally;
    bool none = tally->known_typical + tally->unknown_typical == 0;

    if (none && (training == NULL || training->typicality_reason[0] == '\0'))
        return;
    text_print(&page->text, "<section id=\"typicality\"><h2>None of these</h2>\n");
    if (none)
        markup_print(&page->text, "<p>The model cannot tell what is none of its classes: %s.</p>\n",
                     training->typicality_reason);
    else {
        say_typicality(page);
        print_histogram(page);
        print_doubtful(page, "Of none of the classes, and yet most typical", tally->admitted,
                       tally->admitted_n);
        print_doubtful(page, "Of the classes, and least typical", tally->refused, tally->refused_n);
    }
    text_print(&page->text, "</section>\n");
}
