/* The report of `vgg train --report`. */
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "report/report.h"

/* Begin it, at a path that is tried; NULL: none. False: one line on standard error has said why. */
bool train_report_open(const char *path, struct html_report **report);

/* As vgg_train_options.on_classes tells it. */
void train_report_classes(struct html_report *report, const char *const *classes, size_t n);

/* Write it, of a training that has ended well. False as above. */
bool train_report_write(struct html_report *report, const char *directory,
                        const struct vgg_train_options *options,
                        const struct vgg_train_result *result);

#endif
