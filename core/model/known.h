/*
 * Typicality in a model file: tensors typicality.transform [dims][features], typicality.means
 * [classes][dims] and typicality.distances [n], all or none of them, and its level in the metadata.
 */
#ifndef VGG_CORE_MODEL_KNOWN_H
#define VGG_CORE_MODEL_KNOWN_H

#include "model/header.h"
#include "typicality/typicality.h"

#define VGG_KNOWN_MODULE "typicality"
#define VGG_KNOWN_REJECT "vgg.typicality.reject" /* metadata: a number; [VGG_REJECT_DEFAULT] */

enum vgg_known { VGG_KNOWN_TRANSFORM, VGG_KNOWN_MEANS, VGG_KNOWN_DISTANCES, VGG_KNOWN_TENSORS };

extern const char *const vgg_known_fields[VGG_KNOWN_TENSORS]; /* "transform" ... */

/* Is it one of them? */
bool vgg_known_is(const struct vgg_tensor *tensor, enum vgg_known *which);

/*
 * Check them against a network of so many features and classes, and put their sizes and the level
 * into *typicality (no arrays yet; known_n 0 where there are none). Errors: BAD_MODEL; the text
 * names the tensor.
 */
enum vgg_status vgg_known_bind(const struct vgg_header *header, uint32_t features, uint32_t classes,
                               struct vgg_typicality *typicality, struct vgg_error *error);

/* Arrays for the sizes. False when out of memory; vgg_typicality_fini is due either way. */
bool vgg_known_allocate(struct vgg_typicality *typicality);

/* The array of one of them. */
float *vgg_known_array(const struct vgg_typicality *typicality, enum vgg_known which);

/* What must hold of the values beside that they are finite. Errors: BAD_MODEL. */
enum vgg_status vgg_known_check(const struct vgg_typicality *typicality, struct vgg_error *error);

#endif
