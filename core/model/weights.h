/* A model file's weights as plain floats, to begin training with. */
#ifndef VGG_CORE_MODEL_WEIGHTS_H
#define VGG_CORE_MODEL_WEIGHTS_H

#include "model/model.h"

struct vgg_weights {
    struct vgg_model *model;              /* info, labels, normalisation; owned */
    const struct vgg_net *net;            /* the model's: configuration, and sizes of each layer */
    const float *weights[VGG_LAYERS_MAX]; /* [out][in][kernel][kernel], FC layers too */
    const float *biases[VGG_LAYERS_MAX];  /* [out] */
};

/*
 * Read a model file as vgg_model_load does, with the same checks: F16 and BF16 widened, batch-norm
 * folded. On failure *weights is empty. Errors: as vgg_model_load.
 */
enum vgg_status vgg_weights_read(const char *path, struct vgg_weights *weights,
                                 struct vgg_error *error);

/* The same of a source, which `path` names; of so many blocks of convolutions, or, 0, of all. */
enum vgg_status vgg_weights_read_source(const struct vgg_source *source, const char *path,
                                        unsigned blocks, struct vgg_weights *weights,
                                        struct vgg_error *error);
void vgg_weights_fini(struct vgg_weights *weights);

#endif
