/* What is taken for what: a matrix, or the pairs that are confused most, with their pictures. */
#include "report/page.h"

static const struct tally_cell *find_cell(const struct tally *tally, uint32_t label,
                                          uint32_t answer)
{
    for (size_t i = 0; i < tally->cells_n; i++)
        if (tally->cells[i].label == label && tally->cells[i].answer == answer)
            return &tally->cells[i];
    return NULL;
}

/* A number that leads to the pictures; its shade is its share of the class. */
static void print_cell(struct page *page, uint32_t label, uint32_t answer)
{
    const struct tally_cell *cell = find_cell(page->tally, label, answer);

    if (cell == NULL) {
        text_print(&page->text, label == answer ? "<td class=\"right\">0</td>" : "<td></td>");
        return;
    }
    markup_print(&page->text,
                 "<td class=\"%s\" style=\"--share:%.0f%%\"><a href=\"#cell-%u-%u\">%zu</a></td>",
                 label == answer ? "right" : "wrong",
                 100 * (double)cell->n / (double)page->tally->judged_of[label], label, answer,
                 cell->n);
}

static void print_matrix(struct page *page)
{
    const struct tally *tally = page->tally;
    struct text *text = &page->text;

    text_print(text, "<p>A row is the class of the folder, a column the answer. A number leads to "
                     "its pictures.</p>\n"
                     "<div class=\"scroll\" role=\"region\" aria-label=\"Confusion matrix\" "
                     "tabindex=\"0\"><table class=\"matrix\">\n<thead><tr><td></td>");
    for (size_t i = 0; i < tally->met_n; i++)
        markup_print(text, "<th scope=\"col\"><span><bdi>%s</bdi></span></th>",
                     page_class(page, tally->met[i]));
    text_print(text, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < tally->met_n; i++) {
        markup_print(text, "<tr><th scope=\"row\"><bdi>%s</bdi></th>",
                     page_class(page, tally->met[i]));
        for (size_t j = 0; j < tally->met_n; j++)
            print_cell(page, tally->met[i], tally->met[j]);
        text_print(text, "</tr>\n");
    }
    text_print(text, "</tbody></table></div>\n");
}

static void print_pairs(struct page *page)
{
    struct text *text = &page->text;

    markup_print(text,
                 "<p>There are %zu classes, too many for a matrix. These pairs are confused most; "
                 "a number leads to the pictures.</p>\n"
                 "<table><thead><tr><th scope=\"col\">Folder</th><th scope=\"col\">Answer</th>"
                 "<th scope=\"col\" class=\"number\">Pictures</th>"
                 "<th scope=\"col\" class=\"number\">Of the class</th></tr></thead>\n<tbody>\n",
                 page->tally->met_n);
    for (size_t i = 0; i < page->pairs_n && page_has_row(page); i++) {
        const struct tally_cell *cell = &page->tally->cells[page->pairs[i]];

        markup_print(text,
                     "<tr><td><bdi>%s</bdi></td><td><bdi>%s</bdi></td>"
                     "<td class=\"number\"><a href=\"#cell-%u-%u\">%zu</a></td>"
                     "<td class=\"number\">%.1f %%</td></tr>\n",
                     page_class(page, cell->label), page_class(page, cell->answer), cell->label,
                     cell->answer, cell->n,
                     100 * (double)cell->n / (double)page->tally->judged_of[cell->label]);
    }
    text_print(text, "</tbody></table>\n");
}

/* Seen when its number has been followed. */
static void print_pictures(struct page *page, const struct tally_cell *cell)
{
    struct text *text = &page->text;

    markup_print(text, "<section class=\"cell\" id=\"cell-%u-%u\"><h3>", cell->label, cell->answer);
    if (cell->label == cell->answer)
        markup_print(text, "<bdi>%s</bdi>, answered so", page_class(page, cell->label));
    else
        markup_print(text, "<bdi>%s</bdi>, answered <bdi>%s</bdi>", page_class(page, cell->label),
                     page_class(page, cell->answer));
    markup_print(text, ": %zu picture%s</h3><p>", cell->n, markup_plural(cell->n));
    if (cell->n > CELL_FIGURES)
        markup_print(text, "The %u %s sure ones. ", (unsigned)CELL_FIGURES,
                     cell->label == cell->answer ? "least" : "most");
    text_print(text, "<a class=\"close\" href=\"#confusion\">Close</a></p>\n");
    page_figures(page, page->tally->order + cell->first, cell->n, CELL_FIGURES);
    text_print(text, "</section>\n");
}

void page_confusion(struct page *page)
{
    const struct tally *tally = page->tally;

    if (tally->judged == 0)
        return;
    text_print(&page->text, "<section id=\"confusion\"><h2>What is taken for what</h2>\n");
    if (page_has_matrix(tally))
        print_matrix(page);
    else
        print_pairs(page);
    for (size_t i = 0; i < page->pairs_n && page_has_row(page); i++)
        print_pictures(page, &tally->cells[page->pairs[i]]);
    for (size_t i = 0; i < tally->cells_n && page_has_matrix(tally) && page_has_row(page); i++)
        if (tally->cells[i].label == tally->cells[i].answer)
            print_pictures(page, &tally->cells[i]);
    text_print(&page->text, "</section>\n");
}
