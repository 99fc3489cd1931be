/* By class; what was left out. */
#include "fit/rates.h"
#include "report/page.h"

enum { NAMED = 20 /* of one reason */ };

static void print_share(struct text *text, size_t hits, size_t n)
{
    if (n != 0)
        markup_print(text, "<td class=\"number\">%.1f %%</td>", 100 * (double)hits / (double)n);
    else
        text_print(text, "<td class=\"number\">–</td>");
}

/* The rate, where it may lie, and a bar of it. */
static void print_error(struct text *text, size_t wrong, size_t n)
{
    double interval[2];

    if (n == 0) {
        text_print(text, "<td class=\"number\">–</td><td></td>");
        return;
    }
    vgg_binomial_interval(wrong, n, interval);
    markup_print(text,
                 "<td class=\"number\">%.1f %%</td><td class=\"interval\">"
                 "<span class=\"track\"><i style=\"left:%.1f%%;width:%.1f%%\"></i>"
                 "<b style=\"left:%.1f%%\"></b></span>%.1f to %.1f %%</td>",
                 100 * (double)wrong / (double)n, 100 * interval[0],
                 100 * (interval[1] - interval[0]), 100 * (double)wrong / (double)n,
                 100 * interval[0], 100 * interval[1]);
}

static void print_class(struct page *page, uint32_t class)
{
    const struct tally *tally = page->tally;
    struct text *text = &page->text;
    size_t judged = tally->judged_of[class], right = tally->right_of[class];

    markup_print(text,
                 "<tr><th scope=\"row\"><bdi>%s</bdi></th><td class=\"number\">%zu</td>"
                 "<td class=\"number\">%zu</td><td class=\"number\">%zu</td>",
                 page_class(page, class), tally->of_class[class], judged, judged - right);
    print_error(text, judged - right, judged);
    print_share(text, right, tally->answered_of[class]);
    print_share(text, right, judged);
    text_print(text, "</tr>\n");
}

void page_classes(struct page *page)
{
    const struct tally *tally = page->tally;
    struct text *text = &page->text;
    size_t i = 0;

    if (tally->met_n == 0)
        return;
    text_print(
        text, "<section id=\"classes\"><h2>By class</h2>\n"
              "<p>Precision: of what was answered so, the part that is. Recall: of what is so, the "
              "part that was answered. The interval holds the error rate of all such pictures 95 "
              "times of a hundred.</p>\n"
              "<div class=\"scroll\" role=\"region\" aria-label=\"By class\" tabindex=\"0\">"
              "<table class=\"sortable\"><thead><tr><th scope=\"col\">Class</th>"
              "<th scope=\"col\" class=\"number\">Pictures</th>"
              "<th scope=\"col\" class=\"number\">Judged</th>"
              "<th scope=\"col\" class=\"number\">Wrong</th>"
              "<th scope=\"col\" class=\"number\">Error</th><th scope=\"col\">Interval</th>"
              "<th scope=\"col\" class=\"number\">Precision</th>"
              "<th scope=\"col\" class=\"number\">Recall</th></tr></thead>\n<tbody>\n");
    for (; i < tally->met_n && page_has_row(page); i++)
        print_class(page, tally->met[i]);
    text_print(text, "</tbody></table></div>\n");
    if (i < tally->met_n)
        markup_print(text, "<p>There was no room for the other %zu classes.</p>\n",
                     tally->met_n - i);
    text_print(text, "</section>\n");
}

/* ---------------------------------------------------------------- left out ------------------- */

static void print_reason(struct page *page, size_t reason)
{
    const struct html_report *report = page->report;
    size_t named = 0;

    markup_print(&page->text, "<h3>%s: %zu</h3>\n<ul class=\"paths\">\n",
                 report->reasons[reason].text, report->reasons[reason].n);
    for (size_t i = 0; i < report->left_out_paths_n && named < NAMED && page_has_row(page); i++)
        if (report->left_out_paths[i].reason == reason) {
            markup_print(&page->text, "<li><bdi>%s</bdi></li>\n", report->left_out_paths[i].path);
            named++;
        }
    if (named < report->reasons[reason].n)
        markup_print(&page->text, "<li>and %zu more</li>\n", report->reasons[reason].n - named);
    text_print(&page->text, "</ul>\n");
}

void page_left_out(struct page *page)
{
    const struct html_report *report = page->report;
    size_t told = 0;

    text_print(&page->text, "<section id=\"left-out\"><h2>Left out</h2>\n");
    if (report->left_out == 0)
        text_print(&page->text, "<p>Nothing was left out.</p>\n");
    for (size_t i = 0; i < report->reasons_n; i++) {
        print_reason(page, i);
        told += report->reasons[i].n;
    }
    if (told < report->left_out)
        markup_print(&page->text, "<p>And %zu for other reasons.</p>\n", report->left_out - told);
    if (page->not_shown != 0)
        markup_print(&page->text,
                     "<p>%zu pictures of this report are not shown: it would be over %u MB.</p>\n",
                     page->not_shown, (unsigned)(HTML_REPORT_BYTES_MAX / 1000000));
    text_print(&page->text, "</section>\n");
}
