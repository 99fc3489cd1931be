/*
 * Typicality in a model file: tensors typicality.transform [dims][features], typicality.means
 * [classes][dims] and typicality.distances [n], and the metadata of its level.
 */
#ifndef VGG_CORE_MODEL_KNOWN_H
#define VGG_CORE_MODEL_KNOWN_H

#include "model/names.h"
#include "typicality/typicality.h"

#define VGG_KNOWN_REJECT "vgg.typicality.reject" /* metadata key; the value a number */

/*
 * Add its tensors to a plan, after those of the network: F16, which holds them as
 * vgg_typicality_fit rounded them, the distances F32. The metadata are the caller's to add.
 */
void vgg_known_plan(struct vgg_plan *plan, const struct vgg_typicality *typicality);

/* The part of a vgg_fill_fn for them: `tensor` counts from the first of the three. */
void vgg_known_fill(const struct vgg_typicality *typicality, size_t tensor, uint64_t first,
                    size_t n, float *out);

#endif
