/* Working memory by a dry run over the shapes that a batch can have. */
#include "engine/arena.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/batch.h"
#include "nn/forward.h"

void vgg_arena_fini(struct vgg_arena *arena)
{
    free(arena->block);
    arena->block = NULL;
    arena->bytes = 0;
}

bool vgg_arena_grow(struct vgg_arena *arena, size_t bytes)
{
    void *block;

    if (bytes <= arena->bytes)
        return true;
    block = vgg_alloc_aligned(bytes, 1);
    if (block == NULL)
        return false;
    free(arena->block);
    arena->block = block;
    arena->bytes = bytes;
    return true;
}

size_t vgg_arena_means_bytes(const struct vgg_net *net, size_t views)
{
    return vgg_size_align(views * (net->classes + vgg_net_features(net)) * sizeof(double));
}

size_t vgg_arena_bytes(const struct vgg_net *net, struct vgg_shape shape, unsigned threads)
{
    return vgg_arena_means_bytes(net, shape.n) + vgg_forward_arena_bytes(net, shape, threads);
}

/*
 * Maps and scratch never shrink when a side grows, so for each number of views and each width the
 * highest view counts.
 */
size_t vgg_arena_largest_bytes(const struct vgg_net *net, uint64_t pixels, unsigned threads)
{
    uint64_t crop = vgg_net_crop(net);
    size_t largest = 0;

    for (uint64_t n = 1; n <= VGG_BATCH_VIEWS_MAX; n++)
        for (uint64_t h = crop; n * h * crop <= pixels; h++) {
            uint64_t w = pixels / n / h;
            struct vgg_shape shape = {(uint32_t)n, 3, (uint32_t)(pixels / n / w), (uint32_t)w};
            size_t bytes = vgg_arena_bytes(net, shape, threads);

            h = shape.h;
            if (bytes > largest)
                largest = bytes;
        }
    return largest;
}
