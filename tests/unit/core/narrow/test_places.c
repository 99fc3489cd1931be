/* What is gathered around the places of a map, against the map as plain floats. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/teams.h"
#include "model_maker.h"
#include "narrow/places.h"

enum { VIEWS = 2, H = 7, W = 5, KEYS = 2 };

static const uint64_t keys[KEYS] = {3, 4};

/* A map of the kernels', of random crops, and the same as floats. */
static float *make_map(const struct vgg_kernels *kernels, float floats[VIEWS][3][H][W])
{
    const struct vgg_shape shape = {VIEWS, 3, H, W};
    struct vgg_view_pixels views[VIEWS] = {{.input = floats[0][0][0]}, {.input = floats[1][0][0]}};
    float *map = aligned_alloc(64, kernels->map_bytes(shape));
    float *flat = (float *)floats;
    uint64_t seed = 1;

    assert_non_null(map);
    for (size_t i = 0; i < VIEWS * 3 * H * W; i++)
        flat[i] = (float)maker_random(&seed);
    kernels->input(teams[1], views, shape, NULL, map);
    return map;
}

static float value_at(float floats[3][H][W], size_t c, size_t y, size_t x)
{
    return y < H && x < W ? floats[c][y][x] : 0; /* before the edge they are huge */
}

static void check_rows(const struct vgg_places *places, unsigned kernel, float floats[3][H][W],
                       const float *rows)
{
    for (size_t i = 0; i < places->n; i++)
        for (size_t c = 0; c < 3; c++)
            for (size_t y = 0; y < kernel; y++)
                for (size_t x = 0; x < kernel; x++)
                    assert_true(*rows++ == value_at(floats, c, places->at[i].y + y - kernel / 2,
                                                    places->at[i].x + x - kernel / 2));
}

static void patches_are_the_maps(void **state)
{
    const struct vgg_shape shape = {VIEWS, 3, H, W};
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);
    static float floats[VIEWS][3][H][W], rows[H * W * 3 * 9];
    struct vgg_places places;

    (void)state;
    tables[n - 1] = &vgg_kernels_generic;
    vgg_places_draw(&places, H, W, H * W, keys, KEYS);
    assert_int_equal(places.n, H * W);
    for (size_t t = 0; t < n; t++) {
        float *map = make_map(tables[t], floats);

        for (size_t view = 0; view < VIEWS; view++)
            for (unsigned kernel = 1; kernel <= 3; kernel += 2) {
                vgg_places_gather(&places, map, shape, tables[t]->lanes, view, kernel, rows);
                check_rows(&places, kernel, floats[view], rows);
            }
        free(map);
    }
}

/* All of a small map, each once; of a larger one so many, which the keys choose. */
static void places_lie_in_the_map(void **state)
{
    struct vgg_places places, again, others;
    const uint64_t other[KEYS] = {3, 5};
    bool seen[H][W] = {{false}}, edge = false;

    (void)state;
    vgg_places_draw(&places, H, W, VGG_PLACES_MAX, keys, KEYS);
    for (size_t i = 0; i < places.n; i++) {
        assert_false(seen[places.at[i].y][places.at[i].x]);
        seen[places.at[i].y][places.at[i].x] = true;
    }
    vgg_places_draw(&places, 10, 16, 90, keys, KEYS);
    vgg_places_draw(&again, 10, 16, 90, keys, KEYS);
    vgg_places_draw(&others, 10, 16, 90, other, KEYS);
    assert_int_equal(places.n, 90);
    assert_memory_equal(places.at, again.at, 90 * sizeof *places.at);
    assert_memory_not_equal(places.at, others.at, 90 * sizeof *places.at);
    for (size_t i = 0; i < places.n; i++) {
        assert_true(places.at[i].y < 10 && places.at[i].x < 16);
        edge = edge || places.at[i].y == 0 || places.at[i].x == 15;
    }
    assert_true(edge);
    vgg_places_draw(&places, 17, 20, 96, keys, KEYS); /* wide */
    for (size_t i = 0; i < places.n; i++)
        assert_true(places.at[i].y >= 3 && places.at[i].y <= 13 && places.at[i].x >= 3 &&
                    places.at[i].x <= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_the_maps),
        cmocka_unit_test(places_lie_in_the_map),
    };

    return cmocka_run_group_tests_name("places of maps", tests, pools_start, pools_stop);
}
