/* Reading a safetensors file in one pass: hash, check, convert, fold batch-norm, pack. */
#ifndef VGG_CORE_MODEL_LOAD_H
#define VGG_CORE_MODEL_LOAD_H

#include "model/source.h"
#include "nn/net.h"
#include "typicality/typicality.h"

/* What a file turned out to hold. */
struct vgg_loaded {
    struct vgg_header header;
    struct vgg_net net;
    struct vgg_typicality typicality; /* known_n 0: none */
    bool batch_norm;
    uint64_t file_bytes;
    char sha256[VGG_SHA256_HEX_BYTES];
};

/*
 * The kernels that options (or NULL) ask for. NULL: there are none of that precision or name, or it
 * does not go with fc_half (BAD_ARGUMENT).
 */
const struct vgg_kernels *vgg_load_kernels(const struct vgg_load_options *options,
                                           struct vgg_error *error);

/*
 * Read it all, but keep the layers up to the end of a block of convolutions only (vgg_net_cut);
 * `blocks` of 0: keep all. `options` may be NULL. On failure *loaded is empty. Errors: as
 * vgg_model_load.
 */
enum vgg_status vgg_load(const struct vgg_source *source, const struct vgg_kernels *kernels,
                         unsigned blocks, const struct vgg_load_options *options,
                         struct vgg_loaded *loaded, struct vgg_error *error);

/*
 * The network that a file describes, for vgg_net_bytes, its typicality, for vgg_typicality_bytes,
 * and the bytes that loading would take, by its header alone. Errors: as vgg_model_load.
 */
enum vgg_status vgg_load_predict(const struct vgg_source *source, const struct vgg_kernels *kernels,
                                 const struct vgg_load_options *options, struct vgg_net *net,
                                 struct vgg_typicality *typicality, uint64_t *bytes,
                                 struct vgg_error *error);

void vgg_loaded_fini(struct vgg_loaded *loaded);

#endif
