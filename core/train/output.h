/* What training gives: the model file with its metadata, a model to validate, the log. */
#ifndef VGG_CORE_TRAIN_OUTPUT_H
#define VGG_CORE_TRAIN_OUTPUT_H

#include "backprop/network.h"
#include "data/dataset.h"
#include "frozen/base.h"

/*
 * The network as it is now, loaded for inference. `train` gives the preprocessing. Errors:
 * NO_MEMORY, BAD_MODEL (a weight is not finite). The caller owns one reference.
 */
enum vgg_status vgg_output_load(struct vgg_network *network, const struct vgg_dataset *train,
                                unsigned threads, struct vgg_model **model,
                                struct vgg_error *error);

/*
 * Write settings->output: weights in F32 or F16, preprocessing, labels, test scales, and how it was
 * made. On a base with frozen layers the file is the base's with others in their place (graft.h).
 * Errors: IO, NO_MEMORY, BAD_MODEL; an older file stays whole then.
 */
enum vgg_status vgg_output_write(struct vgg_network *network, const struct vgg_dataset *train,
                                 const struct vgg_base *base,
                                 const struct vgg_train_options *settings,
                                 const struct vgg_train_epoch *epoch, const char *settings_text,
                                 const char *data, struct vgg_error *error);

/* Is there room for that file? Errors: IO, NO_MEMORY. */
enum vgg_status vgg_output_room(struct vgg_network *network, const struct vgg_base *base,
                                const struct vgg_train_options *settings, struct vgg_error *error);

enum { VGG_OUTPUT_SCALES_BYTES = 64 };

/* Metadata: the classes of a set, malloc'ed, NULL when out of memory; n test scales, at least 1. */
char *vgg_output_labels(const struct vgg_dataset *dataset);
void vgg_output_scales(char text[VGG_OUTPUT_SCALES_BYTES], const uint32_t *scales, size_t n);

/* Write the paths of a set's pictures, a line each. Errors: IO, NO_MEMORY. */
enum vgg_status vgg_output_list(const char *path, const struct vgg_dataset *dataset,
                                struct vgg_error *error);

/* Write the log anew. Errors: IO, NO_MEMORY. */
enum vgg_status vgg_output_log(const char *path, const char *lines, struct vgg_error *error);

#endif
