/* Places of maps, and the patches around them. */
#include "narrow/places.h"

#include "base/random.h"

void vgg_places_draw(struct vgg_places *places, size_t h, size_t w, size_t at_most,
                     const uint64_t *keys, size_t keys_n)
{
    bool all = h * w <= at_most;
    struct vgg_random random;

    vgg_random_init_keyed(&random, keys, keys_n);
    places->n = all ? h * w : at_most;
    for (size_t i = 0; i < places->n; i++) {
        size_t place = all ? i : (size_t)vgg_random_below(&random, h * w);

        places->at[i].y = (uint32_t)(place / w);
        places->at[i].x = (uint32_t)(place % w);
    }
}

/* The frame of a map is of zeros, and as wide as a kernel of 3 reaches beyond its edge. */
static void gather_patch(const struct vgg_blocked *map, const float *corner, size_t channels,
                         unsigned kernel, float *row)
{
    for (size_t c = 0; c < channels; c++) {
        const float *from = corner + c / map->lanes * vgg_blocked_plane(map) + c % map->lanes;

        for (unsigned y = 0; y < kernel; y++)
            for (unsigned x = 0; x < kernel; x++)
                *row++ = from[(y * map->wp + x) * map->lanes];
    }
}

void vgg_places_gather(const struct vgg_places *places, const float *map, struct vgg_shape shape,
                       size_t lanes, size_t view, unsigned kernel, float *rows)
{
    const struct vgg_blocked blocked = vgg_blocked_of(shape, lanes);
    size_t row = (size_t)shape.c * kernel * kernel, before = kernel / 2;

    for (size_t i = 0; i < places->n; i++) {
        size_t at = vgg_blocked_at(&blocked, view, 0, places->at[i].y, places->at[i].x);

        gather_patch(&blocked, map + at - (before * blocked.wp + before) * lanes, shape.c, kernel,
                     rows + i * row);
    }
}
