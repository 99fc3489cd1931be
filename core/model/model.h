/* A model: a loaded network with its preprocessing and labels, immutable and reference-counted. */
#ifndef VGG_CORE_MODEL_MODEL_H
#define VGG_CORE_MODEL_MODEL_H

#include <stdatomic.h>

#include "model/lists.h"
#include "model/load.h"

enum { VGG_VERSION_BYTES = sizeof("sha256:") - 1 + VGG_SHA256_HEX_BYTES };

struct vgg_model {
    atomic_uint references;
    struct vgg_model_info info;
    struct vgg_net net;
    struct vgg_normalisation normalisation;
    struct vgg_typicality typicality; /* known_n 0: none */
    struct vgg_labels labels;         /* empty where the model has none */
    char *name;
    char version[VGG_VERSION_BYTES];
};

/* As vgg_model_load, for the kernels named; NULL: those that the options ask for. */
enum vgg_status vgg_model_load_kernels(const char *path, const struct vgg_kernels *kernels,
                                       const struct vgg_load_options *options,
                                       struct vgg_model **model, struct vgg_error *error);

/*
 * As vgg_model_load_kernels, for a source, which `path` names; the first `blocks` of its
 * convolutions alone (vgg_net_cut), or, with 0, all layers. One of blocks has no labels and gives
 * maps, not scores.
 */
enum vgg_status vgg_model_load_source(const struct vgg_source *source, const char *path,
                                      const struct vgg_kernels *kernels, unsigned blocks,
                                      const struct vgg_load_options *options,
                                      struct vgg_model **model, struct vgg_error *error);

/*
 * The network of vgg_model_init, for vgg_net_bytes, and the bytes that making it takes at a time.
 * Errors: BAD_ARGUMENT.
 */
enum vgg_status vgg_init_predict(const struct vgg_init_options *options,
                                 const struct vgg_kernels *kernels, struct vgg_net *net,
                                 uint64_t *bytes, struct vgg_error *error);

/* Pixels of the side that gives one position. */
uint32_t vgg_net_crop(const struct vgg_net *net);

#endif
