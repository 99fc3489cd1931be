/*
 * A training by descent, as its files share it. Path: begin.c -> train.c, with maps.c and
 * examples.c for what a step is given, validate.c, output.c and state.c after an epoch.
 */
#ifndef VGG_CORE_TRAIN_TRAINING_H
#define VGG_CORE_TRAIN_TRAINING_H

#include "feed/examples.h"
#include "feed/teacher.h"
#include "train/settings.h"
#include "train/state.h"

/* What parts of it take (forecast.h). Seconds; zero-initialise. */
struct vgg_forecast {
    uint32_t begun;       /* epoch */
    double step, forward; /* of one, with what it draws; of its first half alone */
    double look;          /* of a teacher at a batch, beside a step, in the first epochs */
    double validation;    /* of one */
    double rate;          /* of a multiply-accumulate of an engine */
    double teacher;       /* its pass over whole pictures */
    double start;         /* what comes before the first step, after the maps if there are any */
    double finish;        /* what comes after the last epoch */
    uint64_t steps;       /* that were run, and how long they took */
    double run;
};

struct vgg_training {
    struct vgg_train_options settings;
    char settings_text[VGG_SETTINGS_TEXT_BYTES];
    struct vgg_base base; /* where settings.base names one */
    struct vgg_team *team;
    struct vgg_engine *engine; /* for validation; NULL where that is on maps */
    struct vgg_sets sets;
    struct vgg_network network;
    struct vgg_maps maps; /* where convolutions are frozen */
    struct vgg_examples examples;
    struct vgg_forecast forecast;
    struct vgg_teacher teacher;
    struct vgg_train_state state;
};

/*
 * Everything before the first step: settings, base, pictures, network, maps, a checkpoint to go on
 * from. Errors: those of vgg_train.
 */
enum vgg_status vgg_training_begin(struct vgg_training *training, const char *dir,
                                   const struct vgg_train_options *options,
                                   struct vgg_error *error);

/* Is the network narrower than its base? */
static inline bool vgg_training_is_narrowed(const struct vgg_training *training)
{
    return training->settings.base != NULL &&
           vgg_base_is_wider(&training->base, training->settings.width);
}

/* Free the network, and what it was given, which take the most. */
void vgg_training_let_go(struct vgg_training *training);
void vgg_training_fini(struct vgg_training *training);

#endif
