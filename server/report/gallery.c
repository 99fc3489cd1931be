/* Pictures to look at: the surest mistakes, and those that are one picture. */
#include "report/page.h"

void page_mistakes(struct page *page)
{
    const struct tally *tally = page->tally;
    struct text *text = &page->text;

    if (tally->judged == 0)
        return;
    text_print(text, "<section id=\"mistakes\"><h2>Surest mistakes first</h2>\n");
    if (tally->wrong == 0)
        text_print(text, "<p>There are no mistakes.</p>\n");
    else {
        text_print(text, "<p>Where the model is sure and the folder says something else, the "
                         "picture often lies in the wrong folder. ");
        if (tally->wrong > SUREST)
            markup_print(text, "These are the first %u of %zu.", (unsigned)SUREST, tally->wrong);
        text_print(text, "</p>\n");
        page_figures(page, tally->mistakes, tally->wrong, SUREST);
    }
    text_print(text, "</section>\n");
}

/* ---------------------------------------------------------------- one picture ---------------- */

static void print_group(struct page *page, const struct report_group *group)
{
    struct text *text = &page->text;

    text_print(text, "<h3>");
    if (group->leak)
        text_print(text, "<span class=\"bad\">Leak</span>: trained on, and validated on. ");
    if (group->conflict)
        text_print(text, "<span class=\"bad\">In folders of different classes</span>. ");
    markup_print(text, "%zu %s", group->n,
                 group->exact ? "copies" : "pictures that nearly coincide");
    text_print(text, "</h3>\n");
    page_figures(page, page->groups->members + group->first, group->n, GROUP_FIGURES);
    if (group->n > GROUP_FIGURES)
        markup_print(text, "<p>And %zu more.</p>\n", group->n - GROUP_FIGURES);
}

static void count_groups(struct page *page)
{
    const struct report_groups *groups = page->groups;
    size_t leaks = 0, conflicts = 0;

    for (size_t i = 0; i < groups->n; i++) {
        leaks += groups->items[i].leak;
        conflicts += groups->items[i].conflict;
    }
    markup_print(&page->text,
                 "<p>%zu group%s of pictures that are one; in folders of different classes: %zu",
                 groups->n, markup_plural(groups->n), conflicts);
    if (page->subject->training != NULL)
        markup_print(&page->text, "; both trained on and validated on: %zu", leaks);
    markup_print(&page->text, ".%s</p>\n",
                 leaks != 0 ? " An error rate that leaks went into is too low." : "");
}

void page_groups(struct page *page)
{
    const struct report_groups *groups = page->groups;
    struct text *text = &page->text;

    if (page->report->pictures_n == 0)
        return;
    text_print(text, "<section id=\"copies\"><h2>Copies</h2>\n");
    if (groups->n == 0)
        markup_print(text, "<p>No two files are the same picture%s.</p>\n",
                     groups->near ? ", or nearly so" : ", byte for byte");
    else
        count_groups(page);
    for (size_t i = 0; i < groups->n && i < GROUPS_MAX && page_has_row(page); i++)
        print_group(page, &groups->items[i]);
    if (groups->n > GROUPS_MAX)
        markup_print(text, "<p>The other %zu groups are not shown.</p>\n", groups->n - GROUPS_MAX);
    text_print(text, "</section>\n");
}
