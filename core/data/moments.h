/* Moments of a picture's colours, of which statistics.h makes those of a set. */
#ifndef VGG_CORE_DATA_MOMENTS_H
#define VGG_CORE_DATA_MOMENTS_H

#include "image/image.h"

/* Means over one picture's pixels on the 0-1 range: of R, G, B and of their products. */
struct vgg_moments {
    double mean[3];
    double product[6]; /* RR, RG, RB, GG, GB, BB */
};

struct vgg_moments vgg_moments_of(const struct vgg_image *image);

#endif
