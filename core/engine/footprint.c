/* Memory of models and engines. */
#include "engine/footprint.h"

#include "base/error.h"
#include "base/mem.h"
#include "engine/arena.h"
#include "model/model.h"
#include "vgg_footprint.h"

static const uint64_t VIEW_PIXELS_MAX = 1 << 20; /* the default limit: one view at 1024 x 1024 */

struct vgg_engine_options vgg_engine_complete(const struct vgg_engine_options *given)
{
    struct vgg_engine_options options = {0};

    if (given != NULL)
        options = *given;
    if (options.threads == 0)
        options.threads = vgg_threads_default();
    if (options.view_pixels_max == 0)
        options.view_pixels_max = VIEW_PIXELS_MAX;
    return options;
}

void vgg_engine_demand(const struct vgg_engine_options *options, const struct vgg_net *net,
                       size_t bytes[2])
{
    const uint64_t pixels = options->view_pixels_max;

    bytes[0] = vgg_arena_largest_bytes(net, pixels, options->threads);
    bytes[1] = vgg_arena_largest_bytes(net, pixels / VGG_BETWEEN_PART, options->threads);
}

/* What is only mapped of a block. */
static uint64_t slack(size_t bytes)
{
    return vgg_mapped_bytes(bytes) - bytes;
}

/* All but `load`, which is known. */
static void complete(struct vgg_footprint *footprint, const struct vgg_net *net,
                     const struct vgg_typicality *typicality,
                     const struct vgg_engine_options *engine)
{
    const struct vgg_engine_options options = vgg_engine_complete(engine);
    size_t arenas[2];

    footprint->held = vgg_net_bytes(net) + vgg_typicality_bytes(typicality);
    footprint->mapped = 0;
    if (engine != NULL) {
        vgg_engine_demand(&options, net, arenas);
        footprint->held += arenas[0] + arenas[1];
        footprint->mapped = net->kernels->start_bytes + slack(arenas[0]) + slack(arenas[1]);
    }
    for (size_t i = 0; i < net->layers_n; i++)
        footprint->mapped += slack(net->kernels->weights_bytes(&net->layers[i].conv));
}

static enum vgg_status predict(const struct vgg_source *source, const struct vgg_load_options *load,
                               const struct vgg_engine_options *engine,
                               struct vgg_footprint *footprint, struct vgg_error *error)
{
    const struct vgg_kernels *kernels = vgg_load_kernels(load, error);
    struct vgg_typicality typicality;
    struct vgg_net net;
    enum vgg_status status;

    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    status = vgg_load_predict(source, kernels, load, &net, &typicality, &footprint->load, error);
    if (status == VGG_OK)
        complete(footprint, &net, &typicality, engine);
    return status;
}

enum vgg_status vgg_footprint_init(const struct vgg_init_options *options,
                                   const struct vgg_load_options *load,
                                   const struct vgg_engine_options *engine,
                                   struct vgg_footprint *footprint, struct vgg_error *error)
{
    const struct vgg_kernels *kernels = vgg_load_kernels(load, error);
    const struct vgg_typicality none = {0};
    struct vgg_net net;
    enum vgg_status status;

    if (kernels == NULL)
        return VGG_BAD_ARGUMENT;
    status = vgg_init_predict(options, kernels, &net, &footprint->load, error);
    if (status == VGG_OK)
        complete(footprint, &net, &none, engine);
    return status;
}

enum vgg_status vgg_footprint_fd(int fd, const char *path, const struct vgg_load_options *load,
                                 const struct vgg_engine_options *engine,
                                 struct vgg_footprint *footprint, struct vgg_error *error)
{
    struct vgg_error reason = {0};
    struct vgg_source source;
    enum vgg_status status = vgg_source_from_fd(fd, &source, &reason);

    if (status == VGG_OK)
        status = predict(&source, load, engine, footprint, &reason);
    return status == VGG_OK ? status : vgg_fail(error, status, "model %s: %s", path, reason.text);
}

enum vgg_status vgg_footprint_memory(const void *bytes, size_t size,
                                     const struct vgg_load_options *load,
                                     const struct vgg_engine_options *engine,
                                     struct vgg_footprint *footprint, struct vgg_error *error)
{
    const struct vgg_source source = {.fd = -1, .bytes = bytes, .size = size};

    return predict(&source, load, engine, footprint, error);
}
