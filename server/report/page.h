/* The page that is being written, and its sections. */
#ifndef HTML_REPORT_PAGE_H
#define HTML_REPORT_PAGE_H

#include "report/groups.h"
#include "report/markup.h"
#include "report/tally.h"
#include "report/thumbnails.h"

enum {
    SUREST = 48,             /* mistakes that are shown */
    MATRIX_CLASSES_MAX = 40, /* with more there is a list of pairs */
    PAIRS_MAX = 100,
    CELL_FIGURES = 20, /* pictures of a cell, or of doubtful typicality */
    GROUPS_MAX = 60,   /* of pictures that are one */
    GROUP_FIGURES = 6
};

struct page {
    struct text text;
    const struct html_report *report;
    const struct html_report_subject *subject;
    const struct tally *tally;
    const struct report_groups *groups;
    const struct thumbnails *thumbnails;
    size_t *pairs; /* [pairs_n]: cells of mistakes (tally->cells), the fullest first */
    size_t pairs_n;
    size_t not_shown; /* figures for which there was no room */
};

/* The name of a class; of NO_CLASS, "none of these". */
const char *page_class(const struct page *page, uint32_t class);

/* Is there room for another row of a table, with names as long as they get? */
bool page_has_row(const struct page *page);

/* Pictures, each with what is known of it: the first `max` of some. */
void page_figures(struct page *page, const size_t *pictures, size_t n, size_t max);

/* Is there a matrix, or a list of pairs? */
static inline bool page_has_matrix(const struct tally *tally)
{
    return tally->met_n <= MATRIX_CLASSES_MAX;
}

void page_summary(struct page *page);
void page_mistakes(struct page *page);
void page_confusion(struct page *page);
void page_classes(struct page *page);
void page_groups(struct page *page);
void page_calibration(struct page *page);
void page_typicality(struct page *page);
void page_epochs(struct page *page);
void page_left_out(struct page *page);
void page_serving(struct page *page);

#endif
