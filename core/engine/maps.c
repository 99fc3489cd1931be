/* Class score maps: where a view's positions lie in the picture, and what they score. */
#include "engine/maps.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "model/model.h"

struct vgg_maps {
    float *logits; /* of all views, behind the last of them */
    struct vgg_score_map views[];
};

static size_t map_floats(const struct vgg_score_map *map)
{
    return (size_t)map->classes * map->rows * map->columns;
}

/* The last map of a network that was cut (vgg_net_cut), which has no windows on the picture. */
static struct vgg_score_map describe_block(const struct vgg_net *net, const struct vgg_view *part)
{
    struct vgg_shape shape = {1, 3, part->height, part->width};

    for (size_t i = 0; i < net->layers_n; i++)
        shape = vgg_conv_output(&net->layers[i].conv, shape);
    return (struct vgg_score_map){.classes = shape.c, .rows = shape.h, .columns = shape.w};
}

/*
 * The map of a view, without its logits. A position is a window as large as the crop, one to the
 * right of it 32 pixels further. Those of a mirror image begin at its other edge.
 */
static struct vgg_score_map describe(const struct vgg_net *net, const struct vgg_views *views,
                                     size_t view)
{
    struct vgg_view part = vgg_views_get(views, view);
    struct vgg_image_info info = vgg_image_get_info(part.image);
    double scale_x = (double)views->width / info.width;
    double scale_y = (double)views->height / info.height;
    uint32_t crop = vgg_net_crop(net), stride = crop / net->positions_kernel;
    uint32_t rows = (part.height - crop) / stride + 1, columns = (part.width - crop) / stride + 1;
    uint32_t left = part.x + (part.mirror ? (part.width - crop) % stride : 0);

    if (!vgg_net_is_whole(net))
        return describe_block(net, &part);
    return (struct vgg_score_map){
        .classes = net->classes,
        .rows = rows,
        .columns = columns,
        .x = left * scale_x,
        .y = part.y * scale_y,
        .width = crop * scale_x,
        .height = crop * scale_y,
        .step_x = stride * scale_x,
        .step_y = stride * scale_y,
    };
}

struct vgg_maps *vgg_maps_create(const struct vgg_net *net, const struct vgg_views *views)
{
    size_t n = vgg_views_count(views), floats = 0;
    struct vgg_maps *maps;

    for (size_t i = 0; i < n; i++) {
        struct vgg_score_map map = describe(net, views, i);

        floats += map_floats(&map);
    }
    maps = vgg_alloc(1, sizeof *maps + n * sizeof *maps->views + floats * sizeof *maps->logits);
    if (maps == NULL)
        return NULL;
    maps->logits = (float *)(maps->views + n);
    floats = 0;
    for (size_t i = 0; i < n; i++) {
        maps->views[i] = describe(net, views, i);
        maps->views[i].logits = maps->logits + floats;
        floats += map_floats(&maps->views[i]);
    }
    return maps;
}

static void turn_rows(float *values, size_t rows, size_t columns)
{
    for (size_t y = 0; y < rows; y++, values += columns)
        for (size_t x = 0; x < columns / 2; x++) {
            float swap = values[x];

            values[x] = values[columns - 1 - x];
            values[columns - 1 - x] = swap;
        }
}

bool vgg_maps_keep(struct vgg_maps *maps, size_t view, bool mirror, const struct vgg_scores *scores,
                   size_t n)
{
    const struct vgg_score_map *map = &maps->views[view];
    float *logits = maps->logits + (map->logits - maps->logits);
    bool finite = true;

    assert(scores->shape.c == map->classes && scores->shape.h == map->rows &&
           scores->shape.w == map->columns);
    scores->kernels->scores(scores->map, scores->shape, n, logits);
    if (mirror)
        turn_rows(logits, (size_t)map->classes * map->rows, map->columns);
    for (size_t i = 0; i < map_floats(map); i++)
        finite = finite && isfinite(logits[i]);
    return finite;
}

const struct vgg_score_map *vgg_maps_get(const struct vgg_maps *maps, size_t view)
{
    return &maps->views[view];
}

void vgg_score_map_log_sums(const struct vgg_score_map *map, float *sums)
{
    size_t positions = (size_t)map->rows * map->columns;

    for (size_t p = 0; p < positions; p++) {
        double max = -INFINITY, sum = 0;

        for (size_t c = 0; c < map->classes; c++)
            max = fmax(max, (double)map->logits[c * positions + p]);
        for (size_t c = 0; c < map->classes; c++)
            sum += exp((double)map->logits[c * positions + p] - max);
        sums[p] = (float)(max + log(sum));
    }
}
