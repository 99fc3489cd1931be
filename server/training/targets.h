/* The files that a training will write, tried before it begins. */
#ifndef TARGETS_H
#define TARGETS_H

#include "vgg.h"

struct target {
    const char *option; /* that names it */
    const char *path;   /* NULL: it will not be written */
    bool directory;     /* one that may be missing */
};

/*
 * Could all of them be written, each where no other is? Errors: BAD_ARGUMENT (two are one file, a
 * directory is named), IO; the text names option and path.
 */
enum vgg_status targets_try(const struct target *targets, size_t n, struct vgg_error *error);

#endif
