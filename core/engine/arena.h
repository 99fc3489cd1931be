/* The working memory of a pass: means of its views, then what the forward pass needs. */
#ifndef VGG_CORE_ENGINE_ARENA_H
#define VGG_CORE_ENGINE_ARENA_H

#include <stdatomic.h>

#include "nn/net.h"

/* Zero-initialise. It only grows, so that any thread may ask whether it is large enough. */
struct vgg_arena {
    void *block; /* aligned to VGG_ALIGN */
    atomic_size_t bytes;
};

void vgg_arena_fini(struct vgg_arena *arena);

/* Have at least so many bytes; what was in it is lost. False: out of memory, all is as it was. */
bool vgg_arena_grow(struct vgg_arena *arena, size_t bytes);

/*
 * Bytes of the means over positions, doubles [views][classes] of the logits and then
 * [views][features] of the last hidden layer, up to where the rest begins.
 */
size_t vgg_arena_means_bytes(const struct vgg_net *net, size_t views);

/* Bytes for a batch of this shape on a team of `threads`. */
size_t vgg_arena_bytes(const struct vgg_net *net, struct vgg_shape shape, unsigned threads);

/* Those of the most demanding batch of so many pixels; 0 where not even a crop fits. */
size_t vgg_arena_largest_bytes(const struct vgg_net *net, uint64_t pixels, unsigned threads);

#endif
