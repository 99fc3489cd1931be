/*
 * A model of the same classes whose posteriors are what another is to learn, beside the labels
 * (Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015).
 */
#ifndef VGG_CORE_FEED_TEACHER_H
#define VGG_CORE_FEED_TEACHER_H

#include "data/dataset.h"
#include "model/model.h"
#include "vgg_train.h"

/* Zero-initialise. */
struct vgg_teacher {
    struct vgg_model *model;
    uint32_t *classes; /* [classes]: that of the teacher for each of the set; owned */
    float *targets;    /* [examples_n][classes]; owned */
};

/*
 * Load settings->teacher and find the classes of the set among its labels or ids. Errors: those of
 * vgg_model_load, BAD_ARGUMENT (a class it does not know, or one that is not in the set).
 */
enum vgg_status vgg_teacher_open(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                 const struct vgg_train_options *settings, struct vgg_error *error);

/*
 * Have it look at every picture once, densely, at its own scales with mirrors: targets are its
 * posteriors, softened. The model is let go. Errors: those of vgg_pictures_evaluate.
 */
enum vgg_status vgg_teacher_ask(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                const struct vgg_train_options *settings, struct vgg_error *error);
void vgg_teacher_fini(struct vgg_teacher *teacher);

#endif
