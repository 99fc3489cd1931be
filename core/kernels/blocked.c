/* Blocked maps: input, frame, LRN, pooling, spatial mean. The compiler vectorises over the block.
 */
#include "kernels/blocked.h"

#include <assert.h>
#include <string.h>

size_t vgg_blocked_bytes(struct vgg_shape shape, size_t lanes)
{
    struct vgg_blocked map = vgg_blocked_of(shape, lanes);

    return map.n * map.blocks * vgg_blocked_plane(&map) * sizeof(float);
}

/* ---------------------------------------------------------------- frame ---------------------- */

struct map_loop {
    struct vgg_blocked map;
    size_t channels;
    const float *in;
    float *out;
    const struct vgg_view_pixels *views;
    const struct vgg_normalisation *normalisation;
};

/* Item: one block of one view. */
static void clear_plane(void *context, size_t item, unsigned thread)
{
    const struct map_loop *loop = context;
    const struct vgg_blocked *map = &loop->map;
    size_t row = map->wp * map->lanes, pixels = map->w * map->lanes;
    size_t first = vgg_blocked_at(map, 0, 0, 0, 0); /* pixel of the plane */
    float *plane = loop->out + item * vgg_blocked_plane(map), *last;

    (void)thread;
    memset(plane, 0, first * sizeof *plane);
    for (size_t y = 0; y + 1 < map->h; y++) /* from the end of a row to the next one */
        memset(plane + first + y * row + pixels, 0, (row - pixels) * sizeof *plane);
    last = plane + first + (map->h - 1) * row + pixels;
    memset(last, 0, (vgg_blocked_plane(map) - (size_t)(last - plane)) * sizeof *plane);
}

void vgg_blocked_clear_frame(struct vgg_team *team, struct vgg_shape shape, size_t lanes, void *out)
{
    struct map_loop loop = {.map = vgg_blocked_of(shape, lanes), .out = out};

    vgg_team_run(team, clear_plane, &loop, loop.map.n * loop.map.blocks);
}

/* ---------------------------------------------------------------- input ---------------------- */

void vgg_input_row(const struct vgg_view_pixels *view, size_t h, size_t w, size_t y,
                   const struct vgg_normalisation *normalisation, size_t step, float *out)
{
    const unsigned *source;
    const uint8_t *pixel;
    ptrdiff_t next = view->mirror ? -3 : 3;

    if (view->input != NULL) {
        for (size_t c = 0; c < 3; c++)
            for (size_t x = 0; x < w; x++)
                out[x * step + c] = view->input[(c * h + y) * w + x];
        return;
    }
    source = normalisation->source;
    pixel = vgg_view_row(view, y, w) + (view->mirror ? (w - 1) * 3 : 0);
    for (size_t x = 0; x < w; x++, pixel += next, out += step)
        for (size_t c = 0; c < 3; c++)
            out[c] = normalisation->table[c][pixel[source[c]]];
}

/* Item: one row of one view. */
static void input_row(void *context, size_t item, unsigned thread)
{
    const struct map_loop *loop = context;
    const struct vgg_blocked *map = &loop->map;
    size_t n = item / map->h, y = item % map->h;
    float *out = loop->out + vgg_blocked_at(map, n, 0, y, 0);

    (void)thread;
    memset(out, 0, map->w * map->lanes * sizeof *out);
    vgg_input_row(&loop->views[n], map->h, map->w, y, loop->normalisation, map->lanes, out);
}

void vgg_blocked_input(struct vgg_team *team, const struct vgg_view_pixels *views,
                       struct vgg_shape shape, const struct vgg_normalisation *normalisation,
                       size_t lanes, void *out)
{
    struct map_loop loop = {.map = vgg_blocked_of(shape, lanes),
                            .out = out,
                            .views = views,
                            .normalisation = normalisation};

    assert(shape.c == 3);
    vgg_blocked_clear_frame(team, shape, lanes, out);
    vgg_team_run(team, input_row, &loop, (size_t)shape.n * shape.h);
}

/* ---------------------------------------------------------------- LRN ------------------------ */

/* Sum of squares of the channels from c - 2 to c + 2 at one pixel; `pixel` is block 0's. */
static float window_sum(const float *pixel, size_t plane, size_t lanes, size_t channels, size_t c)
{
    size_t first = c > VGG_LRN_SIDE ? c - VGG_LRN_SIDE : 0;
    float sum = 0;

    for (size_t i = first; i < channels && i <= c + VGG_LRN_SIDE; i++) {
        float a = pixel[i / lanes * plane + i % lanes];

        sum += a * a;
    }
    return sum;
}

/* Item: one row of one view. The ring keeps results back until no window needs their input. */
static void lrn_row(void *context, size_t item, unsigned thread)
{
    const struct map_loop *loop = context;
    const struct vgg_blocked *map = &loop->map;
    size_t plane = vgg_blocked_plane(map), lanes = map->lanes, channels = loop->channels;

    (void)thread;
    for (size_t x = 0; x < map->w; x++) {
        float *pixel = loop->out + vgg_blocked_at(map, item / map->h, 0, item % map->h, x);
        float ring[VGG_LRN_SIDE + 1] = {0};

        for (size_t c = 0; c < channels + VGG_LRN_SIDE; c++) {
            float held = ring[c % (VGG_LRN_SIDE + 1)];

            if (c < channels)
                held = pixel[c / lanes * plane + c % lanes] /
                       vgg_lrn_divisor(window_sum(pixel, plane, lanes, channels, c));
            ring[c % (VGG_LRN_SIDE + 1)] = held;
            if (c >= VGG_LRN_SIDE) {
                size_t done = c - VGG_LRN_SIDE;

                pixel[done / lanes * plane + done % lanes] = ring[done % (VGG_LRN_SIDE + 1)];
            }
        }
    }
}

void vgg_blocked_lrn(struct vgg_team *team, struct vgg_shape shape, size_t lanes, void *map)
{
    struct map_loop loop = {.map = vgg_blocked_of(shape, lanes), .channels = shape.c, .out = map};

    vgg_team_run(team, lrn_row, &loop, (size_t)shape.n * shape.h);
}

/* ---------------------------------------------------------------- pooling -------------------- */

struct pool_loop {
    struct vgg_blocked in_map, out_map;
    const float *in;
    float *out;
};

static float max_float(float a, float b)
{
    return a < b ? b : a;
}

/* Item: one block of one view. */
static void pool_plane(void *context, size_t item, unsigned thread)
{
    const struct pool_loop *loop = context;
    size_t lanes = loop->in_map.lanes, row = loop->in_map.wp * lanes;
    size_t n = item / loop->in_map.blocks, block = item % loop->in_map.blocks;

    (void)thread;
    for (size_t y = 0; y < loop->out_map.h; y++) {
        const float *top = loop->in + vgg_blocked_at(&loop->in_map, n, block, 2 * y, 0);
        float *out = loop->out + vgg_blocked_at(&loop->out_map, n, block, y, 0);

        for (size_t x = 0; x < loop->out_map.w; x++, top += 2 * lanes, out += lanes)
            for (size_t i = 0; i < lanes; i++)
                out[i] = max_float(max_float(top[i], top[lanes + i]),
                                   max_float(top[row + i], top[row + lanes + i]));
    }
}

void vgg_blocked_pool(struct vgg_team *team, struct vgg_shape shape, size_t lanes, const void *in,
                      void *out)
{
    struct vgg_shape half = {shape.n, shape.c, shape.h / 2, shape.w / 2};
    struct pool_loop loop = {vgg_blocked_of(shape, lanes), vgg_blocked_of(half, lanes), in, out};

    vgg_team_run(team, pool_plane, &loop, loop.in_map.n * loop.in_map.blocks);
}

/* ---------------------------------------------------------------- output --------------------- */

void vgg_blocked_spatial_mean(const void *scores, struct vgg_shape shape, size_t lanes,
                              double *mean)
{
    struct vgg_blocked map = vgg_blocked_of(shape, lanes);

    for (size_t n = 0; n < shape.n; n++)
        for (size_t c = 0; c < shape.c; c++) {
            double sum = 0;

            for (size_t y = 0; y < map.h; y++) {
                const float *row = (const float *)scores + vgg_blocked_at(&map, n, c / lanes, y, 0);

                for (size_t x = 0; x < map.w; x++)
                    sum += (double)row[x * lanes + c % lanes];
            }
            mean[n * shape.c + c] = sum / (double)(map.h * map.w);
        }
}

void vgg_blocked_scores(const void *scores, struct vgg_shape shape, size_t n, size_t lanes,
                        float *out)
{
    struct vgg_blocked map = vgg_blocked_of(shape, lanes);

    for (size_t c = 0; c < shape.c; c++)
        for (size_t y = 0; y < map.h; y++) {
            const float *row = (const float *)scores + vgg_blocked_at(&map, n, c / lanes, y, 0);

            for (size_t x = 0; x < map.w; x++)
                *out++ = row[x * lanes + c % lanes];
        }
}
