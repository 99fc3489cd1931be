/* Any bytes as a model file: refused with a reason, or a network that describes itself. */
#include <stdlib.h>
#include <string.h>

#include "vgg.h"
#include "vgg_typicality.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_model(const struct vgg_model *model)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const char *id, *label;

    must(info->classes >= 1 && info->scales_n >= 1 && info->scales_n <= VGG_SCALES_MAX);
    must(strlen(info->version) == strlen("sha256:") + 64 && info->name != NULL);
    must(vgg_model_layer_count(model) >= 8);
    must((info->typicality == 0) == (vgg_reject_level(info, 0) == 0));
    must(info->reject >= 0 && info->reject <= 1);
    for (uint32_t i = 0; i < info->classes; i++)
        vgg_model_get_label(model, i, &id, &label);
    must(vgg_model_view_macs(model, info->crop, info->crop) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vgg_model *model = NULL;
    struct vgg_error error = {0};
    enum vgg_status status = vgg_model_load_memory(bytes, size, "fuzz", NULL, &model, &error);

    must(status == VGG_OK || status == VGG_BAD_MODEL);
    must((status == VGG_OK) == (model != NULL) && (status == VGG_OK) == (error.text[0] == '\0'));
    if (status == VGG_OK)
        check_model(model);
    vgg_model_release(model);
    return 0;
}
