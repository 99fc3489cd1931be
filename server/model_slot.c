/* The serving model. */
#include "model_slot.h"

/* embedded.S */
extern const char vgg_embedded_model[], vgg_embedded_model_end[];

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

struct vgg_model *model_slot_get(struct model_slot *slot)
{
    struct vgg_model *model;

    pthread_mutex_lock(&slot->mutex);
    model = vgg_model_retain(slot->model);
    pthread_mutex_unlock(&slot->mutex);
    return model;
}

enum vgg_status model_open(const char *path, const struct vgg_load_options *options,
                           struct vgg_model **model, struct vgg_error *error)
{
    size_t size = (size_t)(vgg_embedded_model_end - vgg_embedded_model);

    if (path != NULL)
        return vgg_model_load(path, options, model, error);
    if (size == 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "this build has no embedded model: name one with --model FILE");
    return vgg_model_load_memory(vgg_embedded_model, size, "embedded", options, model, error);
}
