/* One layer on random data: by a table of kernels in guarded memory, and by the oracle. */
#ifndef VGG_TESTS_CORE_KERNELS_LAYER_H
#define VGG_TESTS_CORE_KERNELS_LAYER_H

#include <math.h>

#include "core/kernels/guard.h"
#include "kernels/blocked.h"
#include "model_maker.h"
#include "oracle.h"

#define DIRECT_L2 5e-6
#define DIRECT_MAX 2e-5

/* How far an algorithm may be from double precision. */
struct gate {
    double l2, max; /* relative L2 error; largest error over the reference's rms */
};

static inline struct gate layer_gate(const struct vgg_kernels *kernels, const struct vgg_conv *conv,
                                     struct vgg_shape in)
{
    static const struct {
        const char *algorithm;
        struct gate gate;
    } gates[] = {
        {"winograd f(4x4,3x3)", {1e-5, 5e-5}},
        {"winograd f(6x6,3x3)", {5e-5, 5e-4}},
        {"winograd f(2x2,7x7)", {5e-5, 5e-4}},
    };

    for (size_t i = 0; i < COUNT_OF(gates); i++)
        if (strncmp(kernels->algorithm(conv, in), gates[i].algorithm, strlen(gates[i].algorithm)) ==
            0)
            return gates[i].gate;
    return (struct gate){DIRECT_L2, DIRECT_MAX};
}

/* Plain floats [n][c][h][w] into a map of the table, and back. */
static inline void map_write(const struct vgg_kernels *kernels, struct vgg_shape shape,
                             const float *plain, void *map)
{
    struct vgg_blocked blocked;
    size_t i = 0;

    if (kernels->lanes == 0) {
        memcpy(map, plain, kernels->map_bytes(shape));
        return;
    }
    blocked = vgg_blocked_of(shape, kernels->lanes);
    memset(map, 0, kernels->map_bytes(shape));
    for (size_t n = 0; n < shape.n; n++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t y = 0; y < shape.h; y++)
                for (size_t x = 0; x < shape.w; x++)
                    ((float *)map)[vgg_blocked_at(&blocked, n, c / kernels->lanes, y, x) +
                                   c % kernels->lanes] = plain[i++];
}

static inline void map_read(const struct vgg_kernels *kernels, struct vgg_shape shape,
                            const void *map, float *plain)
{
    struct vgg_blocked blocked;
    size_t i = 0;

    if (kernels->lanes == 0) {
        memcpy(plain, map, kernels->map_bytes(shape));
        return;
    }
    blocked = vgg_blocked_of(shape, kernels->lanes);
    for (size_t n = 0; n < shape.n; n++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t y = 0; y < shape.h; y++)
                for (size_t x = 0; x < shape.w; x++)
                    plain[i++] =
                        ((const float *)map)[vgg_blocked_at(&blocked, n, c / kernels->lanes, y, x) +
                                             c % kernels->lanes];
}

/*
 * Is all of a map that is no pixel of a channel as the next layer wants it? The frame is of zeros;
 * so are channels past the last, or what 0 times infinity makes.
 */
static inline bool map_is_framed(const struct vgg_kernels *kernels, struct vgg_shape shape,
                                 const float *map)
{
    struct vgg_blocked blocked;
    bool framed = true;

    if (kernels->lanes == 0)
        return true;
    blocked = vgg_blocked_of(shape, kernels->lanes);
    for (size_t i = 0; i < kernels->map_bytes(shape) / sizeof *map; i++) {
        size_t pixel = i / blocked.lanes, block = pixel / (blocked.hp * blocked.wp);
        size_t y = pixel / blocked.wp % blocked.hp - VGG_FRAME, x = pixel % blocked.wp - VGG_FRAME;
        size_t c = block % blocked.blocks * blocked.lanes + i % blocked.lanes;

        if (y >= shape.h || x >= shape.w)
            framed = framed && map[i] == 0;
        else if (c >= shape.c)
            framed = framed && !(fabsf(map[i]) > 0);
    }
    return framed;
}

enum { TABLES_MAX = 2 * VGG_KERNELS_MAX + 1 };

/* All tables that run here, of any precision. */
static inline size_t tables_all(const struct vgg_kernels *tables[TABLES_MAX])
{
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    return n + vgg_kernels_runnable(VGG_PRECISION_I8, tables + n);
}

/*
 * The tables that a test is to check, and how many: those that run here and the generic one; only
 * the one called `name`, unless that is NULL.
 */
static inline size_t tables_asked(const char *name, const struct vgg_kernels *tables[TABLES_MAX])
{
    size_t runnable = tables_all(tables), n = 0;

    tables[runnable] = &vgg_kernels_generic;
    for (size_t i = 0; i <= runnable; i++)
        if (name == NULL || strcmp(name, tables[i]->name) == 0)
            tables[n++] = tables[i];
    return n;
}

struct layer_case {
    struct vgg_conv conv;
    struct vgg_shape in;
};

static inline void *layer_block(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);

    if (block == NULL)
        abort();
    return block;
}

/* Random floats in [-scale, scale). */
static inline float *layer_random(size_t n, double scale, uint64_t seed)
{
    float *values = layer_block(n, sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = (float)(scale * (2 * maker_random(&seed) - 1));
    return values;
}

static inline double *layer_doubles(const float *values, size_t n)
{
    double *wide = layer_block(n, sizeof *wide);

    for (size_t i = 0; i < n; i++)
        wide[i] = (double)values[i];
    return wide;
}

static inline size_t shape_floats(struct vgg_shape shape)
{
    return (size_t)shape.n * shape.c * shape.h * shape.w;
}

static inline size_t layer_weights(const struct vgg_conv *conv)
{
    return (size_t)conv->out * conv->in * conv->kernel * conv->kernel;
}

/*
 * The layer by a table of kernels: out[vgg_conv_output], malloc'ed. Weights are packed in three
 * uneven pieces, out of order. *intact turns false where anything but out, packed weights and
 * scratch changed, or out has no frame.
 */
static inline float *layer_run(struct vgg_team *team, const struct vgg_kernels *kernels,
                               const struct layer_case *layer, const float *in,
                               const float *weights, const float *bias, bool *intact)
{
    const struct vgg_conv *conv = &layer->conv;
    struct vgg_shape shape = vgg_conv_output(conv, layer->in);
    size_t row_floats = layer_weights(conv) / conv->out;
    size_t in_bytes = kernels->map_bytes(layer->in), out_bytes = kernels->map_bytes(shape);
    const uint32_t cuts[] = {0, conv->out / 3, conv->out / 2, conv->out};
    struct guard packed, input, output, scratch;
    float *out = layer_block(shape_floats(shape), sizeof *out);
    void *before = layer_block(in_bytes, 1);

    guard_init(&packed, kernels->weights_bytes(conv));
    guard_init(&input, kernels->map_bytes(layer->in));
    guard_init(&output, out_bytes);
    guard_init(&scratch, kernels->conv_scratch_bytes(conv, layer->in, vgg_team_threads(team)));
    for (size_t i = 3; i-- > 0;)
        kernels->weights_pack(conv, cuts[i], cuts[i + 1] - cuts[i], weights + cuts[i] * row_floats,
                              packed.block);
    map_write(kernels, layer->in, in, input.block);
    memcpy(before, input.block, in_bytes);
    kernels->conv(team, conv, packed.block, bias, input.block, layer->in, output.block,
                  scratch.block);
    *intact = *intact && memcmp(input.block, before, in_bytes) == 0;
    *intact = *intact && map_is_framed(kernels, shape, (const float *)(const void *)output.block);
    map_read(kernels, shape, output.block, out);
    free(before);
    *intact = guard_fini(&packed) & guard_fini(&input) & guard_fini(&output) &
              guard_fini(&scratch) & *intact;
    return out;
}

/*
 * Inputs of which Winograd's transforms are exact in floats, so that those of eight bits are
 * rounded as the oracle's: few bits are left.
 */
static inline void layer_coarse(const struct vgg_kernels *kernels, const struct layer_case *layer,
                                float *in, size_t n)
{
    if (strstr(kernels->algorithm(&layer->conv, layer->in), " i8") != NULL)
        for (size_t i = 0; i < n; i++)
            in[i] = rintf(in[i] * 32) / 32;
}

/* The same of one view by the oracle, in the table's precision, malloc'ed. */
static inline double *layer_expect(const struct vgg_kernels *kernels, const struct vgg_conv *conv,
                                   struct vgg_shape in, const float *view, const float *weights,
                                   const float *bias)
{
    const char *algorithm = kernels->algorithm(conv, in);
    size_t h = in.h + 2 * conv->pad - conv->kernel + 1;
    size_t w = in.w + 2 * conv->pad - conv->kernel + 1;
    double *wide_in = layer_doubles(view, (size_t)in.c * in.h * in.w);
    double *wide_weights = layer_doubles(weights, layer_weights(conv));
    double *wide_bias = layer_doubles(bias, conv->out);
    double *now = layer_block(conv->out * h * w, sizeof *now);
    double *next = layer_block(conv->out * h * w, sizeof *next), *swap;

    if (strcmp(algorithm, "winograd f(4x4,3x3) i8") == 0)
        oracle_winograd_eight(wide_in, in.c, in.h, in.w, wide_weights, wide_bias, conv->out, now);
    else
        (strcmp(algorithm, "direct i8") == 0 ? oracle_conv_eight : oracle_conv)(
            wide_in, in.c, in.h, in.w, wide_weights, wide_bias, conv->out, conv->kernel, conv->pad,
            now);
    if (conv->relu)
        oracle_relu(now, conv->out * h * w);
    if (conv->lrn) {
        oracle_lrn(now, conv->out, h, w, next);
        swap = now, now = next, next = swap;
    }
    if (conv->pool) {
        oracle_maxpool(now, conv->out, h, w, next);
        swap = now, now = next, next = swap;
    }
    free(wide_in);
    free(wide_weights);
    free(wide_bias);
    free(next);
    return now;
}

/* Relative L2 error, and the largest error over the reference's rms; infinite for NaNs. */
static inline void layer_errors(const float *values, const double *expected, size_t n, double *l2,
                                double *largest)
{
    double error = 0, norm = 0;

    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)values[i] - expected[i]);

        if (isnan(difference))
            difference = (double)INFINITY;
        error += difference * difference;
        norm += expected[i] * expected[i];
        *largest = fmax(*largest, difference);
    }
    *l2 = error == 0 ? 0 : sqrt(error / norm);
    *largest = *largest == 0 ? 0 : *largest / sqrt(norm / (double)n);
}

#endif
