/* What a training on frozen features knows, and the steps that have files of their own. */
#ifndef VGG_CORE_TRAIN_TRANSFER_STATE_H
#define VGG_CORE_TRAIN_TRANSFER_STATE_H

#include "data/sets.h"
#include "fit/fit.h"
#include "frozen/base.h"
#include "frozen/frozen.h"
#include "typicality/fit.h"
#include "vgg_train.h"

enum { VGG_TRANSFER_NAME_BYTES = 256 };

struct vgg_transfer {
    struct vgg_train_options settings; /* as given, but with scales, threads and so on filled in */
    struct vgg_base base;
    char base_name[VGG_TRANSFER_NAME_BYTES], base_version[VGG_VERSION_BYTES];
    struct vgg_team *team;
    struct vgg_sets sets;
    const struct vgg_example **pictures; /* of train, validation, unknown; owned */
    size_t known_n, pictures_n;          /* of train and validation; of all */
    struct vgg_frozen frozen;            /* of all pictures, at the test scales */
    bool planned;                        /* the plan has been told: progress may be */
    float *means;                        /* [pictures_n][features], over views; owned */
    uint32_t *labels;                    /* [known_n]; owned */
    double *weights;                     /* [known_n], of the loss; owned; NULL: all 1 */
    struct vgg_fit_head head;
    struct vgg_typicality typicality;
    struct vgg_typicality_found found;
};

/*
 * Fill `frozen` and `means`: the plan is made and told, then every view is computed that no cache
 * has. The loaded base is let go. Errors: those of vgg_frozen_compute, on_memory and on_plan.
 */
enum vgg_status vgg_transfer_compute(struct vgg_transfer *transfer, struct vgg_error *error);

/* Write the model file and the log. Errors: as vgg_graft_write. */
enum vgg_status vgg_transfer_write(const struct vgg_transfer *transfer, struct vgg_error *error);

/* Tell of every picture. */
void vgg_transfer_report(const struct vgg_transfer *transfer);

#endif
