/* Whole pictures through an engine, some at a time, for their posteriors. */
#ifndef VGG_CORE_FEED_PICTURES_H
#define VGG_CORE_FEED_PICTURES_H

#include "data/dataset.h"
#include "nn/net.h"

struct vgg_pictures {
    struct vgg_engine *engine;
    struct vgg_model *model;
    const struct vgg_dataset *dataset;
    const struct vgg_request *request; /* the views of each */
    /* Of each picture in turn; false ends it. */
    bool (*take)(void *user, size_t picture, const float *posterior);
    void *user;
};

/*
 * Evaluate every picture of the set. Errors: CANCELLED (by `take`), NO_MEMORY, BAD_MODEL (scores
 * are not finite), those of vgg_example_read.
 */
enum vgg_status vgg_pictures_evaluate(const struct vgg_pictures *pictures, struct vgg_error *error);

/* Multiply-adds of looking at all of them at one scale, without mirrors. Pure. */
double vgg_pictures_macs(const struct vgg_net *net, const struct vgg_dataset *dataset,
                         uint32_t scale);

#endif
