/* Multi-crop evaluation (paper, section 3.2): a grid of crops of each rescaled image. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "engine/views.h"
#include "image/image.h"

enum { GRID_MAX = 32 };

/* Where crop `i` of a row begins: evenly from 0 to `room`, rounded; a lone one in the middle. */
static uint32_t position(uint32_t i, uint32_t grid, uint32_t room)
{
    uint32_t steps = grid - 1;

    return steps == 0 ? room / 2 : (uint32_t)(((uint64_t)2 * i * room + steps) / (2 * steps));
}

/*
 * Append the crops of one image. Positions that coincide follow each other, so that the one to the
 * left or the one above has a crop's item already.
 */
static void add_image(struct vgg_crops *crops, const struct vgg_image *image, uint32_t crop,
                      uint32_t grid, uint32_t mirrors)
{
    uint32_t width = image->info.width - crop, height = image->info.height - crop;

    for (uint32_t row = 0; row < grid; row++)
        for (uint32_t column = 0; column < grid; column++) {
            uint32_t x = position(column, grid, width), y = position(row, grid, height);
            bool left = column > 0 && position(column - 1, grid, width) == x;
            bool above = row > 0 && position(row - 1, grid, height) == y;

            for (uint32_t mirror = 0; mirror < mirrors; mirror++, crops->asked++) {
                size_t back = left ? mirrors : (size_t)grid * mirrors;

                if (left || above) {
                    crops->order[crops->asked] = crops->order[crops->asked - back];
                    continue;
                }
                crops->order[crops->asked] = (uint32_t)crops->n;
                crops->items[crops->n++] = (struct vgg_view){image, x, y, crop, crop, mirror == 1};
            }
        }
}

enum vgg_status vgg_views_create_crops(const struct vgg_image *image,
                                       const struct vgg_request *request, uint32_t crop,
                                       uint32_t grid, struct vgg_views **out,
                                       struct vgg_error *error)
{
    uint32_t mirrors = request->flip ? 2 : 1;
    struct vgg_views *views;
    enum vgg_status status;
    size_t most;

    if (grid < 1 || grid > GRID_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "a grid of %" PRIu32 " is not in 1..%d", grid,
                        GRID_MAX);
    for (size_t i = 0; i < request->scales_n && i < VGG_SCALES_MAX; i++)
        if (crop < 1 || crop > request->scales[i])
            return vgg_fail(error, VGG_BAD_ARGUMENT,
                            "a crop of %" PRIu32 " is not in 1..%" PRIu32 ", the scale", crop,
                            request->scales[i]);
    status = vgg_views_create(image, request, &views, error);
    if (status != VGG_OK)
        return status;
    most = views->scales_n * mirrors * grid * grid;
    views->crops = vgg_calloc(1, sizeof *views->crops + most * sizeof *views->crops->items);
    if (views->crops != NULL)
        views->crops->order = vgg_alloc(most, sizeof *views->crops->order);
    if (views->crops == NULL || views->crops->order == NULL) {
        vgg_views_destroy(views);
        return vgg_fail_memory(error);
    }
    for (size_t i = 0; i < views->scales_n; i++)
        add_image(views->crops, views->images[i], crop, grid, mirrors);
    *out = views;
    return VGG_OK;
}
