/* Room for the best classes. */
#include "answer/top.h"

#include <stdlib.h>

uint32_t *top_classes(const struct vgg_model *model, const float *posterior, uint64_t k, size_t *n)
{
    uint32_t classes = vgg_model_get_info(model)->classes, *top;

    *n = k < classes ? (size_t)k : classes;
    top = calloc(*n, sizeof *top);
    if (top != NULL)
        vgg_top_k(posterior, classes, *n, top);
    return top;
}
