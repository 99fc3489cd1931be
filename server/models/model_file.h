/*
 * Where a model comes from: a file, which stays open so that it can be loaded again when its name
 * leads elsewhere, or the model embedded in the program.
 */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include <time.h>

#include "vgg_footprint.h"

struct model_file {
    char *path; /* NULL: the embedded model */
    int fd;
    /* What was found at the opening. */
    uint64_t device, inode, bytes;
    struct timespec modified, changed;
};

/*
 * Open `path`, or stand for the embedded model where it is NULL. Only a regular file can be opened;
 * nothing is waited for. Errors: IO, BAD_ARGUMENT (this build has no embedded model), NO_MEMORY.
 */
enum vgg_status model_file_open(const char *path, struct model_file *file, struct vgg_error *error);

/* Load it, as vgg_model_load_fd. */
enum vgg_status model_file_load(const struct model_file *file,
                                const struct vgg_load_options *options, struct vgg_model **model,
                                struct vgg_error *error);

/* What is to be said of a model that was loaded as the options ask; NULL: nothing. */
const char *model_remark(const struct vgg_load_options *options, const struct vgg_model *model);

/* What loading it takes, and an engine for it, as vgg_footprint_fd. */
enum vgg_status model_file_predict(const struct model_file *file,
                                   const struct vgg_load_options *load,
                                   const struct vgg_engine_options *engine,
                                   struct vgg_footprint *footprint, struct vgg_error *error);

/* Does its path still lead to the same file, and has that not been touched? */
bool model_file_unchanged(const struct model_file *file);

/* For messages: its path, or "the embedded model". */
const char *model_file_name(const struct model_file *file);

void model_file_close(struct model_file *file);

/* The file of the embedded model, *size bytes; 0 where this build has none. */
const void *model_embedded(size_t *size);

/*
 * Open, load and close, where there is room for it, and for an engine and its threads; `engine` is
 * NULL where the model is only looked at.
 */
enum vgg_status model_open(const char *path, const struct vgg_load_options *options,
                           const struct vgg_engine_options *engine, struct vgg_model **model,
                           struct vgg_error *error);

#endif
