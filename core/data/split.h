/*
 * Dividing a set of pictures: a part set aside for validation, or folds that are left out in turn.
 * Pictures that coincide stay together, or the one would be recognised by the other.
 * Path of a training: dataset.c -> duplicates.c -> [this] -> statistics.c, sample.c.
 */
#ifndef VGG_CORE_DATA_SPLIT_H
#define VGG_CORE_DATA_SPLIT_H

#include "data/set.h"

/*
 * In both, group[i] is the first picture of the group of picture i, as vgg_duplicates_find has it;
 * NULL: each is by itself. Members of a group stay together, whatever their classes, but where a
 * class is a single group: its pictures are then each by itself, since a network that has seen none
 * of a class cannot be tried on it.
 */

/*
 * Move a seeded random round(fraction * n) of each class's n examples into the empty set `to`: at
 * least 1 where there are 2 or more, and never all. Where groups do not fit in, it is fewer. Both
 * keep their order. Groups of one choose what NULL chooses. Errors: NO_MEMORY (`from` is
 * unchanged).
 */
enum vgg_status vgg_dataset_split(struct vgg_dataset *from, double fraction, uint64_t seed,
                                  const size_t *group, struct vgg_dataset *to,
                                  struct vgg_error *error);

/*
 * Give each picture one of folds_n >= 1 folds, seeded, so that of each class all folds hold as
 * nearly the same number as the groups allow: exactly, to one picture, without groups. Folds may
 * stay empty where there are fewer groups than folds. Errors: NO_MEMORY.
 */
enum vgg_status vgg_dataset_folds(const struct vgg_dataset *dataset, const size_t *group,
                                  uint32_t folds_n, uint64_t seed, uint32_t *fold,
                                  struct vgg_error *error);

/* How many folds: 10, or as many as there are groups. */
uint32_t vgg_dataset_folds_count(const struct vgg_dataset *dataset, const size_t *group);

#endif
