/*
 * Pictures that coincide: copies of a file, the same picture encoded again, resized, brightened,
 * mirrored or cropped a little, and bursts of shots of one scene.
 * Path of a training: dataset.c -> [this] -> split.c.
 */
#ifndef VGG_CORE_DATA_DUPLICATES_H
#define VGG_CORE_DATA_DUPLICATES_H

#include "base/team.h"
#include "data/set.h"

struct vgg_duplicates_options {
    struct vgg_team *team;
    bool (*stop)(void *user); /* asked now and then; NULL: never */
    void *user;
};

/*
 * Group the pictures of one or several sets (what is trained on, what is validated on), numbered
 * through in the order of the sets. group[i] is the first picture that coincides with picture i,
 * itself or by way of others; original[i] (NULL: nobody asks) the first of the same bytes or the
 * same pixels. Both are i where there is none before it. Labels are not looked at.
 *
 * Every pair is compared, by 64 bits each, and few more closely: some tens of thousands of pictures
 * are well within reach (30,000 unlike ones take a thread a quarter of a minute, as many of things
 * on one table two minutes). The result does not depend on the team's threads. Errors: NO_MEMORY,
 * CANCELLED (by `stop`).
 */
enum vgg_status vgg_duplicates_find(const struct vgg_dataset *const *sets, size_t sets_n,
                                    const struct vgg_duplicates_options *options, size_t *group,
                                    size_t *original, struct vgg_error *error);

/*
 * The same of pictures in another order, place[i] of which is that of picture i: first[n] is one of
 * the arrays above. Errors: NO_MEMORY (it is unchanged).
 */
enum vgg_status vgg_duplicates_renumber(const size_t *place, size_t n, size_t *first,
                                        struct vgg_error *error);

#endif
