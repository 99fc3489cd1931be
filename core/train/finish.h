/*
 * After the last epoch: what the best one's file is worth as it will be served. Its scores are made
 * to mean something (fit/calibration.h), and what is typical of its classes is put into it.
 * Path: base.c (of the written file) -> frozen/frozen.c -> fit, typicality -> graft.c.
 */
#ifndef VGG_CORE_TRAIN_FINISH_H
#define VGG_CORE_TRAIN_FINISH_H

#include "train/training.h"

/* What that takes beside the decoded pictures; the network is let go before. */
struct vgg_finish_need {
    uint64_t bytes;
    uint64_t macs; /* of the engine */
};

/* It is known once there is a network. Errors: NO_MEMORY. */
enum vgg_status vgg_training_finish_need(const struct vgg_training *training,
                                         struct vgg_finish_need *need, struct vgg_error *error);

/*
 * Evaluate settings->output on the pictures that nothing was trained on, at its test scales with
 * mirrors, and write it anew: the last layer divided by the temperature, with typicality where
 * there are pictures enough. Fill that part of *result, and tell of every picture. Errors: those of
 * vgg_base_load, vgg_frozen_compute and vgg_graft_write; the file is then as it was.
 */
enum vgg_status vgg_training_finish(const struct vgg_training *training,
                                    struct vgg_train_result *result, struct vgg_error *error);

#endif
