/*
 * What a person in front of `vgg train` reads: what was chosen and why, what it will take, how good
 * the result is, and what to do with it. Lines on standard output, or with `json` one JSON object
 * each for the plan, a narrow network's layers, the epochs and the result.
 */
#ifndef TELLING_H
#define TELLING_H

#include "training/facts.h"

/* Before the pictures are read. */
void telling_choice(const struct facts *facts, const struct vgg_train_options *options);

void telling_plan(const struct facts *facts);
/* A narrow network's layers are fitted. */
void telling_narrowing(const struct facts *facts, const struct vgg_train_narrowing *narrowing);
void telling_epoch(struct facts *facts, const struct vgg_train_epoch *epoch);

/* Options that make a training smaller, for one that memory does not hold. */
const char *telling_smaller(const struct facts *facts);

/* It is done, or all but the file (facts->output is NULL). */
void telling_result(struct facts *facts, const struct vgg_train_result *result);

/* The command that goes on after an interruption, where something was kept. */
void telling_resume(const struct facts *facts, const struct vgg_train_options *options);

#endif
