/*
 * Which views of a picture frozen layers compute, and what they cost. Path of a picture: [this] ->
 * frozen.c.
 */
#ifndef VGG_CORE_FROZEN_PARTS_H
#define VGG_CORE_FROZEN_PARTS_H

#include "data/set.h"
#include "nn/net.h"

/* Views of a picture at one scale: each is followed by its mirror image. */
struct vgg_frozen_part {
    uint32_t scale;      /* shorter side, pixels; at least the model's crop */
    uint32_t crop, grid; /* grid x grid crops of crop x crop pixels, row by row; 0: the whole */
};

/* parts[n]: whole pictures at each of these scales. Returns n. */
size_t vgg_parts_whole(const uint32_t *scales, size_t n, struct vgg_frozen_part *parts);

/* Views of a part, mirror images among them. */
size_t vgg_part_views(const struct vgg_frozen_part *part);

/* Floats of each: features of a whole network, or the last map of one that was cut. */
size_t vgg_part_floats(const struct vgg_net *net, const struct vgg_frozen_part *part);

/* Multiply-accumulates of all of them. */
uint64_t vgg_part_macs(const struct vgg_net *net, const struct vgg_frozen_part *part,
                       const struct vgg_example *picture);

/* The limit of an engine for these pictures: its default, or the largest view, if that is more. */
uint64_t vgg_frozen_pixels(const struct vgg_frozen_part *parts, size_t parts_n,
                           const struct vgg_example *const *pictures, size_t n);

/*
 * Bytes of an engine's working memory in the largest pass of at most pixels_max pixels, and of
 * waiting_n rescaled pictures.
 */
uint64_t vgg_parts_bytes(const struct vgg_net *net, const struct vgg_frozen_part *parts,
                         size_t parts_n, uint64_t pixels_max, unsigned threads, size_t waiting_n,
                         const struct vgg_example *const *pictures, size_t n);

#endif
