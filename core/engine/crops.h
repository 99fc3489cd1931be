/* The views of multi-crop evaluation: parts of the rescaled images, which hold the only pixels. */
#ifndef VGG_CORE_ENGINE_CROPS_H
#define VGG_CORE_ENGINE_CROPS_H

#include "engine/views.h"

struct vgg_crops {
    size_t asked;    /* grid * grid at each scale, with mirrors: row by row, original first */
    uint32_t *order; /* [asked]: the item that stands for each */
    size_t n;
    struct vgg_view items[]; /* [n], all different */
};

void vgg_crops_destroy(struct vgg_crops *crops);

#endif
