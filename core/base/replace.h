/* A file that appears under its name only when it is whole. */
#ifndef VGG_CORE_BASE_REPLACE_H
#define VGG_CORE_BASE_REPLACE_H

#include "vgg.h"

/* Writes the contents. */
typedef enum vgg_status vgg_contents_fn(void *user, int fd, struct vgg_error *error);

/*
 * Call contents(user, fd) with a new file beside `path`, then give it that name. Whatever fails, an
 * older file stays as it was and nothing is left beside it. A process that is killed meanwhile
 * leaves `path.PID-N.tmp`, which the next replacement removes. Errors: IO (also where `path` is no
 * regular file), NO_MEMORY, and those of contents.
 */
enum vgg_status vgg_replace(const char *path, vgg_contents_fn *contents, void *user,
                            struct vgg_error *error);

/*
 * Could `path` be replaced, as far as can be told before there are contents? Creates a file beside
 * it and removes it again. Errors: IO, NO_MEMORY.
 */
enum vgg_status vgg_replace_try(const char *path, struct vgg_error *error);

/*
 * Is there room for so many bytes beside an older `path`? Where the file system does not say, there
 * is. Errors: IO, whose text begins with `path`, NO_MEMORY.
 */
enum vgg_status vgg_replace_room(const char *path, uint64_t bytes, struct vgg_error *error);

/* write() until all is written. Errors: IO. */
enum vgg_status vgg_write_all(int fd, const void *bytes, size_t size, struct vgg_error *error);

#endif
