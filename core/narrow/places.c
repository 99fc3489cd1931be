/* Places of maps, and the patches around them. */
#include "narrow/places.h"

#include "base/random.h"

/*
 * Beyond the edge of a picture a base and another network see each the mean of its own
 * preprocessing. What that makes is strongest near the edge of the first maps, which are wide: more
 * than VGG_PLACES_MAX are left of them.
 */
enum { WIDE = 16, EDGE = 3 };

void vgg_places_draw(struct vgg_places *places, size_t h, size_t w, size_t at_most,
                     const uint64_t *keys, size_t keys_n)
{
    size_t edge = h > WIDE && w > WIDE ? EDGE : 0, across = w - 2 * edge;
    size_t all = (h - 2 * edge) * across;
    struct vgg_random random;

    vgg_random_init_keyed(&random, keys, keys_n);
    places->n = vgg_min_size(all, at_most);
    for (size_t i = 0; i < places->n; i++) {
        size_t place = all <= at_most ? i : (size_t)vgg_random_below(&random, all);

        places->at[i].y = (uint32_t)(place / across + edge);
        places->at[i].x = (uint32_t)(place % across + edge);
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
