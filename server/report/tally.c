/* Counting. */
#include "report/tally.h"

#include <math.h>
#include <stdlib.h>

#include "vgg_typicality.h"

static bool picture_is_judged(const struct report_picture *picture)
{
    return picture->label != NO_CLASS && picture->answer != NO_CLASS;
}

static bool picture_is_wrong(const struct report_picture *picture)
{
    return picture_is_judged(picture) && picture->answer != picture->label;
}

static void count_classes(struct tally *tally, const struct html_report *report)
{
    for (size_t i = 0; i < report->pictures_n; i++) {
        const struct report_picture *picture = &report->pictures[i];

        tally->validation += picture->validation;
        if (picture->label == NO_CLASS) {
            tally->unknown++;
            continue;
        }
        tally->known++;
        tally->of_class[picture->label]++;
        if (!picture_is_judged(picture))
            continue;
        tally->judged++;
        tally->judged_of[picture->label]++;
        tally->answered_of[picture->answer]++;
        tally->right_of[picture->label] += picture->answer == picture->label;
        vgg_reliability_add(&tally->reliability, fmin(fmax((double)picture->score, 0), 1),
                            picture->answer == picture->label);
        tally->wrong += picture->answer != picture->label;
    }
    for (uint32_t c = 0; c < report->classes_n; c++)
        if (tally->of_class[c] != 0 || tally->answered_of[c] != 0)
            tally->met[tally->met_n++] = c;
}

/* ---------------------------------------------------------------- cells ---------------------- */

static int compare_numbers(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* Mistakes surest first; what is right, least sure first. */
static int compare_scores(const struct report_picture *a, const struct report_picture *b)
{
    int rising = (a->score > b->score) - (a->score < b->score);

    return picture_is_wrong(a) ? -rising : rising;
}

static int compare_in_cells(const void *left, const void *right, void *pictures)
{
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    const struct report_picture *a = (const struct report_picture *)pictures + i;
    const struct report_picture *b = (const struct report_picture *)pictures + j;
    int order = compare_numbers(a->label, b->label);

    if (order == 0)
        order = compare_numbers(a->answer, b->answer);
    if (order == 0)
        order = compare_scores(a, b);
    return order != 0 ? order : compare_numbers(i, j);
}

static int compare_mistakes(const void *left, const void *right, void *pictures)
{
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    int order = compare_scores((const struct report_picture *)pictures + i,
                               (const struct report_picture *)pictures + j);

    return order != 0 ? order : compare_numbers(i, j);
}

static void sort_pictures(struct tally *tally, const struct html_report *report)
{
    size_t judged = 0, wrong = 0;

    for (size_t i = 0; i < report->pictures_n; i++) {
        if (picture_is_judged(&report->pictures[i]))
            tally->order[judged++] = i;
        if (picture_is_wrong(&report->pictures[i]))
            tally->mistakes[wrong++] = i;
    }
    qsort_r(tally->order, judged, sizeof *tally->order, compare_in_cells, report->pictures);
    qsort_r(tally->mistakes, wrong, sizeof *tally->mistakes, compare_mistakes, report->pictures);
}

static void find_cells(struct tally *tally, const struct html_report *report)
{
    for (size_t i = 0; i < tally->judged; i++) {
        const struct report_picture *picture = &report->pictures[tally->order[i]];
        struct tally_cell *cell = tally->cells_n != 0 ? &tally->cells[tally->cells_n - 1] : NULL;

        if (cell == NULL || cell->label != picture->label || cell->answer != picture->answer) {
            cell = &tally->cells[tally->cells_n++];
            *cell = (struct tally_cell){picture->label, picture->answer, i, 0};
        }
        cell->n++;
    }
}

/* ---------------------------------------------------------------- typicality ----------------- */

static int compare_typicality(const void *left, const void *right, void *pictures)
{
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    double a = ((const struct report_picture *)pictures)[i].typicality;
    double b = ((const struct report_picture *)pictures)[j].typicality;

    if (a != b)
        return a > b ? 1 : -1;
    return compare_numbers(i, j);
}

static int compare_falling(const void *left, const void *right, void *pictures)
{
    return compare_typicality(right, left, pictures);
}

/* The area under the ROC curve, of known above unknown. False when out of memory. */
static bool rank_typicality(struct tally *tally, const struct html_report *report)
{
    size_t known = 0, unknown = 0;
    double *values = calloc(report->pictures_n + 1, sizeof *values);

    if (values == NULL)
        return false;
    for (size_t i = 0; i < report->pictures_n; i++) {
        const struct report_picture *picture = &report->pictures[i];

        if (picture->typicality >= 0 && picture->label == NO_CLASS)
            values[unknown++] = picture->typicality;
        else if (picture->typicality >= 0)
            values[tally->unknown_typical + known++] = picture->typicality;
    }
    tally->auroc =
        unknown != 0 && known != 0 ? vgg_auroc(values, unknown, values + unknown, known) : -1;
    free(values);
    return true;
}

static bool find_doubtful(struct tally *tally, const struct html_report *report, double reject)
{
    for (size_t i = 0; i < report->pictures_n; i++) {
        const struct report_picture *picture = &report->pictures[i];
        bool unknown = picture->label == NO_CLASS;

        if (picture->typicality < 0)
            continue;
        tally->unknown_typical += unknown;
        tally->known_typical += !unknown;
        if (unknown && picture->typicality >= reject)
            tally->admitted[tally->admitted_n++] = i;
        else if (!unknown && picture->typicality < reject)
            tally->refused[tally->refused_n++] = i;
    }
    if (!rank_typicality(tally, report))
        return false;
    qsort_r(tally->refused, tally->refused_n, sizeof(size_t), compare_typicality, report->pictures);
    qsort_r(tally->admitted, tally->admitted_n, sizeof(size_t), compare_falling, report->pictures);
    return true;
}

/* ---------------------------------------------------------------- all of it ------------------ */

bool tally_init(struct tally *tally, const struct html_report *report, double reject)
{
    size_t classes = report->classes_n + 1, pictures = report->pictures_n + 1; /* never nothing */

    *tally = (struct tally){0};
    vgg_reliability_init(&tally->reliability);
    tally->of_class = calloc(classes, sizeof *tally->of_class);
    tally->judged_of = calloc(classes, sizeof *tally->judged_of);
    tally->right_of = calloc(classes, sizeof *tally->right_of);
    tally->answered_of = calloc(classes, sizeof *tally->answered_of);
    tally->met = calloc(classes, sizeof *tally->met);
    tally->order = calloc(pictures, sizeof *tally->order);
    tally->cells = calloc(pictures, sizeof *tally->cells);
    tally->mistakes = calloc(pictures, sizeof *tally->mistakes);
    tally->refused = calloc(pictures, sizeof *tally->refused);
    tally->admitted = calloc(pictures, sizeof *tally->admitted);
    if (tally->of_class == NULL || tally->judged_of == NULL || tally->right_of == NULL ||
        tally->answered_of == NULL || tally->met == NULL || tally->order == NULL ||
        tally->cells == NULL || tally->mistakes == NULL || tally->refused == NULL ||
        tally->admitted == NULL)
        return false;
    count_classes(tally, report);
    sort_pictures(tally, report);
    find_cells(tally, report);
    return find_doubtful(tally, report, reject);
}

void tally_fini(struct tally *tally)
{
    free(tally->of_class);
    free(tally->judged_of);
    free(tally->right_of);
    free(tally->answered_of);
    free(tally->met);
    free(tally->order);
    free(tally->cells);
    free(tally->mistakes);
    free(tally->refused);
    free(tally->admitted);
    *tally = (struct tally){0};
}
