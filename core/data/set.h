/*
 * Labelled pictures: what is known of each, and as many decoded as fit in memory.
 * Path of a training step: dataset.c -> [this] -> sample.c -> backprop/network.c.
 */
#ifndef VGG_CORE_DATA_SET_H
#define VGG_CORE_DATA_SET_H

#include "base/sha256.h"
#include "data/fingerprint.h"
#include "data/moments.h"
#include "image/image.h"

#define VGG_UNKNOWN_LABEL UINT32_MAX /* of the pictures in _unknown/ */

struct vgg_example {
    char *path;       /* owned */
    const char *name; /* class/file: the part of `path` below DIR */
    uint32_t label;
    struct vgg_image *image; /* owned; NULL where it did not fit: decoded at each use */
    uint32_t width, height;  /* pixels, upright */
    uint64_t file_bytes;
    char sha256[VGG_SHA256_HEX_BYTES]; /* of the file */
    struct vgg_moments moments;
    struct vgg_fingerprint fingerprint; /* for duplicates.h */
};

/* Zero-initialise. Read-only once made: any thread may use it. */
struct vgg_dataset {
    char **classes; /* labels are indices into it */
    size_t classes_n;
    struct vgg_example *examples; /* by class, then bytewise by path */
    size_t examples_n;
    /* Filled by vgg_dataset_statistics (statistics.h), on the 0-1 range. */
    double mean[3], std[3];
    double shift[3][3]; /* [channel][k]: eigenvector k of the colours times its deviation */
};

/* Free what it holds; zeros are allowed. */
void vgg_dataset_fini(struct vgg_dataset *dataset);

/* Give an empty set classes of these names. Errors: NO_MEMORY (vgg_dataset_fini is still due). */
enum vgg_status vgg_dataset_set_classes(struct vgg_dataset *dataset, const char *const *names,
                                        size_t n, struct vgg_error *error);

/* Move the examples of `from` behind those of `to`. Errors: NO_MEMORY (nothing has moved). */
enum vgg_status vgg_dataset_append(struct vgg_dataset *to, struct vgg_dataset *from,
                                   struct vgg_error *error);

/*
 * Decode the picture of an example once more, which the caller owns. Errors, the path in their
 * text: BAD_IMAGE (the file is another than when the set was opened), those of vgg_picture_read.
 */
enum vgg_status vgg_example_read(const struct vgg_example *example, struct vgg_image **image,
                                 struct vgg_error *error);

/* Of the decoded pictures that it keeps. */
uint64_t vgg_dataset_bytes(const struct vgg_dataset *dataset);

/* Names the data: SHA-256 of classes, names, labels and sizes, in order, in hexadecimal. */
void vgg_dataset_digest(const struct vgg_dataset *dataset, char hex[VGG_SHA256_HEX_BYTES]);

#endif
