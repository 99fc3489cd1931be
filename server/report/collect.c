/* What a report is told, kept until it is written. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/replace.h"
#include "report/collected.h"

enum { FIRST_ITEMS = 64 };

enum vgg_status html_report_create(const char *path, struct html_report **report,
                                   struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct html_report *made;

    *report = NULL;
    if (path == NULL)
        return VGG_OK;
    if (vgg_replace_try(path, &reason) != VGG_OK)
        return vgg_fail(error, reason.status, "%s: %s", path, reason.text);
    made = calloc(1, sizeof *made);
    if (made == NULL || (made->path = strdup(path)) == NULL) {
        free(made);
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    }
    *report = made;
    return VGG_OK;
}

void html_report_destroy(struct html_report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->classes_n; i++)
        free(report->classes[i]);
    for (size_t i = 0; i < report->pictures_n; i++)
        free(report->pictures[i].path);
    for (size_t i = 0; i < report->sentences_n; i++)
        free(report->sentences[i]);
    for (size_t i = 0; i < report->reasons_n; i++)
        free(report->reasons[i].text);
    for (size_t i = 0; i < report->left_out_paths_n; i++)
        free(report->left_out_paths[i].path);
    free(report->classes);
    free(report->pictures);
    free(report->epochs);
    free(report->sentences);
    free(report->path);
    free(report);
}

/* Room for one item more, or NULL: the report has failed. */
static void *grow(struct html_report *report, void *items, size_t n, size_t *capacity, size_t size)
{
    size_t more = *capacity != 0 ? 2 * *capacity : FIRST_ITEMS;
    void *grown;

    if (n < *capacity)
        return items;
    grown = reallocarray(items, more, size);
    if (grown != NULL)
        *capacity = more;
    else
        report->failed = true;
    return grown;
}

/* A copy, of whose lack the report knows. */
static char *copy_text(struct html_report *report, const char *text)
{
    char *copy = strdup(text);

    report->failed = report->failed || copy == NULL;
    return copy;
}

static void append_text(struct html_report *report, char ***items, size_t *n, size_t *capacity,
                        const char *text)
{
    char **grown = grow(report, *items, *n, capacity, sizeof *grown);
    char *copy;

    if (grown == NULL)
        return;
    *items = grown;
    copy = copy_text(report, text);
    if (copy != NULL)
        grown[(*n)++] = copy;
}

void html_report_class(struct html_report *report, const char *name)
{
    if (report != NULL)
        append_text(report, &report->classes, &report->classes_n, &report->classes_capacity, name);
}

void html_report_say(struct html_report *report, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (report == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    append_text(report, &report->sentences, &report->sentences_n, &report->sentences_capacity,
                text);
}

/* The best class that is a number, the first of equals; NO_CLASS where none is. */
static uint32_t best_of(const float *posterior, size_t classes)
{
    uint32_t best = NO_CLASS;

    for (uint32_t c = 0; posterior != NULL && c < classes; c++)
        if (isfinite(posterior[c]) && (best == NO_CLASS || posterior[c] > posterior[best]))
            best = c;
    return best;
}

void html_report_picture(struct html_report *report, const struct vgg_train_picture *picture)
{
    struct report_picture *grown, *added;

    if (report == NULL)
        return;
    grown = grow(report, report->pictures, report->pictures_n, &report->pictures_capacity,
                 sizeof *grown);
    if (grown == NULL)
        return;
    report->pictures = grown;
    added = &grown[report->pictures_n];
    *added = (struct report_picture){
        .path = copy_text(report, picture->path),
        .label = picture->label < report->classes_n ? picture->label : NO_CLASS,
        .answer = best_of(picture->posterior, report->classes_n),
        .typicality = picture->typicality >= 0 ? picture->typicality : -1, /* not NaN */
        .group = picture->group,
        .validation = picture->validation,
        .copy = picture->copy,
    };
    if (added->answer != NO_CLASS)
        added->score = picture->posterior[added->answer];
    report->pictures_n += added->path != NULL;
}

void html_report_epoch(struct html_report *report, const struct vgg_train_epoch *epoch)
{
    struct vgg_train_epoch *grown;

    if (report == NULL)
        return;
    grown = grow(report, report->epochs, report->epochs_n, &report->epochs_capacity, sizeof *grown);
    if (grown == NULL)
        return;
    report->epochs = grown;
    grown[report->epochs_n] = *epoch;
    grown[report->epochs_n++].json = NULL;
}

/* The reason's number; LEFT_OUT_KINDS where there are too many, or there is no memory. */
static size_t find_reason(struct html_report *report, const char *text)
{
    size_t i = 0;

    while (i < report->reasons_n && strcmp(report->reasons[i].text, text) != 0)
        i++;
    if (i < report->reasons_n || i == LEFT_OUT_KINDS)
        return i;
    report->reasons[i].text = copy_text(report, text);
    if (report->reasons[i].text == NULL)
        return LEFT_OUT_KINDS;
    report->reasons_n++;
    return i;
}

void html_report_left_out(struct html_report *report, const char *path, const char *reason)
{
    struct report_path *added;
    size_t number;

    if (report == NULL)
        return;
    report->left_out++;
    number = find_reason(report, reason);
    if (number == LEFT_OUT_KINDS)
        return;
    report->reasons[number].n++;
    if (report->left_out_paths_n == LEFT_OUT_PATHS)
        return;
    added = &report->left_out_paths[report->left_out_paths_n];
    *added = (struct report_path){.path = copy_text(report, path), .reason = number};
    report->left_out_paths_n += added->path != NULL;
}
