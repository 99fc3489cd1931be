/* The model that serves, and loading one: from a file, or the one embedded in the program. */
#ifndef MODEL_SLOT_H
#define MODEL_SLOT_H

#include <pthread.h>

#include "vgg.h"

/* The pointer is read and replaced under the mutex; a reference is taken there too. */
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

/* Load `path`, or the embedded model where it is NULL. */
enum vgg_status model_open(const char *path, const struct vgg_load_options *options,
                           struct vgg_model **model, struct vgg_error *error);

#endif
