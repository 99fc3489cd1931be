/* Photograph-like pictures for tests: smooth random fields, and what people make of pictures. */
#ifndef VGG_TESTS_CORE_DATA_PATTERN_H
#define VGG_TESTS_CORE_DATA_PATTERN_H

#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/fingerprint.h"

enum { PATTERN_WAVES = 24 };

/* Waves of random direction, length and phase, alike in all channels but for their strength. */
struct pattern {
    double x[PATTERN_WAVES], y[PATTERN_WAVES], phase[PATTERN_WAVES], strength[PATTERN_WAVES][3];
};

static inline struct pattern pattern_make(uint64_t seed)
{
    struct vgg_random random;
    struct pattern pattern;

    vgg_random_init(&random, seed);
    for (unsigned i = 0; i < PATTERN_WAVES; i++) {
        double scale = 24.0 / (1 + i); /* of strength: longer waves are stronger */

        pattern.x[i] = vgg_random_normal(&random) * (2 + i / 2.0);
        pattern.y[i] = vgg_random_normal(&random) * (2 + i / 2.0);
        pattern.phase[i] = 7 * vgg_random_uniform(&random);
        for (unsigned c = 0; c < 3; c++)
            pattern.strength[i][c] = (8 + scale) * (0.8 + 0.4 * vgg_random_uniform(&random));
    }
    return pattern;
}

/* What is seen of it: from (left, top) to (right, bottom) of the unit square. */
struct pattern_view {
    uint32_t width, height;
    double left, top, right, bottom;
    double gain;
    double tint[3]; /* of the channels; 0: 1 */
    double noise;
    bool mirror;
};

static const struct pattern_view pattern_whole = {
    .width = 96, .height = 72, .right = 1, .bottom = 1, .gain = 1};

static inline struct vgg_image *pattern_draw(const struct pattern *pattern,
                                             const struct pattern_view *view)
{
    struct vgg_image *image = vgg_image_create("made", view->width, view->height);
    struct vgg_random random;

    assert_non_null(image);
    vgg_random_init(&random, 99);
    for (uint32_t y = 0; y < view->height; y++)
        for (uint32_t x = 0; x < view->width; x++) {
            uint32_t column = view->mirror ? view->width - 1 - x : x;
            double u = view->left + (view->right - view->left) * (x + 0.5) / view->width;
            double v = view->top + (view->bottom - view->top) * (y + 0.5) / view->height;
            double sums[3] = {120, 120, 120};

            for (unsigned i = 0; i < PATTERN_WAVES; i++) {
                double wave = sin(pattern->x[i] * u + pattern->y[i] * v + pattern->phase[i]);

                for (unsigned c = 0; c < 3; c++)
                    sums[c] += pattern->strength[i][c] * wave;
            }
            for (unsigned c = 0; c < 3; c++) {
                double sum = sums[c] * view->gain * (view->tint[c] > 0 ? view->tint[c] : 1) +
                             view->noise * vgg_random_normal(&random);

                image->pixels[((size_t)y * view->width + column) * 3 + c] =
                    (uint8_t)fmax(0, fmin(round(sum), 255));
            }
        }
    return image;
}

#endif
