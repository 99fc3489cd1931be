/* The options of `vgg train`: which were said, and what they mean to the library. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include "process/options.h"
#include "text/text.h"
#include "vgg_train.h"

enum { TRAIN_OPTIONS_MAX = 48 };

/* The words of --recipe. */
enum train_recipe { RECIPE_AUTO, RECIPE_PAPER };

/* Zero-initialise. */
struct train_options {
    struct vgg_train_options train; /* what was not said is zero, for its default */
    const char *scale, *checkpoint, *base, *freeze, *report;
    uint32_t init;   /* enum vgg_train_init */
    uint32_t recipe; /* enum train_recipe */
    struct option_scales test_scales;
    bool mirror, json;
    bool given[TRAIN_OPTIONS_MAX];
};

/* Read a command line, checked as far as the words go; *directory is the operand. */
enum options_result train_options_parse(int argc, char **argv, struct train_options *given,
                                        const char **directory);

/* Was it said, by a flag or a variable? */
bool train_is_given(const struct train_options *given, const char *name);

/*
 * Give an option that was not said this value, and add it to `chosen` as a command line has it.
 * False where it was said: then nothing is done.
 */
bool train_option_choose(struct train_options *given, const char *name, const char *value,
                         struct text *chosen);

#endif
