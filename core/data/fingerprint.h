/*
 * What is kept of a picture to find others like it by: a small copy, whatever its size and shape,
 * and 64 bits of it that differ little between pictures that coincide.
 * Path of a dataset: picture.c -> [this] -> set.c -> duplicates.c.
 */
#ifndef VGG_CORE_DATA_FINGERPRINT_H
#define VGG_CORE_DATA_FINGERPRINT_H

#include "image/image.h"

enum { VGG_FINGERPRINT_SIDE = 32 };

struct vgg_fingerprint {
    uint8_t luminance[VGG_FINGERPRINT_SIDE][VGG_FINGERPRINT_SIDE]; /* [row][column] */
    uint64_t hash; /* signs of the 64 lowest frequencies but the mean, of a cosine transform */
};

struct vgg_fingerprint vgg_fingerprint_of(const struct vgg_image *image);

/* Those of the mirror image. */
uint64_t vgg_fingerprint_mirror_hash(uint64_t hash);
struct vgg_fingerprint vgg_fingerprint_mirror(const struct vgg_fingerprint *fingerprint);

#endif
