/* The summary in words. */

#include "fit/rates.h"
#include "report/page.h"

/* How the pictures that count were judged. */
static const char *judged_how(const struct page *page)
{
    if (page->subject->training == NULL)
        return "Each is judged by the model as it is served.";
    return page->tally->validation != 0
               ? "They are the validation pictures, which were not trained on."
               : "Each is judged by a layer that was fitted without it.";
}

static void say_error(struct page *page)
{
    const struct tally *tally = page->tally;
    double interval[2];

    if (tally->judged == 0) {
        text_print(&page->text, "<p class=\"lead\">No picture was judged.</p>\n");
        return;
    }
    vgg_binomial_interval(tally->wrong, tally->judged, interval);
    markup_print(&page->text,
                 "<p class=\"lead\"><strong>%.1f %% wrong.</strong> Of %zu picture%s, %zu got "
                 "another answer than the class of the folder; of all such pictures it would be "
                 "%.1f to %.1f %% (with a confidence of 95 %%). %s</p>\n",
                 100 * (double)tally->wrong / (double)tally->judged, tally->judged,
                 markup_plural(tally->judged), tally->wrong, 100 * interval[0], 100 * interval[1],
                 judged_how(page));
}

static void print_fact(struct page *page, const char *name, const char *value)
{
    markup_print(&page->text, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>\n", name, value);
}

static void print_number(struct page *page, const char *name, size_t value)
{
    markup_print(&page->text, "<div><dt>%s</dt><dd>%zu</dd></div>\n", name, value);
}

/* Classes that have pictures. */
static size_t count_classes(const struct page *page)
{
    size_t n = 0;

    for (size_t c = 0; c < page->report->classes_n; c++)
        n += page->tally->of_class[c] != 0;
    return n;
}

static void print_facts(struct page *page)
{
    const struct html_report_subject *subject = page->subject;
    const struct tally *tally = page->tally;

    text_print(&page->text, "<dl>\n");
    print_fact(page, "Pictures in", subject->directory);
    print_number(page, "Pictures", tally->known);
    if (subject->training != NULL && tally->validation != 0)
        print_number(page, "Of these for validation", tally->validation);
    if (tally->unknown != 0)
        print_number(page, "Of none of the classes", tally->unknown);
    print_number(page, "Left out", page->report->left_out);
    print_number(page, "Classes", count_classes(page));
    if (subject->name != NULL)
        print_fact(page, "Model", subject->name);
    print_fact(page, "File", subject->model != NULL ? subject->model : "embedded in the program");
    text_print(&page->text, "</dl>\n");
}

void page_summary(struct page *page)
{
    text_print(&page->text, "<section id=\"summary\" aria-label=\"Summary\">\n");
    say_error(page);
    for (size_t i = 0; i < page->report->sentences_n && page_has_row(page); i++)
        markup_print(&page->text, "<p>%s</p>\n", page->report->sentences[i]);
    print_facts(page);
    text_print(&page->text, "</section>\n");
}
