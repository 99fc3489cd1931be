/* The serving model. */
#include "models/model_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_slot_init(struct model_slot *slot, struct vgg_model *model, double load_s)
{
    pthread_mutex_init(&slot->mutex, NULL);
    slot->model = model;
    slot->load_s = load_s;
}

void model_slot_fini(struct model_slot *slot)
{
    vgg_model_release(slot->model);
    pthread_mutex_destroy(&slot->mutex);
}

struct vgg_model *model_slot_get_timed(struct model_slot *slot, double *load_s)
{
    struct vgg_model *model;

    pthread_mutex_lock(&slot->mutex);
    model = vgg_model_retain(slot->model);
    *load_s = slot->load_s;
    pthread_mutex_unlock(&slot->mutex);
    return model;
}

struct vgg_model *model_slot_get(struct model_slot *slot)
{
    double load_s;

    return model_slot_get_timed(slot, &load_s);
}

void model_slot_replace(struct model_slot *slot, struct vgg_model *model, double load_s)
{
    struct vgg_model *old;

    pthread_mutex_lock(&slot->mutex);
    old = slot->model;
    slot->model = model;
    slot->load_s = load_s;
    pthread_mutex_unlock(&slot->mutex);
    vgg_model_release(old);
}

uint64_t model_key(const struct vgg_model *model)
{
    const char *digits = strchr(vgg_model_get_info(model)->version, ':');
    char first[17] = "";

    if (digits != NULL)
        snprintf(first, sizeof first, "%s", digits + 1);
    return strtoull(first, NULL, 16);
}
