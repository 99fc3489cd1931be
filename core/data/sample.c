/* Drawing samples: every number comes from a stream keyed by epoch and example. */
#include "data/sample.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/streams.h"

struct draw {
    uint32_t width, height; /* of the rescaled picture */
    struct vgg_rect crop;
    bool mirror;
    double shift[3]; /* added to R, G, B on the 0-1 range */
};

static struct draw draw_sample(const struct vgg_dataset *dataset,
                               const struct vgg_sampling *sampling,
                               const struct vgg_example *example, struct vgg_random *random)
{
    uint32_t range = sampling->scale_max - sampling->scale_min, crop = sampling->crop;
    uint32_t scale = sampling->scale_min + (uint32_t)vgg_random_below(random, (uint64_t)range + 1);
    struct draw draw = {.crop = {.width = crop, .height = crop}};
    uint64_t width, height;

    vgg_image_scaled_size(example->width, example->height, scale, &width, &height);
    draw.width = (uint32_t)width;
    draw.height = (uint32_t)height;
    draw.crop.x = (uint32_t)vgg_random_below(random, width - crop + 1);
    draw.crop.y = (uint32_t)vgg_random_below(random, height - crop + 1);
    draw.mirror = vgg_random_below(random, 2) == 1 && sampling->mirror;
    for (unsigned k = 0; k < 3; k++) {
        double alpha = sampling->colour * vgg_random_normal(random);

        for (unsigned c = 0; c < 3; c++)
            draw.shift[c] += dataset->shift[c][k] * alpha;
    }
    return draw;
}

/* What each value of a channel becomes. */
static void make_table(const struct vgg_dataset *dataset, const struct draw *draw, unsigned channel,
                       float table[256])
{
    double offset = draw->shift[channel] - dataset->mean[channel];

    for (unsigned value = 0; value < 256; value++)
        table[value] = (float)((value / 255.0 + offset) / dataset->std[channel]);
}

static void normalise(const struct vgg_dataset *dataset, const struct draw *draw,
                      const uint8_t *pixels, float *out)
{
    uint32_t side = draw->crop.width;
    float table[256];

    for (unsigned c = 0; c < 3; c++) {
        make_table(dataset, draw, c, table);
        for (uint32_t y = 0; y < side; y++) {
            const uint8_t *row = pixels + (size_t)y * side * 3 + c;

            for (uint32_t x = 0; x < side; x++)
                *out++ = table[row[3 * (size_t)(draw->mirror ? side - 1 - x : x)]];
        }
    }
}

enum vgg_status vgg_sample(const struct vgg_dataset *dataset, const struct vgg_sampling *sampling,
                           size_t index, uint64_t epoch, float *out, struct vgg_error *error)
{
    const struct vgg_example *example = &dataset->examples[index];
    struct vgg_image *image = example->image;
    struct vgg_random random;
    enum vgg_status status = VGG_OK;
    struct draw draw;
    uint8_t *pixels;

    assert(index < dataset->examples_n && sampling->crop >= 1);
    assert(sampling->crop <= sampling->scale_min && sampling->scale_min <= sampling->scale_max);
    vgg_random_init_keyed(
        &random, (uint64_t[]){sampling->seed, VGG_STREAM_SAMPLE, epoch, (uint64_t)index}, 4);
    draw = draw_sample(dataset, sampling, example, &random);
    pixels = vgg_alloc((size_t)sampling->crop * sampling->crop, 3);
    if (pixels == NULL)
        return vgg_fail_memory(error);
    if (image == NULL)
        status = vgg_example_read(example, &image, error);
    if (status == VGG_OK) {
        status = vgg_resample_part(image->pixels, example->width, example->height, pixels,
                                   draw.width, draw.height, &draw.crop, error);
        if (status == VGG_OK)
            normalise(dataset, &draw, pixels, out);
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
