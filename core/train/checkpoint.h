/* The state of a training run in a file: named arrays of floats and strings, back to the bit. */
#ifndef VGG_CORE_TRAIN_CHECKPOINT_H
#define VGG_CORE_TRAIN_CHECKPOINT_H

#include "model/source.h"

/* An array of a checkpoint: n >= 1 values, the caller's. */
struct vgg_named_floats {
    const char *name;
    float *values;
    uint64_t n;
};

/*
 * Write a safetensors file of all arrays, each a vector, and all metadata, with a checksum over
 * both. Names are distinct, and so are keys, of which "vgg.checkpoint" and "vgg.sha256" are taken.
 * An older file is replaced when the new one is whole (base/replace.h). Errors: IO, NO_MEMORY,
 * BAD_MODEL (a value is not finite, or metadata not UTF-8); the text names the file.
 */
enum vgg_status vgg_checkpoint_write(const char *path, const struct vgg_named_floats *arrays,
                                     size_t arrays_n, const struct vgg_metadata *metadata,
                                     size_t metadata_n, struct vgg_error *error);

struct vgg_checkpoint {
    char *path;
    struct vgg_source source;
    struct vgg_header header;
    uint64_t data; /* where it begins in the file */
};

/*
 * Open one and check it, its checksum too. On failure *checkpoint is empty. Errors: IO, BAD_MODEL
 * (no checkpoint, or damaged), NO_MEMORY; the text names the file.
 */
enum vgg_status vgg_checkpoint_open(const char *path, struct vgg_checkpoint *checkpoint,
                                    struct vgg_error *error);

/* The string of a key, or NULL. Lives as long as the checkpoint. */
const char *vgg_checkpoint_get(const struct vgg_checkpoint *checkpoint, const char *key);

/*
 * Read into arrays[n], in any order: all that the checkpoint holds and nothing else, each with
 * exactly its number of values. Errors: BAD_MODEL (the text names array and sizes; nothing has been
 * read), IO.
 */
enum vgg_status vgg_checkpoint_read(const struct vgg_checkpoint *checkpoint,
                                    const struct vgg_named_floats *arrays, size_t n,
                                    struct vgg_error *error);

/* An empty one is allowed. */
void vgg_checkpoint_close(struct vgg_checkpoint *checkpoint);

#endif
