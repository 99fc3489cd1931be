/*
 * The base of a training: a model file, open from its first look to its last byte, so that what is
 * computed by it and what is copied of it are the same. Path of a training on a base: [this] ->
 * frozen.c -> train/transfer.c -> train/graft.c.
 */
#ifndef VGG_CORE_FROZEN_BASE_H
#define VGG_CORE_FROZEN_BASE_H

#include "model/model.h"
#include "model/names.h"
#include "vgg_train.h"

enum { VGG_BASE_TITLE_BYTES = 256 };

/* Zero-initialise. */
struct vgg_base {
    const char *name; /* its path, or what the caller calls its bytes */
    struct vgg_source source;
    bool opened;              /* the source is a file of its own */
    struct vgg_header header; /* as in the file */
    uint64_t data;            /* offset of the tensors' data in it */
    struct vgg_net net;       /* described, without weights */
    struct vgg_binding binding;
    struct vgg_model *model;           /* NULL until it is loaded */
    char title[VGG_BASE_TITLE_BYTES];  /* the model's name, once its weights have been read, */
    char sha256[VGG_SHA256_HEX_BYTES]; /* and the file's checksum */
};

/* Read the header of settings->base. Errors: as vgg_model_load; vgg_base_fini is still due. */
enum vgg_status vgg_base_open(struct vgg_base *base, const struct vgg_train_options *settings,
                              struct vgg_error *error);

/*
 * Load it for inference: the first so many blocks of convolutions, or, with 0, all of it, if there
 * is room (on_memory). Errors: as vgg_model_load, those of on_memory.
 */
enum vgg_status vgg_base_load(struct vgg_base *base, unsigned blocks,
                              const struct vgg_train_options *settings, struct vgg_error *error);

/* Is it wider than that? 0 stands for its own width. */
bool vgg_base_is_wider(const struct vgg_base *base, uint32_t width);

/*
 * Is what `given` says of the network, if anything, what the base says, or, where nothing is
 * frozen, a smaller width? Errors: BAD_ARGUMENT; the text names the first difference. `head`: also
 * of the FC layers.
 */
enum vgg_status vgg_base_check(const struct vgg_base *base, const struct vgg_train_options *given,
                               bool head, struct vgg_error *error);

/* Is the file still what it was when it was opened? Errors: IO. */
enum vgg_status vgg_base_unchanged(const struct vgg_base *base, struct vgg_error *error);

void vgg_base_fini(struct vgg_base *base);

#endif
