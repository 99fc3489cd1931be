/* The report of `vgg train --report`. */
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "report/report.h"
#include "training/facts.h"

/*
 * Write it, of a training that has ended well and was told so. False: one line on standard error
 * has said why.
 */
bool train_report_write(struct html_report *report, const char *directory,
                        const struct vgg_train_options *options, const struct facts *facts,
                        const struct vgg_train_result *result);

#endif
