/*
 * The crops that a narrow network is fitted on: those that it will be trained on, each as it and as
 * the base takes it. Path of a crop: data/sample.c -> [this] -> stack.c.
 */
#ifndef VGG_CORE_NARROW_CROPS_H
#define VGG_CORE_NARROW_CROPS_H

#include "base/team.h"
#include "data/sample.h"

/* Zero-initialise, then fill in the first four. */
struct vgg_crops {
    const struct vgg_dataset *pictures; /* mean and std are the narrow network's */
    const struct vgg_sampling *sampling;
    const struct vgg_model_info *base;
    size_t batch; /* at most so many at a time */
    uint32_t *order;
    float *inputs, *base_inputs; /* [batch][3][crop][crop] */
};

/* Errors: NO_MEMORY; vgg_crops_fini is allowed then. */
enum vgg_status vgg_crops_init(struct vgg_crops *crops, struct vgg_error *error);
void vgg_crops_fini(struct vgg_crops *crops);

/* Bytes that it takes, but for the order. */
uint64_t vgg_crops_bytes(uint32_t crop, size_t batch);

/*
 * Draw n <= batch crops from number `first` on: of all pictures in turn, in a random order, once
 * more of each in another epoch. Errors: those of vgg_sample.
 */
enum vgg_status vgg_crops_draw(struct vgg_crops *crops, struct vgg_team *team, size_t first,
                               size_t n, struct vgg_error *error);

#endif
