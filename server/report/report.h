/*
 * The report of a training or an evaluation: one HTML page that needs nothing from outside.
 * Path of a report: a command tells what it met [collect.c] -> [write.c] -> tally.c counts,
 * groups.c looks for copies, thumbnails.c reads pictures again -> sections of the page.
 */
#ifndef HTML_REPORT_H
#define HTML_REPORT_H

#include "vgg_train.h"

/* Of the file; what does not fit is counted in it instead. */
enum { HTML_REPORT_BYTES_MAX = 20 * 1000 * 1000 };

/* One thread uses it at a time. NULL, a report that nobody asked for, is allowed everywhere. */
struct html_report;

/*
 * Begin a report that will be `path`, which is tried now; NULL: *report is NULL. Errors, their text
 * with the path: IO, NO_MEMORY.
 */
enum vgg_status html_report_create(const char *path, struct html_report **report,
                                   struct vgg_error *error);
void html_report_destroy(struct html_report *report);

/*
 * Tell it of the classes in their order, then of pictures, each copied. A picture with a posterior
 * counts, by its best class; one whose group is SIZE_MAX was not compared with others, and where no
 * picture was the report looks for exact copies itself. Lack of memory is told by
 * html_report_write.
 */
void html_report_class(struct html_report *report, const char *name);
void html_report_picture(struct html_report *report, const struct vgg_train_picture *picture);

/* An epoch is done; something of the directories was left out. */
void html_report_epoch(struct html_report *report, const struct vgg_train_epoch *epoch);
void html_report_left_out(struct html_report *report, const char *path, const char *reason);

/* A paragraph of the summary, plain text: what was chosen and why. */
void html_report_say(struct html_report *report, const char *format, ...) VGG_PRINTF(2, 3);

/* What it is about; valid during the call. */
struct html_report_subject {
    const char *directory; /* of the pictures */
    const char *model;     /* its file; NULL: the embedded one */
    const char *name;      /* of the model, or NULL */
    double reject;         /* level of typicality below which a picture is unknown; 0: none */
    const struct vgg_train_result *training; /* NULL: it was evaluated */
};

/*
 * Write the page, whole or not at all; an older file stays until then. Pictures are read again for
 * their thumbnails, with a bar on the terminal. Errors, their text with the path: IO, NO_MEMORY.
 */
enum vgg_status html_report_write(struct html_report *report,
                                  const struct html_report_subject *subject,
                                  struct vgg_error *error);

#endif
