/*
 * Picture files.
 * Path of a dataset: image/walk.c -> [this] -> dataset.c, sample.c.
 */
#ifndef VGG_CORE_DATA_PICTURE_H
#define VGG_CORE_DATA_PICTURE_H

#include "base/sha256.h"
#include "image/image.h"

enum { VGG_PICTURE_BYTES_MAX = 64 << 20 }; /* of a file */

struct vgg_picture_file {
    uint64_t bytes;
    char sha256[VGG_SHA256_HEX_BYTES];
};

/*
 * Read and decode a file; *file, unless NULL, tells of it. Errors, their text without the path: IO
 * (missing, unreadable, not a regular file), TOO_LARGE (also a picture so narrow that it cannot be
 * rescaled to every scale), those of vgg_image_decode. The caller owns *image. Thread-safe; one
 * file is open meanwhile.
 */
enum vgg_status vgg_picture_read(const char *path, struct vgg_image **image,
                                 struct vgg_picture_file *file, struct vgg_error *error);

#endif
