/*
 * An image at each scale of a request: 8-bit pixels, mirrored and normalised by the first kernel.
 * Or one view that somebody else has prepared.
 */
#ifndef VGG_CORE_EVAL_VIEWS_H
#define VGG_CORE_EVAL_VIEWS_H

#include "vgg.h"

struct vgg_views {
    size_t scales_n;
    bool flip;
    uint32_t width, height;                   /* of the picture */
    struct vgg_image *images[VGG_SCALES_MAX]; /* ascending by scale, owned */
    float *input; /* NULL, or [3][height][width] in place of the pixels of the only image; owned */
};

/* Number of views, with mirrors. */
size_t vgg_views_count(const struct vgg_views *views);

/* The picture of a view, and whether it is the mirrored one. */
const struct vgg_image *vgg_views_get(const struct vgg_views *views, size_t view, bool *mirror);

/* Sides of a width x height picture rescaled so that the shorter one is `scale`. */
void vgg_view_size(uint32_t width, uint32_t height, uint32_t scale, uint64_t *view_width,
                   uint64_t *view_height);

#endif
