/* Directories of class folders to train on, in the directory that a test works in. */
#ifndef VGG_TESTS_PHOTO_SETS_H
#define VGG_TESTS_PHOTO_SETS_H

#include <stddef.h>

/* A file in a class folder, which is made if it is not there. */
void photo_put(const char *directory, const char *folder, const char *name, const void *bytes,
               size_t size);

/* Three classes that a glance tells apart; the path, as work_file. Made on the first call. */
const char *photo_set(const char *name);

/* Three classes of the same pictures, which nothing can tell apart. */
const char *photo_set_alike(const char *name);

#endif
