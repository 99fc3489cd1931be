/*
 * What lies in a directory of classes: names only.
 * Path of a dataset: [this] -> picture.c -> dataset.c.
 */
#ifndef VGG_CORE_TRAIN_FOLDERS_H
#define VGG_CORE_TRAIN_FOLDERS_H

#include "vgg.h"

/* Strings, each owned. Zero-initialise. */
struct vgg_names {
    char **items;
    size_t n, capacity;
};

/* Append a name, which the list then owns; NULL, as of a failed allocation, is NO_MEMORY. */
enum vgg_status vgg_names_add(struct vgg_names *names, char *name, struct vgg_error *error);

/* Empty the list. */
void vgg_names_fini(struct vgg_names *names);

/*
 * The names of the folders in `dir` (links to folders too), bytewise sorted, without hidden ones.
 * Errors: IO, BAD_ARGUMENT (a name is not UTF-8), NO_MEMORY.
 */
enum vgg_status vgg_folders_list(const char *dir, struct vgg_names *names, struct vgg_error *error);

/*
 * Append the paths of what `folder` and the folders in it hold under a picture's name (.jpg .jpeg
 * .png .webp in any case), bytewise sorted, without hidden ones; whatever they are. Folders that
 * are not entered, being links or too deep, are among them. Errors: IO, NO_MEMORY.
 */
enum vgg_status vgg_folders_pictures(const char *folder, struct vgg_names *paths,
                                     struct vgg_error *error);

#endif
