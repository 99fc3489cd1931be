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
                                   const char *what, uint64_t n, bool decays,
                                   struct vgg_error *error)
{
    *parameter = (struct vgg_parameter){.n = n, .decays = decays};
    snprintf(parameter->name, sizeof parameter->name, "%s.%s", layer, what);
    parameter->value = zeros(n);
    parameter->velocity = zeros(n);
    parameter->gradient = zeros(n);
    if (parameter->value == NULL || parameter->velocity == NULL || parameter->gradient == NULL)
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

struct descend_loop {
    struct vgg_parameter *parameter;
    float rate, momentum, decay;
};

static void descend_item(void *context, size_t item, unsigned thread)
{
    const struct descend_loop *loop = context;
    size_t first = item * ITEM_FLOATS, last = first + ITEM_FLOATS;
    float *value = loop->parameter->value, *velocity = loop->parameter->velocity;
    const float *gradient = loop->parameter->gradient;

    (void)thread;
    for (size_t i = first; i < last && i < loop->parameter->n; i++) {
        velocity[i] =
            loop->momentum * velocity[i] - loop->rate * (gradient[i] + loop->decay * value[i]);
        value[i] += velocity[i];
    }
}

void vgg_parameter_descend(struct vgg_parameter *parameter, struct vgg_team *team,
                           const struct vgg_descent *descent)
{
    struct descend_loop loop = {parameter, (float)descent->rate, (float)descent->momentum,
                                parameter->decays ? (float)descent->decay : 0};

    vgg_team_run(team, descend_item, &loop,
                 (size_t)((parameter->n + ITEM_FLOATS - 1) / ITEM_FLOATS));
}
