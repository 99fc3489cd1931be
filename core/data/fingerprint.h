/*
 * What is kept of a picture to find others like it by: a small copy, whatever its size and shape.
 * Path of a dataset: picture.c -> [this] -> dataset.c -> duplicates.c.
 */
#ifndef VGG_CORE_DATA_FINGERPRINT_H
#define VGG_CORE_DATA_FINGERPRINT_H

#include "image/image.h"

enum { VGG_FINGERPRINT_SIDE = 32 };

struct vgg_fingerprint {
    uint8_t luminance[VGG_FINGERPRINT_SIDE][VGG_FINGERPRINT_SIDE]; /* [row][column] */
};

struct vgg_fingerprint vgg_fingerprint_of(const struct vgg_image *image);

#endif
