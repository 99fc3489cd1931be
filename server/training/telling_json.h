/* The plan and the result of a training for programs: an object in a line; NULL without memory. */
#ifndef TELLING_JSON_H
#define TELLING_JSON_H

#include "training/facts.h"

char *telling_plan_json(const struct facts *facts);
char *telling_narrowing_json(const struct vgg_train_narrowing *narrowing);
char *telling_result_json(const struct facts *facts, const struct vgg_train_result *result);

#endif
