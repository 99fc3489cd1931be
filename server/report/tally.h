/* What the pictures of a report come to: counts by class, by class and answer, by confidence. */
#ifndef HTML_REPORT_TALLY_H
#define HTML_REPORT_TALLY_H

#include "fit/reliability.h"
#include "report/collected.h"

/* Pictures of one class that were given one answer: order[first] to order[first + n - 1]. */
struct tally_cell {
    uint32_t label, answer;
    size_t first, n;
};

struct tally {
    size_t known, unknown, validation; /* pictures of a class; of none; not trained on */
    size_t judged, wrong;              /* known pictures with an answer; with a wrong one */
    size_t *of_class, *judged_of, *right_of, *answered_of; /* [classes] of known pictures */
    uint32_t *met; /* [met_n]: classes that have pictures or were answered, ascending */
    size_t met_n;
    size_t *order; /* [judged]: by class, answer; then mistakes surest first, others least sure */
    struct tally_cell *cells; /* [cells_n], likewise */
    size_t cells_n;
    size_t *mistakes; /* [wrong]: surest first */
    /* By typicality, where there is a level: known ones below it, least typical first, and of none
     * of the classes above it, most typical first. */
    size_t *refused, refused_n, *admitted, admitted_n;
    size_t known_typical, unknown_typical; /* that have a typicality */
    double auroc; /* of known against unknown; below 0: one of them is missing */
    struct vgg_reliability reliability; /* of the scores of answers, in the order of pictures */
};

/* `reject` is the level, or 0. False when out of memory; to be ended in any case. */
bool tally_init(struct tally *tally, const struct html_report *report, double reject);
void tally_fini(struct tally *tally);

#endif
