/* A model file on a base: the base's own bytes, but for the layers that have been trained. */
#ifndef VGG_CORE_TRAIN_GRAFT_H
#define VGG_CORE_TRAIN_GRAFT_H

#include "backprop/network.h"
#include "frozen/base.h"
#include "typicality/typicality.h"

struct vgg_graft {
    const struct vgg_base *base;
    struct vgg_network *network; /* its layers from `frozen` on are new; NULL: the last alone */
    uint32_t classes;
    const float *weights;                    /* [classes][features] of the last layer, then */
    const float *bias;                       /* [classes], likewise */
    bool half;                               /* these in F16, else in F32 */
    const struct vgg_typicality *typicality; /* NULL or known_n 0: none */
    bool kept;                               /* what the base says of its training, too */
    const struct vgg_metadata *metadata;     /* in place of the base's own of these keys, and of
                                                what it says of its training */
    size_t metadata_n;
};

/*
 * Write the file: tensors of the base bit for bit, under its names, in its dtypes, batch-norm too.
 * Errors: IO, NO_MEMORY, BAD_MODEL, as vgg_file_write; an older file stays whole then.
 */
enum vgg_status vgg_graft_write(const char *path, const struct vgg_graft *graft,
                                struct vgg_error *error);

/* Is there room for it, but for what is typical and the metadata? Errors: IO, NO_MEMORY. */
enum vgg_status vgg_graft_room(const char *path, const struct vgg_graft *graft,
                               struct vgg_error *error);

#endif
