/* Pictures that are one picture, or nearly so. */
#ifndef HTML_REPORT_GROUPS_H
#define HTML_REPORT_GROUPS_H

#include "report/collected.h"

/* members[first] to members[first + n - 1], at least two. */
struct report_group {
    size_t first, n;
    bool leak;     /* some were trained on and some validated on */
    bool conflict; /* they are of more than one class */
    bool exact;    /* all are exact copies of the first */
};

struct report_groups {
    struct report_group *items; /* leaks first, then conflicts, then the rest by first picture */
    size_t n;
    size_t *members; /* pictures, in the order of a group */
    bool near;       /* near duplicates were looked for, not only exact ones */
};

/*
 * Those that the caller told; where it told none, the exact copies, which are looked for among
 * files of one size. False when out of memory; to be ended in any case.
 */
bool groups_init(struct report_groups *groups, struct html_report *report);
void groups_fini(struct report_groups *groups);

#endif
