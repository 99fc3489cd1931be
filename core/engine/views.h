/*
 * An image at each scale of a request: 8-bit pixels, mirrored and normalised by the first kernel.
 * Or crops of those (crops.h), or one view that somebody else has prepared.
 */
#ifndef VGG_CORE_ENGINE_VIEWS_H
#define VGG_CORE_ENGINE_VIEWS_H

#include "vgg.h"

struct vgg_crops;

struct vgg_views {
    size_t scales_n;
    bool flip;
    uint32_t width, height;                   /* of the picture */
    struct vgg_image *images[VGG_SCALES_MAX]; /* ascending by scale, owned */
    float *input; /* NULL, or [3][height][width] in place of the pixels of the only image; owned */
    struct vgg_crops *crops; /* NULL: the whole images are the views; owned */
};

/* One view: a part of an image, perhaps mirrored. */
struct vgg_view {
    const struct vgg_image *image;
    uint32_t x, y, width, height;
    bool mirror;
};

/* Number of views to evaluate, with mirrors. */
size_t vgg_views_count(const struct vgg_views *views);

struct vgg_view vgg_views_get(const struct vgg_views *views, size_t view);

/* Number of views that an answer is the mean of; order[] of them, or NULL: those above, in turn. */
size_t vgg_views_asked(const struct vgg_views *views);
const uint32_t *vgg_views_order(const struct vgg_views *views);

/* Which of those above stands for one of them. */
size_t vgg_views_find(const struct vgg_views *views, size_t asked);

/* Sides of a width x height picture rescaled so that the shorter one is `scale`. */
void vgg_view_size(uint32_t width, uint32_t height, uint32_t scale, uint64_t *view_width,
                   uint64_t *view_height);

#endif
