/* The forward pass: two maps that the layers write in turn, and one scratch block. */
#include "nn/forward.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"

/*
 * The arena: map[0], map[1], scratch, each aligned. The input is map[0] unless the first layer
 * reads the pictures itself; layer i writes map[(i + 1) % 2].
 */
struct layout {
    size_t map[2];
    size_t scratch;
};

static void grow(size_t *size, size_t bytes)
{
    if (vgg_size_align(bytes) > *size)
        *size = vgg_size_align(bytes);
}

static struct layout plan(const struct vgg_net *net, struct vgg_shape shape, unsigned threads)
{
    const struct vgg_kernels *kernels = net->kernels;
    struct layout sizes = {{0, 0}, 0};

    if (kernels->first == NULL)
        grow(&sizes.map[0], kernels->map_bytes(shape));
    for (size_t i = 0; i < net->layers_n; i++) {
        grow(&sizes.scratch, kernels->conv_scratch_bytes(&net->layers[i].conv, shape, threads));
        shape = vgg_conv_output(&net->layers[i].conv, shape);
        grow(&sizes.map[(i + 1) % 2], kernels->map_bytes(shape));
    }
    return sizes;
}

size_t vgg_forward_arena_bytes(const struct vgg_net *net, struct vgg_shape shape, unsigned threads)
{
    struct layout sizes = plan(net, shape, threads);

    return sizes.map[0] + sizes.map[1] + sizes.scratch;
}

/* The end of a step of the pass that began at *start_ns. Does the pass go on? */
static bool step(const struct vgg_forward_options *options, size_t i, bool last, uint64_t *start_ns)
{
    bool on;

    if (options == NULL)
        return !last;
    if (options->layer_ns != NULL)
        options->layer_ns[i] = vgg_now_ns() - *start_ns;
    on = !last && (options->between == NULL || options->between(options->user));
    *start_ns = vgg_now_ns();
    return on;
}

struct vgg_scores vgg_forward(const struct vgg_net *net, struct vgg_team *team,
                              const struct vgg_normalisation *normalisation,
                              const struct vgg_view_pixels *views, struct vgg_shape shape,
                              void *arena, double *mean, const struct vgg_forward_options *options)
{
    const struct vgg_kernels *kernels = net->kernels;
    struct layout sizes = plan(net, shape, vgg_team_threads(team));
    unsigned char *map[2] = {arena, (unsigned char *)arena + sizes.map[0]};
    unsigned char *scratch = map[1] + sizes.map[1];
    uint64_t start_ns = vgg_now_ns();
    size_t i = 0;

    if (kernels->first == NULL)
        kernels->input(team, views, shape, normalisation, map[0]);
    for (; step(options, i, i == net->layers_n, &start_ns); i++) {
        const struct vgg_layer *layer = &net->layers[i];

        if (i + 1 == net->layers_n && options != NULL && options->features != NULL)
            kernels->spatial_mean(map[i % 2], shape, options->features);
        if (i == 0 && kernels->first != NULL)
            kernels->first(team, &layer->conv, layer->packed, layer->bias, views, shape,
                           normalisation, map[1], scratch);
        else
            kernels->conv(team, &layer->conv, layer->packed, layer->bias, map[i % 2], shape,
                          map[(i + 1) % 2], scratch);
        shape = vgg_conv_output(&layer->conv, shape);
        assert(shape.h != 0 && shape.w != 0);
    }
    if (i < net->layers_n)
        return (struct vgg_scores){0};
    kernels->spatial_mean(map[i % 2], shape, mean);
    return (struct vgg_scores){kernels, map[i % 2], shape};
}
