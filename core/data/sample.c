/* Drawing samples: every number comes from a stream keyed by epoch and example. */
#include "data/sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"

#define ERASED_MIN 0.02 /* part of the crop's area */
#define ERASED_MAX 0.25
#define ERASED_RATIO 3.0 /* of its longer side to its shorter one, at most */

struct draw {
    uint32_t width, height; /* of the rescaled picture */
    struct vgg_rect crop;
    bool mirror;
    unsigned quarters;      /* turns of 90 degrees */
    struct vgg_rect erased; /* of the crop as it is shown; no width: none */
    double shift[3];        /* added to R, G, B on the 0-1 range */
};

/* Uniform in [from, to). */
static double draw_between(struct vgg_random *random, double from, double to)
{
    return from + (to - from) * vgg_random_uniform(random);
}

/* Width or height becomes less; the crop still fits. */
static void draw_squeeze(struct draw *draw, const struct vgg_sampling *sampling,
                         struct vgg_random *random)
{
    uint32_t *side = vgg_random_below(random, 2) == 1 ? &draw->width : &draw->height;
    double kept = draw_between(random, 1 - sampling->squeeze, 1);
    uint32_t squeezed = (uint32_t)(kept * *side);

    *side = squeezed > sampling->crop ? squeezed : sampling->crop;
}

static struct vgg_rect draw_erased(uint32_t crop, struct vgg_random *random)
{
    double area = draw_between(random, ERASED_MIN, ERASED_MAX);
    double stretch = exp(draw_between(random, -1, 1) * log(ERASED_RATIO) / 2);
    uint32_t width = (uint32_t)fmin(crop, crop * sqrt(area) * stretch);
    uint32_t height = (uint32_t)fmin(crop, crop * sqrt(area) / stretch);

    return (struct vgg_rect){.x = (uint32_t)vgg_random_below(random, (uint64_t)crop - width + 1),
                             .y = (uint32_t)vgg_random_below(random, (uint64_t)crop - height + 1),
                             .width = width,
                             .height = height};
}

/* What the paper has not comes from a stream of its own, `beyond`: no other draw changes by it. */
static struct draw draw_sample(const struct vgg_dataset *dataset,
                               const struct vgg_sampling *sampling,
                               const struct vgg_example *example, struct vgg_random *random,
                               struct vgg_random *beyond)
{
    uint32_t range = sampling->scale_max - sampling->scale_min, crop = sampling->crop;
    uint32_t scale = sampling->scale_min + (uint32_t)vgg_random_below(random, (uint64_t)range + 1);
    struct draw draw = {.crop = {.width = crop, .height = crop}};
    uint64_t width, height;

    vgg_image_scaled_size(example->width, example->height, scale, &width, &height);
    draw.width = (uint32_t)width;
    draw.height = (uint32_t)height;
    if (sampling->squeeze > 0)
        draw_squeeze(&draw, sampling, beyond);
    draw.crop.x = (uint32_t)vgg_random_below(random, (uint64_t)draw.width - crop + 1);
    draw.crop.y = (uint32_t)vgg_random_below(random, (uint64_t)draw.height - crop + 1);
    draw.mirror = vgg_random_below(random, 2) == 1 && sampling->mirror;
    for (unsigned k = 0; k < 3; k++) {
        double alpha = sampling->colour * vgg_random_normal(random);

        for (unsigned c = 0; c < 3; c++)
            draw.shift[c] += dataset->shift[c][k] * alpha;
    }
    if (sampling->turn)
        draw.quarters = (unsigned)vgg_random_below(beyond, 4);
    if (vgg_random_uniform(beyond) < sampling->erase)
        draw.erased = draw_erased(crop, beyond);
    return draw;
}

static uint32_t scale_side(uint32_t value, uint32_t side, uint32_t crop)
{
    return (uint32_t)(((uint64_t)value * side + crop / 2) / crop);
}

/* The same crop of the same picture, at another size; it still lies within. */
static void resize(struct draw *draw, uint32_t side)
{
    uint32_t crop = draw->crop.width;
    uint32_t right = draw->width - crop - draw->crop.x, below = draw->height - crop - draw->crop.y;
    struct vgg_rect *erased = &draw->erased;

    draw->crop.x = scale_side(draw->crop.x, side, crop);
    draw->crop.y = scale_side(draw->crop.y, side, crop);
    draw->crop.width = draw->crop.height = side;
    draw->width = draw->crop.x + side + scale_side(right, side, crop);
    draw->height = draw->crop.y + side + scale_side(below, side, crop);
    erased->x = (uint32_t)((uint64_t)erased->x * side / crop);
    erased->y = (uint32_t)((uint64_t)erased->y * side / crop);
    erased->width = (uint32_t)((uint64_t)erased->width * side / crop);
    erased->height = (uint32_t)((uint64_t)erased->height * side / crop);
}

/* What each value of a channel becomes. */
static void make_table(const struct vgg_dataset *dataset, const struct draw *draw, unsigned channel,
                       float table[256])
{
    double offset = draw->shift[channel] - dataset->mean[channel];

    for (unsigned value = 0; value < 256; value++)
        table[value] = (float)((value / 255.0 + offset) / dataset->std[channel]);
}

/* The crop's pixel shown at the top left, and the steps to those shown to its right and below. */
struct way {
    ptrdiff_t first, right, down;
};

static struct way way_of(const struct draw *draw)
{
    ptrdiff_t side = draw->crop.width, last = side * side - 1;
    const struct way turned[] = {
        {0, 1, side}, {side - 1, side, -1}, {last, -1, -side}, {last - side + 1, -side, 1}};
    struct way way = turned[draw->quarters];

    if (draw->mirror) {
        way.first += (side - 1) * way.right;
        way.right = -way.right;
    }
    return way;
}

static void normalise(const struct vgg_dataset *dataset, const struct draw *draw,
                      const uint8_t *pixels, float *out)
{
    ptrdiff_t side = draw->crop.width;
    const struct way way = way_of(draw);
    float table[256];

    for (unsigned c = 0; c < 3; c++) {
        make_table(dataset, draw, c, table);
        for (ptrdiff_t y = 0; y < side; y++) {
            const uint8_t *row = pixels + (way.first + y * way.down) * 3 + c;

            for (ptrdiff_t x = 0; x < side; x++)
                *out++ = table[row[x * way.right * 3]];
        }
    }
}

/* Zero is the mean colour. */
static void erase(const struct draw *draw, float *out)
{
    const struct vgg_rect *rect = &draw->erased;
    size_t side = draw->crop.width;

    for (size_t c = 0; c < 3; c++)
        for (size_t y = rect->y; y < rect->y + rect->height; y++)
            memset(out + (c * side + y) * side + rect->x, 0, rect->width * sizeof *out);
}

enum vgg_status vgg_sample(const struct vgg_dataset *dataset, const struct vgg_sampling *sampling,
                           size_t index, uint64_t epoch, float *out, struct vgg_error *error)
{
    const struct vgg_example *example = &dataset->examples[index];
    struct vgg_image *image = example->image;
    struct vgg_random random, beyond;
    enum vgg_status status = VGG_OK;
    struct draw draw;
    uint8_t *pixels;

    assert(index < dataset->examples_n && sampling->crop >= 1);
    assert(sampling->crop <= sampling->scale_min && sampling->scale_min <= sampling->scale_max);
    assert(sampling->squeeze >= 0 && sampling->squeeze < 1);
    vgg_random_init_keyed(
        &random, (uint64_t[]){sampling->seed, VGG_STREAM_SAMPLE, epoch, (uint64_t)index}, 4);
    vgg_random_init_keyed(
        &beyond, (uint64_t[]){sampling->seed, VGG_STREAM_BEYOND, epoch, (uint64_t)index}, 4);
    draw = draw_sample(dataset, sampling, example, &random, &beyond);
    if (sampling->side != 0 && sampling->side != sampling->crop)
        resize(&draw, sampling->side);
    pixels = vgg_alloc((size_t)draw.crop.width * draw.crop.width, 3);
    if (pixels == NULL)
        return vgg_fail_memory(error);
    if (image == NULL)
        status = vgg_example_read(example, &image, error);
    if (status == VGG_OK) {
        status = vgg_resample_part(image->pixels, example->width, example->height, pixels,
                                   draw.width, draw.height, &draw.crop, error);
        if (status == VGG_OK) {
            normalise(dataset, &draw, pixels, out);
            erase(&draw, out);
        }
        if (example->image == NULL)
            vgg_image_destroy(image);
    }
    free(pixels);
    return status;
}

void vgg_sample_order(uint64_t seed, uint64_t epoch, uint32_t *order, size_t n)
{
    struct vgg_random random;

    vgg_random_init_keyed(&random, (uint64_t[]){seed, VGG_STREAM_ORDER, epoch}, 3);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)vgg_random_below(&random, i);
        uint32_t last = order[i - 1];

        order[i - 1] = order[j];
        order[j] = last;
    }
}
