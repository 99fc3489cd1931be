/*
 * From tensor names and shapes to a network, torchvision's and timm's, with and without _bn; and
 * back to torchvision's.
 */
#ifndef VGG_CORE_MODEL_NAMES_H
#define VGG_CORE_MODEL_NAMES_H

#include "model/known.h"
#include "nn/net.h"

/* What a tensor is to its layer. */
enum vgg_role {
    VGG_ROLE_WEIGHT,
    VGG_ROLE_BIAS,
    VGG_ROLE_BN_WEIGHT,
    VGG_ROLE_BN_BIAS,
    VGG_ROLE_BN_MEAN,
    VGG_ROLE_BN_VAR,
    VGG_ROLES,
    VGG_ROLE_IGNORED = VGG_ROLES /* num_batches_tracked; tensors of typicality */
};

/* tensors[layer][role] of a recognised file; NULL where the layer has none. */
struct vgg_binding {
    const struct vgg_tensor *tensors[VGG_LAYERS_MAX][VGG_ROLES];
    bool batch_norm;
    struct vgg_typicality typicality; /* sizes and level; no arrays */
};

/*
 * Recognise the configuration of table 1 in a header and describe `net` (no weights yet), with
 * every tensor bound to its place and every shape checked. Errors: BAD_MODEL; the text names the
 * tensor.
 */
enum vgg_status vgg_names_bind(const struct vgg_header *header, const struct vgg_kernels *kernels,
                               struct vgg_net *net, struct vgg_binding *binding,
                               struct vgg_error *error);

/* Layer and role of a bound tensor; VGG_ROLE_IGNORED for one that is not used. */
enum vgg_role vgg_binding_role(const struct vgg_binding *binding, const struct vgg_tensor *tensor,
                               size_t *layer);

enum { VGG_PLAN_TENSORS_MAX = 2 * VGG_LAYERS_MAX + VGG_KNOWN_TENSORS, VGG_PLAN_NAME_BYTES = 48 };

/* The tensors of a network as torchvision names them; points into itself: not to be copied. */
struct vgg_plan {
    struct vgg_tensor tensors[VGG_PLAN_TENSORS_MAX]; /* weight, bias of layer 0, weight ... */
    char names[VGG_PLAN_TENSORS_MAX][VGG_PLAN_NAME_BYTES];
    struct vgg_header header; /* of these tensors; without metadata, which the caller may add */
};

/* Plan a file of a described network, without batch-norm, all tensors in `dtype`. */
void vgg_names_plan(const struct vgg_net *net, enum vgg_dtype dtype, struct vgg_plan *plan);

/*
 * Add the tensors of typicality, in the order of enum vgg_known, after those of the network: F16,
 * which holds what vgg_typicality_fit has rounded, but the distances F32. Values come from
 * vgg_known_array; the level, VGG_KNOWN_REJECT, is the caller's to add to the metadata.
 */
void vgg_names_plan_known(struct vgg_plan *plan, const struct vgg_typicality *typicality);

#endif
