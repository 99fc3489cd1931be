/*
 * Labelled pictures: DIR/class/file. Every picture is decoded once while the set is opened, so that
 * nothing that cannot be read is met later; as many as fit stay in memory.
 * Path of a training step: [this] -> sample.c -> backprop/network.c -> backprop/parameter.c.
 */
#ifndef VGG_CORE_DATA_DATASET_H
#define VGG_CORE_DATA_DATASET_H

#include "base/sha256.h"
#include "base/team.h"
#include "data/moments.h"
#include "image/image.h"

struct vgg_example {
    char *path;       /* owned */
    const char *name; /* class/file: the part of `path` below DIR */
    uint32_t label;
    struct vgg_image *image; /* owned; NULL where it did not fit: decoded at each use */
    uint32_t width, height;  /* pixels, upright */
    uint64_t file_bytes;
    struct vgg_moments moments;
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

struct vgg_dataset_options {
    uint64_t cache_bytes; /* of decoded pixels to keep */
    /* Folders must be among these (and not all need be there); NULL: the folders are the classes */
    const char *const *classes;
    size_t classes_n;
    /*
     * What is, or might be, a picture is left out; what directories hold beside. Called by the
     * caller's thread, in the order of paths, pictures that cannot be decoded last. May be NULL.
     */
    void (*on_skip)(void *user, const char *path, const char *reason);
    void (*on_ignore)(void *user, const char *path, const char *reason);
    void *user;
};

/*
 * Read DIR as vgg_walk_classes finds it: its folders that hold a usable picture are the classes,
 * bytewise sorted, what can be decoded in them the examples. Errors: IO (DIR cannot be read),
 * BAD_ARGUMENT (fewer than two classes where none are given, folders that are not among the given
 * ones, no picture, a name that is not UTF-8), NO_MEMORY; *dataset is then empty. The result does
 * not depend on the team's threads.
 */
enum vgg_status vgg_dataset_open(const char *dir, const struct vgg_dataset_options *options,
                                 struct vgg_team *team, struct vgg_dataset *dataset,
                                 struct vgg_error *error);

/* Free what it holds; zeros are allowed. */
void vgg_dataset_fini(struct vgg_dataset *dataset);

/*
 * Move a seeded random round(fraction * n) of each class's n examples into the empty set `to`: at
 * least 1 where there are 2 or more, and never all. Both keep their order. Errors: NO_MEMORY
 * (`from` is unchanged).
 */
enum vgg_status vgg_dataset_split(struct vgg_dataset *from, double fraction, uint64_t seed,
                                  struct vgg_dataset *to, struct vgg_error *error);

/* Names the data: SHA-256 of classes, names, labels and sizes, in order, in hexadecimal. */
void vgg_dataset_digest(const struct vgg_dataset *dataset, char hex[VGG_SHA256_HEX_BYTES]);

#endif
