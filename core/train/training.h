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
    double step_seconds; /* of one, measured, and beside it the teacher's look at a batch: */
    double look_seconds;
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

/* Free the network, and what it was given, which take the most. */
void vgg_training_let_go(struct vgg_training *training);
void vgg_training_fini(struct vgg_training *training);

#endif
