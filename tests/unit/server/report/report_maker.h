/* Reports for tests: told in a line for each picture. */
#ifndef VGG_TESTS_REPORT_MAKER_H
#define VGG_TESTS_REPORT_MAKER_H

#include <math.h>
#include <string.h>

#include "report/report.h"

enum { MAKER_CLASSES_MAX = 2000, MAKER_UNKNOWN = UINT32_MAX };

/* A picture of a class of `classes`, whose answer has that score; the rest share what is left. */
static inline void report_add(struct html_report *report, uint32_t classes, const char *path,
                              uint32_t label, uint32_t answer, float score)
{
    static float posterior[MAKER_CLASSES_MAX];
    const struct vgg_train_picture picture = {.path = path,
                                              .label = label,
                                              .validation = true,
                                              .posterior = posterior,
                                              .typicality = -1,
                                              .group = SIZE_MAX};

    for (uint32_t c = 0; c < classes; c++)
        posterior[c] = c == answer ? score : (1 - score) / (float)classes;
    html_report_picture(report, &picture);
}

#endif
