/*
 * Finding pictures in directories, which `vgg classify`, `vgg eval` and `vgg train` do alike. A
 * part of libvgg beside vgg.h.
 *
 * A picture is a regular file, or a link to one, whose name ends like a JPEG's, PNG's or WebP's.
 * What is left out is told, with the reason. It is `lost` where it might have been a picture or
 * hold some and cannot be read: a link that leads nowhere, a directory without permission or nested
 * too deep. The rest is no picture to us: formats that are not read, hidden names, the leavings of
 * archivers and file managers, other files, FIFOs, sockets and devices; and links to directories,
 * which are not entered, so that no walk goes round. Names are met in bytewise order of their
 * paths, whatever the file system says.
 */
#ifndef VGG_PICTURES_H
#define VGG_PICTURES_H

#include "vgg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A folder among the classes that is none: its pictures show none of them. */
#define VGG_UNKNOWN_FOLDER "_unknown"

/* What a walk tells; a status other than OK ends it. Strings are valid during the call. Any may be
 * NULL. */
struct vgg_walk {
    enum vgg_status (*on_picture)(void *user, const char *path);
    /* Something is left out. `reason` is static, or as strerror gives it. */
    enum vgg_status (*on_left_out)(void *user, const char *path, const char *reason, bool lost);
    /*
     * A class folder, before its first picture, or at its end where all of them are of formats that
     * are not read; without it any name is a class. *known, which is
     * true, says whether this one is: else its pictures are not told.
     */
    enum vgg_status (*on_class)(void *user, const char *path, const char *name, bool *known);
    void *user;
};

/*
 * Find the pictures in a directory and below. Errors: BAD_ARGUMENT (no directory or
 * walk), IO (it cannot be read), NO_MEMORY, what the calls return.
 */
enum vgg_status vgg_walk_pictures(const char *directory, const struct vgg_walk *walk,
                                  struct vgg_error *error);

/*
 * Find those of DIRECTORY/CLASS/..., class by class in bytewise order of the folders' names. Here a
 * link to a directory is a folder, unless it leads to the directory itself or one above it. Files
 * beside the folders and folders without a picture are left out. Errors as vgg_walk_pictures, and
 * BAD_ARGUMENT, at the end, where folders with pictures are no class: the text names them all, or
 * as many as fit.
 */
enum vgg_status vgg_walk_classes(const char *directory, const struct vgg_walk *walk,
                                 struct vgg_error *error);

#ifdef __cplusplus
}
#endif

#endif
