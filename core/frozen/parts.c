/* Shapes and costs of views, before there are any. */
#include "frozen/parts.h"

#include "engine/arena.h"
#include "engine/batch.h"
#include "engine/footprint.h"

size_t vgg_parts_whole(const uint32_t *scales, size_t n, struct vgg_frozen_part *parts)
{
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct vgg_frozen_part){.scale = scales[i]};
    return n;
}

size_t vgg_part_views(const struct vgg_frozen_part *part)
{
    return part->crop != 0 ? (size_t)2 * part->grid * part->grid : 2;
}

static struct vgg_shape view_shape(const struct vgg_frozen_part *part,
                                   const struct vgg_example *picture)
{
    uint64_t width = part->crop, height = part->crop;

    if (part->crop == 0)
        vgg_image_scaled_size(picture->width, picture->height, part->scale, &width, &height);
    return (struct vgg_shape){1, 3, (uint32_t)height, (uint32_t)width};
}

uint64_t vgg_part_macs(const struct vgg_net *net, const struct vgg_frozen_part *part,
                       const struct vgg_example *picture)
{
    struct vgg_shape shape = view_shape(part, picture);

    return vgg_part_views(part) * vgg_net_macs(net, shape.h, shape.w);
}

uint64_t vgg_frozen_pixels(const struct vgg_frozen_part *parts, size_t parts_n,
                           const struct vgg_example *const *pictures, size_t n)
{
    uint64_t most = vgg_engine_complete(NULL).view_pixels_max;

    for (size_t i = 0; i < n; i++)
        for (size_t part = 0; part < parts_n; part++) {
            struct vgg_shape shape = view_shape(&parts[part], pictures[i]);

            if ((uint64_t)shape.h * shape.w > most)
                most = (uint64_t)shape.h * shape.w;
        }
    return most;
}

size_t vgg_part_floats(const struct vgg_net *net, const struct vgg_frozen_part *part)
{
    struct vgg_shape shape = {1, 3, part->crop, part->crop};

    if (vgg_net_is_whole(net))
        return vgg_net_features(net);
    for (size_t i = 0; i < net->layers_n; i++)
        shape = vgg_conv_output(&net->layers[i].conv, shape);
    return (size_t)shape.c * shape.h * shape.w;
}

uint64_t vgg_parts_bytes(const struct vgg_net *net, const struct vgg_frozen_part *parts,
                         size_t parts_n, uint64_t pixels_max, unsigned threads, size_t waiting_n,
                         const struct vgg_example *const *pictures, size_t n)
{
    uint64_t arena = 0, waiting = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t pixels = 0;

        for (size_t part = 0; part < parts_n; part++) {
            struct vgg_shape shape = view_shape(&parts[part], pictures[i]);
            uint64_t fit = pixels_max / ((uint64_t)shape.h * shape.w), bytes;

            pixels += (uint64_t)shape.h * shape.w;
            shape.n = (uint32_t)(fit < VGG_BATCH_VIEWS_MAX ? fit : VGG_BATCH_VIEWS_MAX);
            bytes = vgg_arena_bytes(net, shape, threads);
            arena = bytes > arena ? bytes : arena;
        }
        waiting = pixels > waiting ? pixels : waiting;
    }
    return arena + waiting_n * 3 * waiting;
}
