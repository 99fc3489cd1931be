/*
 * What a person in front of `vgg train` reads: what was chosen and why, what it will take, how good
 * the result is, and what to do with it. Lines on standard output, or with `json` one JSON object
 * each for the plan, the epochs and the result.
 */
#ifndef TELLING_H
#define TELLING_H

#include "training/base.h"
#include "training/census.h"

struct telling {
    bool json;
    const char *directory;
    const struct census *census;
    const struct base *base;
    const char *why;             /* that base, or none: the end of a sentence */
    const char *options;         /* that were chosen, quoted, each after a blank */
    const char *output, *report; /* files; the second may be NULL */
    int argc;                    /* of the command */
    char *const *argv;
    uint32_t batch; /* crops at most; 0: not known */
    uint32_t freeze_blocks;
    unsigned threads;
    struct vgg_train_plan plan; /* all zero before there is one */
    bool base_said, resumed;    /* by the command line */
    bool headed;                /* the table of epochs has begun */
};

/* Before the pictures are read. */
void telling_choice(const struct telling *telling, const struct vgg_train_options *options);

void telling_plan(const struct telling *telling);
void telling_epoch(struct telling *telling, const struct vgg_train_epoch *epoch);

/* Options that make a training smaller, for one that memory does not hold. */
const char *telling_smaller(const struct telling *telling);

/* It is done. */
void telling_result(const struct telling *telling, const struct vgg_train_result *result);

/*
 * Is a result of the embedded base poor: more than a fifth wrong, or more than half of what always
 * naming the largest class leaves wrong?
 */
bool telling_is_poor(const struct telling *telling, const struct vgg_train_result *result);

/* How to go on after an interruption; `checkpoint` is there or not. */
void telling_resume(const struct telling *telling, const char *checkpoint);

/* "features", "convs", "none", or the number of frozen blocks. */
const char *freeze_word(enum vgg_freeze freeze, uint32_t blocks);

/* telling_json.c: an object in a line, or NULL without memory. */
char *telling_plan_json(const struct telling *telling);
char *telling_result_json(const struct telling *telling, const struct vgg_train_result *result);

#endif
