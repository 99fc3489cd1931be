/*
 * What a made model must answer: the oracle's layers, composed by the paper's table 1, in double.
 * Batch-norm is a layer of its own here.
 */
#ifndef VGG_TESTS_CORE_NN_REFERENCE_H
#define VGG_TESTS_CORE_NN_REFERENCE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_maker.h"
#include "oracle.h"

struct reference_map {
    double *values; /* [c][h][w] */
    size_t c, h, w;
};

static inline double *reference_doubles(size_t n)
{
    double *block = malloc((n + 1) * sizeof *block);

    if (block == NULL)
        abort();
    return block;
}

static inline void reference_replace(struct reference_map *map, double *values, size_t c, size_t h,
                                     size_t w)
{
    free(map->values);
    *map = (struct reference_map){values, c, h, w};
}

static inline const double *reference_values(struct maker *maker, const char *module,
                                             const char *field)
{
    char name[MAKER_NAME_BYTES];

    snprintf(name, sizeof name, "%.32s.%.24s", module, field);
    return maker_find(maker, name)->values;
}

static inline void reference_convolve(struct maker *maker, const char *module, size_t out,
                                      size_t kernel, size_t pad, struct reference_map *map)
{
    size_t h = map->h + 2 * pad - kernel + 1, w = map->w + 2 * pad - kernel + 1;
    double *values = reference_doubles(out * h * w);

    oracle_conv(map->values, map->c, map->h, map->w, reference_values(maker, module, "weight"),
                reference_values(maker, module, "bias"), out, kernel, pad, values);
    reference_replace(map, values, out, h, w);
}

static inline void reference_conv(struct maker *maker, size_t index, struct reference_map *map)
{
    const struct maker_conv *conv = &maker->convs[index];
    char module[32];
    double *values;

    snprintf(module, sizeof module, "features.%u", conv->feature);
    reference_convolve(maker, module, conv->out, conv->kernel, conv->kernel / 2, map);
    if (maker->spec.batch_norm) {
        snprintf(module, sizeof module, "features.%u", conv->feature + 1);
        oracle_batch_norm(map->values, map->c, map->h * map->w,
                          reference_values(maker, module, "weight"),
                          reference_values(maker, module, "bias"),
                          reference_values(maker, module, "running_mean"),
                          reference_values(maker, module, "running_var"));
    }
    oracle_relu(map->values, map->c * map->h * map->w);
    if (index == 0 && strcmp(maker->spec.arch, "A-LRN") == 0) {
        values = reference_doubles(map->c * map->h * map->w);
        oracle_lrn(map->values, map->c, map->h, map->w, values);
        reference_replace(map, values, map->c, map->h, map->w);
    }
    if (conv->pool) {
        values = reference_doubles(map->c * (map->h / 2) * (map->w / 2));
        oracle_maxpool(map->values, map->c, map->h, map->w, values);
        reference_replace(map, values, map->c, map->h / 2, map->w / 2);
    }
}

/*
 * The last hidden layer's map of one view, rgb[height][width][3], both sides at least the crop.
 * `maker` says preprocessing and weights. free() the values.
 */
static inline struct reference_map reference_hidden(struct maker *maker, const uint8_t *rgb,
                                                    size_t width, size_t height, bool mirror)
{
    static const char *const modules[2][2] = {{"classifier.0", "classifier.3"},
                                              {"pre_logits.fc1", "pre_logits.fc2"}};
    const struct maker_spec *spec = &maker->spec;
    const unsigned out[2] = {spec->fc1, spec->fc2};
    struct reference_map map = {reference_doubles(3 * height * width), 3, height, width};

    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++) {
                size_t column = mirror ? width - 1 - x : x;
                uint8_t pixel = rgb[(y * width + column) * 3 + (maker->bgr ? 2 - c : c)];

                map.values[(c * height + y) * width + x] =
                    (pixel / 255.0 - maker->mean[c]) / maker->std[c];
            }
    for (size_t i = 0; i < maker->convs_n; i++)
        reference_conv(maker, i, &map);
    for (size_t i = 0; i < 2; i++) {
        reference_convolve(maker, modules[spec->timm][i], out[i], i == 0 ? spec->side : 1, 0, &map);
        oracle_relu(map.values, map.c * map.h * map.w);
    }
    return map;
}

/* Its mean over positions: features[fc2]. */
static inline void reference_features(struct maker *maker, const uint8_t *rgb, size_t width,
                                      size_t height, bool mirror, double *features)
{
    struct reference_map map = reference_hidden(maker, rgb, width, height, mirror);

    oracle_mean(map.values, map.c, map.h * map.w, features);
    free(map.values);
}

/* The class score map. */
static inline struct reference_map reference_scores(struct maker *maker, const uint8_t *rgb,
                                                    size_t width, size_t height, bool mirror)
{
    struct reference_map map = reference_hidden(maker, rgb, width, height, mirror);

    reference_convolve(maker, maker->spec.timm ? "head.fc" : "classifier.6", maker->spec.classes, 1,
                       0, &map);
    return map;
}

/* Its mean over positions: logits[classes]. */
static inline void reference_logits(struct maker *maker, const uint8_t *rgb, size_t width,
                                    size_t height, bool mirror, double *logits)
{
    struct reference_map map = reference_scores(maker, rgb, width, height, mirror);

    oracle_mean(map.values, map.c, map.h * map.w, logits);
    free(map.values);
}

#endif
