/* Two maps that the layers write in turn, by the kernels of inference. */
#include "narrow/stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Of the larger of two maps that are written in turn, and of what layers need beside. */
static void measure(const struct vgg_net *net, const struct vgg_kernels *kernels,
                    struct vgg_shape shape, unsigned threads, size_t *map, size_t *scratch)
{
    *map = kernels->map_bytes(shape);
    *scratch = 1;
    for (size_t i = 0; i < net->arch->convs_n; i++) {
        const struct vgg_conv *conv = &net->layers[i].conv;

        *scratch = most(*scratch, kernels->conv_scratch_bytes(conv, shape, threads));
        shape = vgg_conv_output(conv, shape);
        *map = most(*map, kernels->map_bytes(shape));
    }
}

static bool allocate_layer(struct vgg_stack *stack, const struct vgg_layer *from)
{
    struct vgg_layer *layer = &stack->layers[stack->layers_n++];

    *layer = *from;
    layer->packed = vgg_alloc_aligned(stack->kernels->weights_bytes(&layer->conv), 1);
    layer->bias = vgg_alloc_aligned(layer->conv.out, sizeof *layer->bias);
    return layer->packed != NULL && layer->bias != NULL;
}

enum vgg_status vgg_stack_init(struct vgg_stack *stack, const struct vgg_net *net,
                               const struct vgg_kernels *kernels, struct vgg_shape in,
                               unsigned threads, struct vgg_error *error)
{
    size_t map, scratch;
    bool whole = vgg_kernels_start(kernels);

    measure(net, kernels, in, threads, &map, &scratch);
    *stack = (struct vgg_stack){
        .kernels = kernels,
        .in = in,
        .views = vgg_calloc(in.n, sizeof *stack->views),
        .maps = {vgg_alloc_aligned(map, 1), vgg_alloc_aligned(map, 1)},
        .scratch = vgg_alloc_aligned(scratch, 1),
    };
    whole = whole && stack->views != NULL && stack->maps[0] != NULL && stack->maps[1] != NULL &&
            stack->scratch != NULL;
    for (size_t i = 0; i < net->arch->convs_n && whole; i++)
        whole = allocate_layer(stack, &net->layers[i]);
    return whole ? VGG_OK : vgg_fail_memory(error);
}

void vgg_stack_fini(struct vgg_stack *stack)
{
    for (size_t i = 0; i < stack->layers_n; i++) {
        free(stack->layers[i].packed);
        free(stack->layers[i].bias);
    }
    free(stack->views);
    free(stack->maps[0]);
    free(stack->maps[1]);
    free(stack->scratch);
    *stack = (struct vgg_stack){.layers_n = 0};
}

uint64_t vgg_stack_bytes(const struct vgg_net *net, const struct vgg_kernels *kernels,
                         struct vgg_shape in, unsigned threads)
{
    size_t map, scratch;
    uint64_t bytes = in.n * sizeof(struct vgg_view_pixels);

    measure(net, kernels, in, threads, &map, &scratch);
    for (size_t i = 0; i < net->arch->convs_n; i++)
        bytes += vgg_mapped_bytes(kernels->weights_bytes(&net->layers[i].conv)) +
                 vgg_mapped_bytes(net->layers[i].conv.out * sizeof(float));
    return bytes + 2 * vgg_mapped_bytes(map) + vgg_mapped_bytes(scratch);
}

struct pack_loop {
    const struct vgg_kernels *kernels;
    const struct vgg_layer *layer;
    const float *weights;
};

/* Item: pack_rows output channels. */
static void pack_rows(void *context, size_t item, unsigned thread)
{
    const struct pack_loop *loop = context;
    const struct vgg_conv *conv = &loop->layer->conv;
    uint32_t rows = (uint32_t)loop->kernels->pack_rows, first = (uint32_t)item * rows;
    size_t row = (size_t)conv->in * conv->kernel * conv->kernel;

    (void)thread;
    loop->kernels->weights_pack(conv, first, (uint32_t)vgg_min_size(rows, conv->out - first),
                                loop->weights + first * row, loop->layer->packed);
}

void vgg_stack_set(struct vgg_stack *stack, struct vgg_team *team, size_t layer,
                   const float *weights, const float *biases)
{
    struct pack_loop loop = {stack->kernels, &stack->layers[layer], weights};
    uint32_t out = loop.layer->conv.out;

    vgg_team_run(team, pack_rows, &loop, vgg_ceil_div(out, stack->kernels->pack_rows));
    memcpy(loop.layer->bias, biases, out * sizeof *biases);
}

void vgg_stack_begin(struct vgg_stack *stack, struct vgg_team *team, const float *inputs,
                     uint32_t n)
{
    size_t floats = (size_t)stack->in.c * stack->in.h * stack->in.w;

    stack->layer = 0;
    stack->shape = stack->in;
    stack->shape.n = n;
    for (size_t i = 0; i < n; i++)
        stack->views[i].input = inputs + i * floats;
    stack->kernels->input(team, stack->views, stack->shape, NULL, stack->maps[0]);
    stack->map = stack->maps[0];
}

void vgg_stack_step(struct vgg_stack *stack, struct vgg_team *team)
{
    const struct vgg_layer *layer = &stack->layers[stack->layer++];
    float *out = stack->maps[stack->layer % 2];

    stack->kernels->conv(team, &layer->conv, layer->packed, layer->bias, stack->map, stack->shape,
                         out, stack->scratch);
    stack->shape = vgg_conv_output(&layer->conv, stack->shape);
    stack->map = out;
}
