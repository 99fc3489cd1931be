/*
 * One pass of a batch of views through a network: pixels in, mean logits out. The fully-connected
 * layers are convolutions, so any size from the crop upwards is evaluated densely (section 3.2).
 */
#ifndef VGG_CORE_NN_FORWARD_H
#define VGG_CORE_NN_FORWARD_H

#include "nn/net.h"

/*
 * Bytes of working memory for a batch of `shape` (c is 3) on a team of `threads`: found by a dry
 * run over the layers.
 */
size_t vgg_forward_arena_bytes(const struct vgg_net *net, struct vgg_shape shape, unsigned threads);

/* The class score map of a batch, in its arena: shape.c is the classes. */
struct vgg_scores {
    const struct vgg_kernels *kernels;
    const void *map;
    struct vgg_shape shape;
};

struct vgg_forward_options {
    uint64_t *layer_ns; /* [1 + net->layers_n]: of the input's map and of each layer; or NULL */
    double *features;   /* [n][vgg_net_features]: spatial mean of the last hidden layer; or NULL */
    /* Called after the input and each layer but the last, or NULL; false ends the pass there. */
    bool (*between)(void *user);
    void *user;
};

/*
 * Evaluate views[shape.n], each of shape.h x shape.w pixels, both at least the crop. `arena` is
 * aligned to VGG_ALIGN and of at least vgg_forward_arena_bytes. Writes the spatial mean of the
 * class score map, mean[n][classes], in double. Allocates nothing, cannot fail. `options` may
 * be NULL. Returns the map itself, which stays until the arena is used again, or, of a pass that
 * was ended, one of NULL; what was written then means nothing.
 */
struct vgg_scores vgg_forward(const struct vgg_net *net, struct vgg_team *team,
                              const struct vgg_normalisation *normalisation,
                              const struct vgg_view_pixels *views, struct vgg_shape shape,
                              void *arena, double *mean, const struct vgg_forward_options *options);

#endif
