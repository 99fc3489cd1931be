/* What is known of a training, for all that is said of it. */
#ifndef FACTS_H
#define FACTS_H

#include "training/base.h"
#include "training/census.h"
#include "training/copies.h"

enum { FACTS_BEST_BYTES = 40 };

struct facts {
    bool json;
    const struct census *census;
    const struct base *base;
    const char *why;     /* that base, or none: the end of a sentence */
    const char *options; /* that were chosen, quoted, each after a blank */
    const char *output;  /* the model file; NULL: it could not be written */
    const char *report;  /* or NULL */
    int argc;            /* of the command */
    char *const *argv;
    uint32_t batch; /* crops at most; 0: not known */
    enum vgg_freeze freeze;
    uint32_t freeze_blocks;
    uint32_t base_width; /* of a base that the network is narrower than; 0: it is not */
    unsigned threads;
    struct copies copies;
    struct vgg_train_plan plan; /* all zero before there is one */
    bool base_said;             /* by the command line */
    bool headed;                /* the table of epochs has begun */
    bool unreported;            /* the model is there, its report is not */
};

/* "features", "convs", "none", or the number of frozen blocks. */
const char *freeze_word(enum vgg_freeze freeze, uint32_t blocks);

/* "epoch 3", or what was begun with; in text. */
const char *facts_best(const struct vgg_train_result *result, char text[FACTS_BEST_BYTES]);

/* Was the error measured? Pictures that were wrong then, and what that is worth: 0..1, of 95 %. */
bool facts_measured(const struct vgg_train_result *result);
size_t facts_wrong(const struct vgg_train_result *result, double interval[2]);

/* What always naming the largest class leaves wrong, 0..1. */
double facts_chance(const struct facts *facts);

/* Is a result of the embedded base poor: more than a fifth wrong, or more than half of chance? */
bool facts_poor(const struct facts *facts, const struct vgg_train_result *result);

/* The typicality below which the model calls an answer unknown; 0: it has none. */
double facts_reject(const struct vgg_train_result *result);

#endif
