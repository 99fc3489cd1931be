/* Plain weights are those of a model loaded for the portable kernels, which keep them as they are.
 */
#include "model/weights.h"

static enum vgg_status take(enum vgg_status status, struct vgg_model *model,
                            struct vgg_weights *weights)
{
    *weights = (struct vgg_weights){.model = model};
    if (status != VGG_OK)
        return status;
    weights->net = &model->net;
    for (size_t i = 0; i < model->net.layers_n; i++) {
        weights->weights[i] = model->net.layers[i].packed;
        weights->biases[i] = model->net.layers[i].bias;
    }
    return VGG_OK;
}

enum vgg_status vgg_weights_read(const char *path, struct vgg_weights *weights,
                                 struct vgg_error *error)
{
    struct vgg_model *model = NULL;
    enum vgg_status status =
        vgg_model_load_kernels(path, &vgg_kernels_portable, NULL, &model, error);

    return take(status, model, weights);
}

enum vgg_status vgg_weights_read_source(const struct vgg_source *source, const char *path,
                                        unsigned blocks, struct vgg_weights *weights,
                                        struct vgg_error *error)
{
    struct vgg_model *model = NULL;
    enum vgg_status status =
        vgg_model_load_source(source, path, &vgg_kernels_portable, blocks, NULL, &model, error);

    return take(status, model, weights);
}

void vgg_weights_fini(struct vgg_weights *weights)
{
    vgg_model_release(weights->model);
    *weights = (struct vgg_weights){0};
}
