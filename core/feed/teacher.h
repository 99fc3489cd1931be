/*
 * A model of the same classes whose posteriors are what another is to learn, beside the labels
 * (Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015).
 */
#ifndef VGG_CORE_FEED_TEACHER_H
#define VGG_CORE_FEED_TEACHER_H

#include "data/sample.h"
#include "model/model.h"
#include "vgg_train.h"

/*
 * Views of a picture that a teacher sees and its pupil learns, an epoch each, then again: looking
 * is what costs.
 */
enum { VGG_TEACHER_VIEWS = 32 };

/* Zero-initialise. */
struct vgg_teacher {
    struct vgg_model *model;
    uint32_t *classes; /* [classes]: that of the teacher for each of the set; owned */
    size_t classes_n;
    size_t views;   /* 1: of the whole picture; else VGG_TEACHER_VIEWS crops */
    float *targets; /* [examples_n][views][classes], zeros where it has not looked yet; owned */
    /* Of crops: */
    float *inputs;         /* [batch][3][side][side]; owned */
    struct vgg_job **jobs; /* [batch] */
    struct vgg_engine *engine;
    struct vgg_dataset seen; /* the set, normalised as the model wants it */
    struct vgg_sampling sampling;
};

/*
 * Load settings->teacher and find the classes of the set among its labels or ids. Errors: those of
 * vgg_model_load, BAD_ARGUMENT (a class it does not know, or one that is not in the set).
 */
enum vgg_status vgg_teacher_open(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                 const struct vgg_train_options *settings, struct vgg_error *error);

/*
 * Have it look at every picture once, densely, at its own scales with mirrors. The model is let go.
 * Errors: those of vgg_pictures_evaluate.
 */
enum vgg_status vgg_teacher_ask(struct vgg_teacher *teacher, const struct vgg_dataset *dataset,
                                const struct vgg_train_options *settings, struct vgg_error *error);

/* Multiply-adds of that. Pure. */
double vgg_teacher_macs(const struct vgg_teacher *teacher, const struct vgg_dataset *dataset);

/*
 * Or have it look at the crops that are trained on, at its own crop's size where that is larger
 * (Beyer et al.: Knowledge distillation: a good teacher is patient and consistent, 2022), in
 * batches. Engine and examples of the set must stay. Errors: NO_MEMORY.
 */
enum vgg_status vgg_teacher_attend(struct vgg_teacher *teacher, struct vgg_engine *engine,
                                   const struct vgg_dataset *dataset,
                                   const struct vgg_sampling *sampling, uint32_t batch,
                                   struct vgg_error *error);

/* Bytes that it then takes beside an engine that another model has grown. */
uint64_t vgg_teacher_bytes(const struct vgg_teacher *teacher, uint32_t batch, unsigned threads);

/* The view of an epoch, for vgg_sample as for what follows. */
size_t vgg_teacher_view(const struct vgg_teacher *teacher, uint64_t epoch);

/*
 * Item `item` of a batch is a view of an example: ready it for vgg_teacher_judge, if it has not
 * been looked at before. Errors: those of vgg_sample. Thread-safe.
 */
enum vgg_status vgg_teacher_sample(struct vgg_teacher *teacher, size_t item, size_t example,
                                   size_t view, struct vgg_error *error);

/* Look at a batch of n. Errors: those of vgg_job_wait. */
enum vgg_status vgg_teacher_judge(struct vgg_teacher *teacher, const uint32_t *examples, size_t n,
                                  size_t view, struct vgg_error *error);

/* Its posterior [classes] of a view that it has looked at, softened. */
const float *vgg_teacher_target(const struct vgg_teacher *teacher, size_t example, size_t view);
void vgg_teacher_fini(struct vgg_teacher *teacher);

#endif
