/*
 * Bytes that no decoder reads: what they look like, and what their sender can do about it.
 * Path of a request: bytes -> [peek: no decoder -> this].
 */
#ifndef VGG_CORE_IMAGE_STRANGERS_H
#define VGG_CORE_IMAGE_STRANGERS_H

#include "vgg.h"

struct vgg_stranger {
    const char *name, *advice; /* static storage */
    char of[48];               /* what a text encodes, as " (JPEG)", or "" */
};

/* False where nothing is known of such bytes. */
bool vgg_stranger_find(const uint8_t *bytes, size_t size, struct vgg_stranger *stranger);

#endif
