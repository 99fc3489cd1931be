/* Windows of maps, and back. */
#include "backprop/positions.h"

#include <string.h>

struct window_loop {
    const struct vgg_positions *positions;
    float *maps, *windows;
};

static size_t across(const struct vgg_positions *positions)
{
    return positions->columns - positions->kernel + 1;
}

size_t vgg_positions_count(const struct vgg_positions *positions)
{
    return (positions->rows - positions->kernel + 1) * across(positions);
}

size_t vgg_positions_window(const struct vgg_positions *positions)
{
    return positions->channels * positions->kernel * positions->kernel;
}

size_t vgg_positions_map(const struct vgg_positions *positions)
{
    return positions->channels * positions->rows * positions->columns;
}

/* The row of a map that is row `row` of a window: of channel row / kernel. */
static float *map_row(const struct window_loop *loop, size_t example, size_t position, size_t row)
{
    const struct vgg_positions *it = loop->positions;
    size_t y = position / across(it) + row % it->kernel, x = position % across(it);

    return loop->maps + example * vgg_positions_map(it) +
           (row / it->kernel * it->rows + y) * it->columns + x;
}

/* Item: one window. */
static void gather_item(void *context, size_t item, unsigned thread)
{
    const struct window_loop *loop = context;
    const struct vgg_positions *it = loop->positions;
    size_t n = vgg_positions_count(it);
    float *window = loop->windows + item * vgg_positions_window(it);

    (void)thread;
    for (size_t row = 0; row < it->channels * it->kernel; row++)
        memcpy(window + row * it->kernel, map_row(loop, item / n, item % n, row),
               it->kernel * sizeof *window);
}

/* Item: one example, as its windows overlap. */
static void scatter_item(void *context, size_t item, unsigned thread)
{
    const struct window_loop *loop = context;
    const struct vgg_positions *it = loop->positions;
    size_t n = vgg_positions_count(it), floats = vgg_positions_window(it);

    (void)thread;
    memset(loop->maps + item * vgg_positions_map(it), 0,
           vgg_positions_map(it) * sizeof *loop->maps);
    for (size_t position = 0; position < n; position++) {
        const float *window = loop->windows + (item * n + position) * floats;

        for (size_t row = 0; row < it->channels * it->kernel; row++) {
            float *to = map_row(loop, item, position, row);

            for (size_t x = 0; x < it->kernel; x++)
                to[x] += window[row * it->kernel + x];
        }
    }
}

void vgg_positions_gather(const struct vgg_positions *positions, struct vgg_team *team,
                          const float *maps, size_t n, float *windows)
{
    struct window_loop loop = {positions, (float *)maps, windows};

    vgg_team_run(team, gather_item, &loop, n * vgg_positions_count(positions));
}

void vgg_positions_scatter(const struct vgg_positions *positions, struct vgg_team *team,
                           const float *windows, size_t n, float *maps)
{
    struct window_loop loop = {positions, maps, (float *)windows};

    vgg_team_run(team, scatter_item, &loop, n);
}
