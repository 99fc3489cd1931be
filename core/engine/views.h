/*
 * An image at each scale of a request: 8-bit pixels, mirrored and normalised by the first kernel.
 * Or crops of those (crops.c), or one view that somebody else has prepared.
 */
#ifndef VGG_CORE_ENGINE_VIEWS_H
#define VGG_CORE_ENGINE_VIEWS_H

#include "vgg.h"

/* One view: a part of an image, perhaps mirrored. */
struct vgg_view {
    const struct vgg_image *image;
    uint32_t x, y, width, height;
    bool mirror;
};

/* The views of multi-crop evaluation: parts of the rescaled images, which hold the only pixels. */
struct vgg_crops {
    size_t asked;    /* grid * grid at each scale, with mirrors: row by row, original first */
    uint32_t *order; /* [asked]: the item that stands for each */
    size_t n;
    struct vgg_view items[]; /* [n], all different */
};

struct vgg_views {
    size_t scales_n;
    bool flip;
    uint32_t width, height;                   /* of the picture */
    struct vgg_image *images[VGG_SCALES_MAX]; /* ascending by scale, owned */
    float *input; /* NULL, or [3][height][width] in place of the pixels of the only image; owned */
    struct vgg_crops *crops; /* NULL: the whole images are the views; owned */
};

/* Number of views to evaluate, with mirrors. */
size_t vgg_views_count(const struct vgg_views *views);

struct vgg_view vgg_views_get(const struct vgg_views *views, size_t view);

/* Are they whole views of these scales (ascending, distinct), each with its mirror image? */
bool vgg_views_are(const struct vgg_views *views, const uint32_t *scales, size_t scales_n);

/* Number of views that an answer is the mean of; order[] of them, or NULL: those above, in turn. */
size_t vgg_views_asked(const struct vgg_views *views);
const uint32_t *vgg_views_order(const struct vgg_views *views);

/* Which of those above stands for one of them. */
size_t vgg_views_find(const struct vgg_views *views, size_t asked);

#endif
