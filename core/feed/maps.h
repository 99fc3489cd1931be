/*
 * Where a descent on a base begins: the maps that its frozen convolutions give of fixed crops.
 * Path of a step: frozen/frozen.c -> [this] -> examples.c -> backprop/network.c.
 */
#ifndef VGG_CORE_FEED_MAPS_H
#define VGG_CORE_FEED_MAPS_H

#include "data/sets.h"
#include "frozen/base.h"
#include "frozen/frozen.h"

/* Zero-initialise. */
struct vgg_maps {
    const struct vgg_train_options *settings;
    const struct vgg_example **pictures; /* of train, then validation; owned */
    size_t train_n;
    struct vgg_engine *engine;
    struct vgg_frozen frozen;
    uint64_t bytes; /* that maps take at a time, the base and what is made of them among that */
    double rate;    /* seconds of a multiply-accumulate, measured */
    double later;   /* seconds of what comes after the maps, for who is told how they go on; then */
    bool planned;   /* it has been told what it will take */
    uint64_t begun_ns; /* since when, */
    size_t begun_done; /* with so many views done */
};

/* Blocks of convolutions that settings freeze: 0 .. VGG_STAGES. */
unsigned vgg_maps_blocks(const struct vgg_train_options *settings);

/* Views of a picture. */
size_t vgg_maps_views(const struct vgg_train_options *settings);

/* The convolutions of these. */
size_t vgg_maps_convs(const struct vgg_arch *arch, const struct vgg_train_options *settings);

/* What is there beside maps, in bytes. */
struct vgg_maps_beside {
    uint64_t network;
    uint64_t then; /* once they are computed and the base is let go (vgg_probe_bytes) */
};

/*
 * Load the base, as far as it is frozen, and find which maps have to be computed. If there is room
 * for them (on_memory), they are kept in memory in half precision, else in the files of a cache.
 * The sets and settings must stay. *seconds is what computing will take, by the first pictures, of
 * which some are computed once more where all are in a cache. Errors: NO_MEMORY (the text tells
 * what would fit), those of vgg_base_load and vgg_frozen_compute.
 */
enum vgg_status vgg_maps_open(struct vgg_maps *maps, struct vgg_base *base,
                              const struct vgg_sets *sets, const struct vgg_train_options *settings,
                              struct vgg_team *team, const struct vgg_maps_beside *beside,
                              double *seconds, struct vgg_error *error);

/* Compute them all, and let the base go. Errors: those of vgg_frozen_compute. */
enum vgg_status vgg_maps_compute(struct vgg_maps *maps, struct vgg_base *base,
                                 struct vgg_error *error);
void vgg_maps_fini(struct vgg_maps *maps);

/*
 * One view of a training picture, another in the next epoch, into out[floats]. Errors: those of
 * vgg_frozen_view. Thread-safe.
 */
enum vgg_status vgg_maps_draw(const struct vgg_maps *maps, size_t example, uint32_t epoch,
                              float *out, struct vgg_error *error);

/*
 * Views [first, first + n) of all pictures, view by view, into out[n][floats]. Errors: those of
 * vgg_frozen_view.
 */
enum vgg_status vgg_maps_read(const struct vgg_maps *maps, struct vgg_team *team, size_t first,
                              size_t n, float *out, struct vgg_error *error);

#endif
