/*
 * Where a descent on a base begins: the maps that its frozen convolutions give of fixed crops.
 * Path of a step: frozen/frozen.c -> [this] -> examples.c -> backprop/network.c.
 */
#ifndef VGG_CORE_TRAIN_MAPS_H
#define VGG_CORE_TRAIN_MAPS_H

#include "backprop/network.h"
#include "frozen/frozen.h"
#include "frozen/base.h"
#include "train/sets.h"

/* Zero-initialise. */
struct vgg_maps {
    const struct vgg_example **pictures; /* of train, then validation; owned */
    size_t train_n;
    struct vgg_frozen frozen;
    uint64_t seed;
};

/* Blocks of convolutions that settings freeze: 0 .. VGG_STAGES. */
unsigned vgg_maps_blocks(const struct vgg_train_options *settings);

/* The convolutions of these. */
size_t vgg_maps_convs(const struct vgg_arch *arch, const struct vgg_train_options *settings);

/*
 * Compute the maps of all pictures: the base is loaded, as far as it is frozen, and let go. The
 * sets must stay. Errors: those of vgg_base_load and vgg_frozen_compute, of on_plan and on_memory.
 */
enum vgg_status vgg_maps_compute(struct vgg_maps *maps, struct vgg_base *base,
                                 const struct vgg_sets *sets,
                                 const struct vgg_train_options *settings, struct vgg_team *team,
                                 struct vgg_error *error);
void vgg_maps_fini(struct vgg_maps *maps);

/*
 * One view of a training picture, another in the next epoch, into out[floats]. Errors: IO (it was
 * in a file, and is no longer). Thread-safe.
 */
enum vgg_status vgg_maps_draw(const struct vgg_maps *maps, size_t example, uint32_t epoch,
                              float *out, struct vgg_error *error);

#endif
