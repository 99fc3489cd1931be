/*
 * Training of the last layer alone on what a base computes (VGG_FREEZE_FEATURES). Path: base.c,
 * sets.c -> transfer_views.c -> [this] -> transfer_file.c -> graft.c.
 */
#ifndef VGG_CORE_TRAIN_TRANSFER_H
#define VGG_CORE_TRAIN_TRANSFER_H

#include "vgg_train.h"

/* vgg_train where options->freeze is VGG_FREEZE_FEATURES. */
enum vgg_status vgg_train_features(const char *dir, const struct vgg_train_options *options,
                                   struct vgg_train_result *result, struct vgg_error *error);

#endif
