/* What `vgg eval` prints: tables in the form of the paper's tables 3 to 5, or JSON. */
#ifndef ERROR_REPORT_H
#define ERROR_REPORT_H

#include "pictures/class_folders.h"
#include "pictures/error_rates.h"
#include "pictures/unknown.h"

/* What became of a picture. */
struct error_outcome {
    char *skipped; /* why it was not counted, malloc'ed; NULL: it was */
    struct protocol_answer answer;
};

struct error_report {
    const struct vgg_model *model;
    const struct vgg_request *request;
    const struct class_folders *folders;
    const struct error_outcome *outcomes; /* of each picture */
    size_t skipped;
    const struct error_rates *rates;
    const struct unknown *unknown; /* NULL: not asked for */
    bool errors;                   /* list the misclassified pictures, show the confusion matrix */
};

/* On standard output; at least one picture was counted. */
void error_report_print(const struct error_report *report);

/* The same and more in one object: malloc'ed; NULL when out of memory. */
char *error_report_json(const struct error_report *report, size_t *size);

#endif
