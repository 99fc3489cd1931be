/* Class names: ImageNet's built in. */
#ifndef VGG_CORE_MODEL_LABELS_H
#define VGG_CORE_MODEL_LABELS_H

#include "model/lists.h"

/* ImageNet's 1000 classes in order, [wnid, words]. Errors: NO_MEMORY. */
enum vgg_status vgg_labels_imagenet(struct vgg_labels *labels, struct vgg_error *error);

/* Labels from text of one "id label" a line. Errors: NO_MEMORY. */
enum vgg_status vgg_labels_parse(const char *text, size_t size, struct vgg_labels *labels,
                                 struct vgg_error *error);

#endif
