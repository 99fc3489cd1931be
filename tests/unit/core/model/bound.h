/* The header of a made model, recognised. */
#ifndef VGG_TESTS_CORE_MODEL_BOUND_H
#define VGG_TESTS_CORE_MODEL_BOUND_H

#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "model_maker.h"

struct bound {
    struct vgg_header header;
    struct vgg_net net;
    struct vgg_binding binding;
    struct vgg_error error;
    enum vgg_status status;
};

static inline void bind_made(const struct maker *maker, struct bound *bound)
{
    char *json = maker_json(maker);

    *bound = (struct bound){0};
    if (vgg_header_parse(json, strlen(json), maker_data_bytes(maker), &bound->header, NULL) !=
        VGG_OK)
        abort();
    bound->status = vgg_names_bind(&bound->header, &vgg_kernels_portable, &bound->net,
                                   &bound->binding, &bound->error);
    free(json);
}

static inline void bound_fini(struct bound *bound)
{
    vgg_header_fini(&bound->header);
}

#endif
