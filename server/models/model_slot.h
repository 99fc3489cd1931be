/* The model that serves: one pointer, which a reload replaces. */
#ifndef MODEL_SLOT_H
#define MODEL_SLOT_H

#include <pthread.h>

#include "vgg.h"

enum { MODEL_VERSION_BYTES = 80 }; /* "sha256:" and its digits */

/*
 * The pointer is read and replaced under the mutex; a reference is taken there too. Only the thread
 * that replaces it, the reloader's (before that the one that starts), may read it without.
 */
struct model_slot {
    pthread_mutex_t mutex;
    struct vgg_model *model;
    double load_s;
};

/* Takes over the reference. */
void model_slot_init(struct model_slot *slot, struct vgg_model *model, double load_s);
void model_slot_fini(struct model_slot *slot);

/* A reference to the model that serves now; release it. */
struct vgg_model *model_slot_get(struct model_slot *slot);

/* The same, and how long it took to load. */
struct vgg_model *model_slot_get_timed(struct model_slot *slot, double *load_s);

/* Let another model serve; takes over its reference. Whoever has the old one keeps it. */
void model_slot_replace(struct model_slot *slot, struct vgg_model *model, double load_s);

/* Identifies a model's weights, also in a copy loaded later: the beginning of its version. */
uint64_t model_key(const struct vgg_model *model);

#endif
