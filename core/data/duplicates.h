/*
 * Pictures that coincide: copies of a file, the same picture encoded again, resized, brightened,
 * mirrored or cropped a little, and bursts of shots of one scene.
 * Path of a training: dataset.c -> [this] -> split.c.
 */
#ifndef VGG_CORE_DATA_DUPLICATES_H
#define VGG_CORE_DATA_DUPLICATES_H

#include "base/team.h"
#include "data/set.h"

/*
 * Group the pictures of one or several sets (what is trained on, what is validated on), numbered
 * through in the order of the sets. group[i] is the first picture that coincides with picture i,
 * itself or by way of others; i where there is none before it. copy[i]: it is an earlier
 * picture once more, of the same bytes or the same pixels. Labels are not looked at.
 *
 * Every pair is compared, by 64 bits each, and few more closely: some tens of thousands of pictures
 * are well within reach (30,000 unlike ones take a thread a quarter of a minute, as many of things
 * on one table two minutes). The result does not depend on the team's threads. Errors: NO_MEMORY.
 */
enum vgg_status vgg_duplicates_find(const struct vgg_dataset *const *sets, size_t sets_n,
                                    struct vgg_team *team, size_t *group, bool *copy,
                                    struct vgg_error *error);

#endif
