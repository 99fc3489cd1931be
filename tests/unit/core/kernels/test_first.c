/*
 * The first layer straight from pictures, of every table that has one: the bits of input() and then
 * conv(), for any number of threads; and whole frames around what either writes.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/kernels/layer.h"
#include "core/teams.h"

enum { VIEWS = 3, PADDING = 7 /* bytes after a row of a picture */ };

#define CONV(out, relu, lrn, pool)                                                                 \
    {                                                                                              \
        3, out, 3, 1, relu, lrn, pool, false                                                       \
    }

static const struct vgg_conv convs[] = {
    CONV(1, true, false, false),   CONV(8, false, false, false), CONV(16, true, false, true),
    CONV(17, true, false, false),  CONV(64, true, false, false), CONV(64, true, true, true),
    CONV(75, false, false, false),
};

/* One row and many, bands that are cut, every number of pixels that is left over. */
static const uint16_t sizes[][2] = {{1, 1},   {1, 40},  {2, 13}, {7, 2},    {8, 8},    {9, 14},
                                    {15, 11}, {16, 10}, {17, 9}, {24, 100}, {33, 131}, {200, 3}};

/* A picture, its mirror image, and one that is normalised already. */
static void make_views(struct vgg_view_pixels views[VIEWS], size_t h, size_t w)
{
    size_t stride = 3 * w + PADDING;
    uint8_t *rgb = maker_picture(stride, h, h * w); /* more than enough */

    views[0] = (struct vgg_view_pixels){.rgb = rgb, .stride = stride};
    views[1] = (struct vgg_view_pixels){.rgb = rgb, .stride = stride, .mirror = true};
    views[2] = (struct vgg_view_pixels){.input = layer_random(3 * h * w, 2, w)};
}

static struct vgg_normalisation make_normalisation(void)
{
    struct vgg_normalisation normalisation = {.source = {2, 0, 1}};

    for (unsigned c = 0; c < 3; c++)
        for (unsigned v = 0; v < 256; v++)
            normalisation.table[c][v] = (float)(v * (c + 1)) / 255.0F - 0.4F;
    return normalisation;
}

struct weights {
    float *bias;
    void *packed;
};

static struct weights make_weights(const struct vgg_kernels *kernels, const struct vgg_conv *conv)
{
    struct weights weights = {
        .bias = layer_random(conv->out, 1, conv->out),
        .packed = vgg_alloc_aligned(kernels->weights_bytes(conv), 1),
    };
    float *values = layer_random(layer_weights(conv), 0.5, conv->out + 1);

    assert_non_null(weights.packed);
    kernels->weights_pack(conv, 0, conv->out, values, weights.packed);
    free(values);
    return weights;
}

/* Zeros around the picture and in channels past the last, whatever was there before. */
static void check_frame(const struct vgg_kernels *kernels, struct vgg_shape shape, const void *map)
{
    size_t bytes = kernels->map_bytes(shape);
    float *plain = layer_block(shape_floats(shape), sizeof *plain);
    void *framed = layer_block(bytes, 1);

    map_read(kernels, shape, map, plain);
    map_write(kernels, shape, plain, framed);
    assert_memory_equal(map, framed, bytes);
    free(plain);
    free(framed);
}

static void check(const struct vgg_kernels *kernels, const struct vgg_conv *conv,
                  const struct weights *weights, const struct vgg_view_pixels *views,
                  struct vgg_shape shape)
{
    const struct vgg_normalisation normalisation = make_normalisation();
    size_t bytes = kernels->map_bytes(vgg_conv_output(conv, shape));
    void *scratch = vgg_alloc_aligned(kernels->conv_scratch_bytes(conv, shape, 1), 1);
    void *input = vgg_alloc_aligned(kernels->map_bytes(shape), 1);
    void *expected = vgg_alloc_aligned(bytes, 1);

    assert_true(scratch != NULL && input != NULL && expected != NULL);
    memset(input, 0xFF, kernels->map_bytes(shape));
    memset(expected, 0xFF, bytes);
    kernels->input(teams[1], views, shape, &normalisation, input);
    check_frame(kernels, shape, input);
    kernels->conv(teams[1], conv, weights->packed, weights->bias, input, shape, expected, scratch);
    check_frame(kernels, vgg_conv_output(conv, shape), expected);
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        struct guard map, room;

        guard_init(&map, bytes);
        guard_init(&room, kernels->conv_scratch_bytes(conv, shape, threads));
        memset(map.block, 0xFF, bytes);
        kernels->first(teams[threads], conv, weights->packed, weights->bias, views, shape,
                       &normalisation, map.block, room.block);
        if (memcmp(map.block, expected, bytes) != 0)
            fail_msg("%u channels, %ux%u, %u threads: other bits", conv->out, shape.w, shape.h,
                     threads);
        assert_true(guard_fini(&map) & guard_fini(&room));
    }
    free(scratch);
    free(input);
    free(expected);
}

static void the_bits_of_input_and_conv(void **state)
{
    const struct vgg_kernels *kernels = *state;

    for (size_t i = 0; i < COUNT_OF(convs); i++) {
        struct weights weights = make_weights(kernels, &convs[i]);

        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            struct vgg_shape shape = {VIEWS, 3, sizes[s][0], sizes[s][1]};
            struct vgg_view_pixels views[VIEWS];

            if (convs[i].pool && (shape.h < 2 || shape.w < 2))
                continue;
            make_views(views, shape.h, shape.w);
            check(kernels, &convs[i], &weights, views, shape);
            free((void *)(uintptr_t)views[0].rgb);
            free((void *)(uintptr_t)views[2].input);
        }
        free(weights.bias);
        free(weights.packed);
    }
}

/* test_first [TABLE]: only one table of kernels. */
int main(int argc, char **argv)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t tables_n = tables_asked(argc > 1 ? argv[1] : NULL, tables), run = 0;
    int failed = 0;

    for (size_t i = 0; i < tables_n; i++) {
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(the_bits_of_input_and_conv, (void *)(uintptr_t)tables[i]),
        };

        if (tables[i]->first == NULL)
            continue;
        print_message("kernels: %s\n", tables[i]->name);
        failed += cmocka_run_group_tests(tests, pools_start, pools_stop);
        run++;
    }
    return run == 0 ? 1 : failed;
}
