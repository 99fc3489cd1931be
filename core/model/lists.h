/* JSON lists in the metadata of a model: numbers, names of classes. */
#ifndef VGG_CORE_MODEL_LISTS_H
#define VGG_CORE_MODEL_LISTS_H

#include "vgg.h"

/* Names of classes; id and label point into `text`, NULL where there is none. */
struct vgg_label {
    const char *id;
    const char *label;
};

struct vgg_labels {
    char *text;
    struct vgg_label *items;
    size_t items_n;
};

/* Parse `[1, 2.5]`: numbers[n], n <= max. Errors: BAD_MODEL (anything else). */
enum vgg_status vgg_json_numbers(const char *json, double *numbers, size_t max, size_t *n,
                                 struct vgg_error *error);

/*
 * Parse `["label", ...]` or `[["id", "label"], ...]`. Errors: BAD_MODEL, NO_MEMORY; *labels is
 * then empty.
 */
enum vgg_status vgg_json_labels(const char *json, struct vgg_labels *labels,
                                struct vgg_error *error);

/* The text that vgg_json_labels reads back. UTF-8; malloc'ed; NULL when out of memory. */
char *vgg_labels_format(const struct vgg_labels *labels);
void vgg_labels_fini(struct vgg_labels *labels);

#endif
