/* Learnt arrays and their descent. */
#include "backprop/parameter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

enum { ITEM_FLOATS = 1 << 15 };

static float *zeros(uint64_t n)
{
    return n <= SIZE_MAX ? vgg_calloc_aligned((size_t)n, sizeof(float)) : NULL;
}

enum vgg_status vgg_parameter_init(struct vgg_parameter *parameter, const char *layer,
                                   const char *what, const struct vgg_parameter_options *options,
                                   struct vgg_error *error)
{
    *parameter = (struct vgg_parameter){.n = options->n, .decays = options->decays};
    snprintf(parameter->name, sizeof parameter->name, "%s.%s", layer, what);
    parameter->value = zeros(options->n);
    parameter->velocity = zeros(options->n);
    parameter->gradient = options->fused ? NULL : zeros(options->n);
    if (parameter->value == NULL || parameter->velocity == NULL ||
        (parameter->gradient == NULL && !options->fused))
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory for %s", parameter->name);
    return VGG_OK;
}

void vgg_parameter_fini(struct vgg_parameter *parameter)
{
    free(parameter->value);
    free(parameter->velocity);
    free(parameter->gradient);
    *parameter = (struct vgg_parameter){.n = 0};
}

void vgg_parameter_descend_part(const struct vgg_parameter *parameter,
                                const struct vgg_descent *descent, uint64_t first, size_t n,
                                const float *gradient)
{
    const float rate = (float)descent->rate, momentum = (float)descent->momentum;
    const float decay = parameter->decays ? (float)descent->decay : 0;
    float *restrict value = parameter->value + first;
    float *restrict velocity = parameter->velocity + first;

    for (size_t i = 0; i < n; i++) {
        velocity[i] = momentum * velocity[i] - rate * (gradient[i] + decay * value[i]);
        value[i] += velocity[i];
    }
}

struct descend_loop {
    const struct vgg_parameter *parameter;
    const struct vgg_descent *descent;
};

static void descend_item(void *context, size_t item, unsigned thread)
{
    const struct descend_loop *loop = context;
    uint64_t first = (uint64_t)item * ITEM_FLOATS, left = loop->parameter->n - first;

    (void)thread;
    vgg_parameter_descend_part(loop->parameter, loop->descent, first,
                               left < ITEM_FLOATS ? (size_t)left : ITEM_FLOATS,
                               loop->parameter->gradient + first);
}

void vgg_parameter_descend(struct vgg_parameter *parameter, struct vgg_team *team,
                           const struct vgg_descent *descent)
{
    struct descend_loop loop = {parameter, descent};

    vgg_team_run(team, descend_item, &loop,
                 (size_t)((parameter->n + ITEM_FLOATS - 1) / ITEM_FLOATS));
}
