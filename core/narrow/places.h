/*
 * Where maps are looked at: some places of each crop, the same of a base's map and of a narrow
 * network's. Path of a crop: stack.c -> [this] -> gram.c.
 */
#ifndef VGG_CORE_NARROW_PLACES_H
#define VGG_CORE_NARROW_PLACES_H

#include "kernels/blocked.h"

enum { VGG_PLACES_MAX = 96 };

struct vgg_places {
    size_t n;
    struct {
        uint32_t y, x;
    } at[VGG_PLACES_MAX];
};

/*
 * Places of an h x w map, without the edge of a wide one: random ones by the keys, at_most
 * (<= VGG_PLACES_MAX) of them, or, where it has no more, all.
 */
void vgg_places_draw(struct vgg_places *places, size_t h, size_t w, size_t at_most,
                     const uint64_t *keys, size_t keys_n);

/*
 * rows[places][channels][kernel][kernel]: what a convolution of this kernel, 1 or 3, multiplies
 * there, of a view of a map of `shape` in blocks of `lanes`.
 */
void vgg_places_gather(const struct vgg_places *places, const float *map, struct vgg_shape shape,
                       size_t lanes, size_t view, unsigned kernel, float *rows);

#endif
