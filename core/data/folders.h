/*
 * The folders of a set of pictures: which are classes, and what lies in them.
 * Path of a dataset: image/walk.c -> [this] -> dataset.c.
 */
#ifndef VGG_CORE_DATA_FOLDERS_H
#define VGG_CORE_DATA_FOLDERS_H

#include "data/set.h"

struct vgg_dataset_options {
    uint64_t cache_bytes; /* of decoded pixels to keep */
    /* Folders must be among these (and not all need be there); NULL: the folders are the classes */
    const char *const *classes;
    size_t classes_n;
    /*
     * Where the folders are the classes: those of fewer usable pictures, also of none, are refused,
     * all of them named. 0: any number does, and a class without a usable picture is left out.
     */
    size_t pictures_min;
    /*
     * The folder _unknown/ is no class. NULL: it is left out; otherwise this set is made of its
     * pictures, which are none of the classes (label VGG_UNKNOWN_LABEL, classes_n 0), or is empty.
     */
    struct vgg_dataset *unknown;
    /*
     * What is, or might be, a picture is left out; what directories hold beside. Called by the
     * caller's thread, in the order of paths, pictures that cannot be decoded last. May be NULL.
     */
    void (*on_skip)(void *user, const char *path, const char *reason);
    void (*on_ignore)(void *user, const char *path, const char *reason);
    bool (*stop)(void *user); /* asked while pictures are read; NULL: never */
    void *user;
};

/*
 * Fill the empty set (and options->unknown) with classes and with examples that are no more than
 * paths and labels. Errors as of vgg_dataset_open; what is there until then stays.
 */
enum vgg_status vgg_folders_find(const char *dir, const struct vgg_dataset_options *options,
                                 struct vgg_dataset *dataset, struct vgg_error *error);

/*
 * When the pictures are read: leave out classes that have none, or refuse those of too few, and see
 * that there are classes enough.
 */
enum vgg_status vgg_folders_settle(const char *dir, const struct vgg_dataset_options *options,
                                   struct vgg_dataset *dataset, struct vgg_error *error);

#endif
