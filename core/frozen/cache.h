/*
 * Values in files, each found by a text that says what they were computed of. A file that is
 * damaged, cut short or another's is as good as none.
 */
#ifndef VGG_CORE_FROZEN_CACHE_H
#define VGG_CORE_FROZEN_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "vgg.h"

enum { VGG_CACHE_KEY_BYTES = 320 }; /* of a key, with its terminator */

/*
 * Have the directory `dir`, which is made where it is not there. Errors: IO (it is no directory,
 * cannot be made or searched); the text names it.
 */
enum vgg_status vgg_cache_open(const char *dir, struct vgg_error *error);

/* What is kept under a key: values[views][floats]. */
struct vgg_cache_entry {
    const char *key;
    size_t views, floats;
};

/*
 * Views [first, first + n) of what was put under a key, as if nothing else were there: what of the
 * file is not asked for is neither read nor checked. False where there are none. Thread-safe.
 */
bool vgg_cache_get(const char *dir, const struct vgg_cache_entry *entry, size_t first, size_t n,
                   float *values);

/*
 * Keep all of an entry, in place of an older one. The file appears when it is whole, so that
 * several processes may share a directory. Errors: IO, NO_MEMORY; the text names the directory.
 * Thread-safe, but for two threads that put one key.
 */
enum vgg_status vgg_cache_put(const char *dir, const struct vgg_cache_entry *entry,
                              const float *values, struct vgg_error *error);

#endif
