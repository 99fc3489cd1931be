/* What `vgg eval` prints: tables in the form of the paper's tables 3 to 5, or JSON. */
#ifndef EVAL_REPORT_H
#define EVAL_REPORT_H

#include "cli/class_folders.h"
#include "cli/tally.h"

/* What became of a picture. */
struct eval_outcome {
    char *skipped; /* why it was not counted, malloc'ed; NULL: it was */
    struct tally_answer answer;
};

struct eval_result {
    const struct vgg_model *model;
    const struct vgg_request *request;
    const struct class_folders *folders;
    const struct eval_outcome *outcomes; /* of each picture */
    size_t skipped;
    const struct tally *tally;
    bool errors; /* list the misclassified pictures, show the confusion matrix */
};

/* "dense", "multicrop", "both": the words of --protocol. */
#define EVAL_PROTOCOLS "dense|multicrop|both"
const char *eval_protocol_name(enum tally_protocol protocol);

/* On standard output; at least one picture was counted. */
void eval_report_tables(const struct eval_result *result);

/* The same and more in one object: malloc'ed; NULL when out of memory. */
char *eval_report_json(const struct eval_result *result, size_t *size);

#endif
