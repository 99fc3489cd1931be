/*
 * The pictures of a training: those trained on, those that measure it, and others. Path of a
 * training: dataset.c, duplicates.c, split.c -> [this] -> train/train.c, train/transfer.c.
 */
#ifndef VGG_CORE_DATA_SETS_H
#define VGG_CORE_DATA_SETS_H

#include "data/dataset.h"
#include "vgg_train.h"

/* Zero-initialise. */
struct vgg_sets {
    struct vgg_dataset train, validation, unknown; /* unknown: of _unknown/ */
    char digest[VGG_SHA256_HEX_BYTES];             /* of what was trained and validated on */
    /* Of all pictures in the order of the sets, as vgg_duplicates_find has them; owned. */
    size_t *group, *original;
    /* The folds of train that are left out in turn, where nothing is set aside; owned. */
    uint32_t *fold; /* [train.examples_n] */
    uint32_t folds_n;
};

/*
 * Read `dir` and settings->validation. Without that, a part of `dir` is set aside for validation,
 * or, with `folds`, where a class has fewer than 30 pictures or that part would have fewer than
 * 200, folds are. Errors: those of vgg_dataset_open, also BAD_ARGUMENT where a class has less than
 * two pictures, CANCELLED (by `stop`); vgg_sets_fini is still due.
 */
enum vgg_status vgg_sets_open(struct vgg_sets *sets, const char *dir,
                              const struct vgg_train_options *settings, bool folds,
                              struct vgg_team *team, struct vgg_error *error);

void vgg_sets_fini(struct vgg_sets *sets);

/* Of the decoded pictures that are kept. */
uint64_t vgg_sets_bytes(const struct vgg_sets *sets);

#endif
