/*
 * Opening a set of labelled pictures, DIR/class/file: every picture is decoded once meanwhile, so
 * that nothing that cannot be read is met later.
 * Path of a dataset: folders.c, picture.c -> [this] -> set.c.
 */
#ifndef VGG_CORE_DATA_DATASET_H
#define VGG_CORE_DATA_DATASET_H

#include "base/team.h"
#include "data/folders.h"

/*
 * Read DIR as vgg_walk_classes finds it: its folders that hold a usable picture are the classes,
 * bytewise sorted, what can be decoded in them the examples. Errors: IO (DIR cannot be read),
 * BAD_ARGUMENT (fewer than two classes where none are given, folders that are not among the given
 * ones, no picture, classes of too few, a name that is not UTF-8), NO_MEMORY, CANCELLED (by
 * options->stop); *dataset and *options->unknown are then empty. The result does not depend on the
 * team's threads.
 */
enum vgg_status vgg_dataset_open(const char *dir, const struct vgg_dataset_options *options,
                                 struct vgg_team *team, struct vgg_dataset *dataset,
                                 struct vgg_error *error);

#endif
