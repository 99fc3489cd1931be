/* Pictures that coincide. */
#include "data/duplicates.h"

#include "base/error.h"

enum vgg_status vgg_duplicates_find(const struct vgg_dataset *const *sets, size_t sets_n,
                                    struct vgg_team *team, size_t *group, bool *copy,
                                    struct vgg_error *error)
{
    (void)sets, (void)sets_n, (void)team, (void)group, (void)copy;
    return vgg_fail(error, VGG_BAD_ARGUMENT, "not yet");
}
