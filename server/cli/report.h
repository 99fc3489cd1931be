/* What `vgg classify` prints: a table for people, JSON lines or CSV for programs. */
#ifndef REPORT_H
#define REPORT_H

#include "answer/evaluation.h"

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_CSV };

struct report {
    enum report_format format;
    struct vgg_model *model;
    const struct evaluation_params *params;
    bool colours;
    unsigned columns; /* of the terminal; 0: there is none, and nothing is cut */
};

/* One file that is done. */
struct report_file {
    const char *path;
    size_t number; /* from 1 */
    const struct evaluation *evaluation;
    uint64_t total_ns;
};

/* For standard output as it is now. */
void report_init(struct report *report, enum report_format format, struct vgg_model *model,
                 const struct evaluation_params *params);
void report_begin(const struct report *report);

/*
 * Print a result or a problem on standard output; problems of tables and CSV on standard error as
 * well. False when out of memory.
 */
bool report_file(const struct report *report, const struct report_file *file);

#endif
