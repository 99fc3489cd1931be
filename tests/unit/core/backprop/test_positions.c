/* Windows of maps against their definition, and that the way back is the transpose. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "backprop/positions.h"
#include "core/kernels/layer.h"
#include "core/teams.h"

static const struct vgg_positions shapes[] = {
    {1, 1, 1, 1}, {3, 4, 5, 1}, {2, 5, 3, 3}, {5, 6, 7, 2}, {4, 7, 7, 7}};

enum { N = 3 };

static void windows_are_parts_of_maps(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        const struct vgg_positions *it = &shapes[s];
        size_t across = it->columns - it->kernel + 1, n = vgg_positions_count(it);
        float *maps = layer_random(N * vgg_positions_map(it), 1, 1);
        float *windows = layer_block(N * n * vgg_positions_window(it), sizeof *windows);

        assert_int_equal(n, across * (it->rows - it->kernel + 1));
        vgg_positions_gather(it, teams[2], maps, N, windows);
        for (size_t i = 0; i < N * n * vgg_positions_window(it); i++) {
            size_t x = i % it->kernel, y = i / it->kernel % it->kernel;
            size_t c = i / it->kernel / it->kernel % it->channels;
            size_t p = i / vgg_positions_window(it) % n, example = i / vgg_positions_window(it) / n;

            assert_true(
                windows[i] ==
                maps[((example * it->channels + c) * it->rows + p / across + y) * it->columns +
                     p % across + x]);
        }
        free(maps);
        free(windows);
    }
}

/* <gather(m), w> = <m, scatter(w)>. */
static void the_way_back_is_the_transpose(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        const struct vgg_positions *it = &shapes[s];
        size_t floats = N * vgg_positions_map(it);
        size_t rows = N * vgg_positions_count(it) * vgg_positions_window(it);
        float *maps = layer_random(floats, 1, 1), *windows = layer_block(rows, sizeof *windows);
        float *grad = layer_random(rows, 1, 2), *back = layer_random(floats, 1, 3);
        double forth = 0, back_sum = 0;

        vgg_positions_gather(it, teams[1], maps, N, windows);
        vgg_positions_scatter(it, teams[3], grad, N, back);
        for (size_t i = 0; i < rows; i++)
            forth += (double)windows[i] * (double)grad[i];
        for (size_t i = 0; i < floats; i++)
            back_sum += (double)maps[i] * (double)back[i];
        assert_true(fabs(forth - back_sum) < 1e-4);
        free(maps);
        free(windows);
        free(grad);
        free(back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_parts_of_maps),
        cmocka_unit_test(the_way_back_is_the_transpose),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
