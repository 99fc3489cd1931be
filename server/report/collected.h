/* What a report was told (collect.c), for the files that make the page of it. */
#ifndef HTML_REPORT_COLLECTED_H
#define HTML_REPORT_COLLECTED_H

#include "report/report.h"

#define NO_CLASS UINT32_MAX

enum {
    LEFT_OUT_PATHS = 1000, /* that are kept; the rest is counted */
    LEFT_OUT_KINDS = 30    /* reasons that are told apart */
};

struct report_picture {
    char *path;
    uint32_t label;    /* NO_CLASS: of _unknown */
    uint32_t answer;   /* NO_CLASS: it has no posterior */
    float score;       /* of the answer */
    double typicality; /* below 0: none */
    size_t group;      /* SIZE_MAX: none */
    bool validation, copy;
};

struct report_reason {
    char *text;
    size_t n; /* how often */
};

struct report_path {
    char *path;
    size_t reason;
};

struct html_report {
    char *path;
    char **classes;
    size_t classes_n, classes_capacity;
    struct report_picture *pictures;
    size_t pictures_n, pictures_capacity;
    struct vgg_train_epoch *epochs; /* without their JSON */
    size_t epochs_n, epochs_capacity;
    char **sentences;
    size_t sentences_n, sentences_capacity;
    struct report_reason reasons[LEFT_OUT_KINDS];
    size_t reasons_n, left_out;
    struct report_path left_out_paths[LEFT_OUT_PATHS];
    size_t left_out_paths_n;
    bool failed; /* out of memory: some of it is missing */
};

#endif
