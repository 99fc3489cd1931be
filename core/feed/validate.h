/* The error of a network in training on whole pictures, by the engine that will serve it. */
#ifndef VGG_CORE_FEED_VALIDATE_H
#define VGG_CORE_FEED_VALIDATE_H

#include "backprop/network.h"
#include "feed/maps.h"

struct vgg_validation {
    double loss;  /* mean of -log of the right class's posterior */
    double error; /* part of pictures whose best class is another */
};

/*
 * Evaluate `model` on every picture of the set at one scale, without mirrors, densely. Errors:
 * NO_MEMORY, BAD_MODEL (scores are not finite), those of vgg_example_read.
 */
enum vgg_status vgg_validate(struct vgg_engine *engine, struct vgg_model *model,
                             const struct vgg_dataset *dataset, uint32_t scale,
                             struct vgg_validation *validation, struct vgg_error *error);

/*
 * The same of a network on maps: the posterior of a picture is the mean of those of all its views.
 * Errors: NO_MEMORY, BAD_MODEL, IO.
 */
enum vgg_status vgg_validate_maps(struct vgg_network *network, struct vgg_team *team,
                                  const struct vgg_maps *maps, struct vgg_validation *validation,
                                  struct vgg_error *error);

#endif
