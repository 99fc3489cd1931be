/*
 * Layers in eight bits where it is hard to be right: sums at the limits of 32 bits, numbers that
 * are very large, very small, or zero. And what the tables have in common: all with vectors give
 * the same bits.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "core/kernels/layer.h"
#include "core/teams.h"

static const struct layer_case winograd = {{64, 72, 3, 1, .relu = true}, {1, 64, 9, 10}};
static const struct layer_case pooled = {{100, 48, 3, 1, .pool = true}, {1, 100, 13, 7}};
static const struct layer_case pointwise = {{80, 40, 1, 0, .relu = true}, {1, 80, 5, 6}};
static const struct layer_case full = {{512, 36, 7, 0, .relu = false}, {1, 512, 8, 7}};
static const struct layer_case *const layers[] = {&winograd, &pooled, &pointwise, &full};

/* A layer's numbers. */
struct numbers {
    const struct layer_case *layer;
    float *in, *weights, *bias;
    size_t in_n, weights_n, out_n;
};

static struct numbers numbers_make(const struct layer_case *layer)
{
    struct numbers numbers = {
        .layer = layer,
        .in_n = shape_floats(layer->in),
        .weights_n = layer_weights(&layer->conv),
        .out_n = shape_floats(vgg_conv_output(&layer->conv, layer->in)),
    };

    numbers.in = layer_random(numbers.in_n, 1, 1);
    numbers.weights = layer_random(numbers.weights_n, 0.1, 2);
    numbers.bias = layer_random(layer->conv.out, 0.5, 3);
    return numbers;
}

static void numbers_free(struct numbers *numbers)
{
    free(numbers->in);
    free(numbers->weights);
    free(numbers->bias);
}

static float *run(const struct vgg_kernels *kernels, const struct numbers *numbers)
{
    bool intact = true;
    float *out = layer_run(teams[2], kernels, numbers->layer, numbers->in, numbers->weights,
                           numbers->bias, &intact);

    assert_true(intact);
    return out;
}

/* Every table of eight bits gives what the oracle does. */
static void check(struct numbers *numbers, double l2_max)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);

    for (size_t i = 0; i < n; i++) {
        float *out = run(tables[i], numbers);
        double *expected = layer_expect(tables[i], &numbers->layer->conv, numbers->layer->in,
                                        numbers->in, numbers->weights, numbers->bias);
        double l2, largest;

        assert_non_null(
            strstr(tables[i]->algorithm(&numbers->layer->conv, numbers->layer->in), " i8"));
        layer_errors(out, expected, numbers->out_n, &l2, &largest);
        if (!(l2 <= l2_max))
            fail_msg("%s, kernel %u: relative L2 error %g", tables[i]->name,
                     numbers->layer->conv.kernel, l2);
        free(out);
        free(expected);
    }
}

enum { CHANNEL = 7 };

typedef void spoil_fn(struct numbers *numbers);

static void coarse(struct numbers *numbers)
{
    for (size_t i = 0; i < numbers->in_n; i++)
        numbers->in[i] = rintf(numbers->in[i] * 32) / 32;
}

static void scale(float *values, size_t n, float by)
{
    for (size_t i = 0; i < n; i++)
        values[i] *= by;
}

static void all_zero(struct numbers *numbers)
{
    scale(numbers->in, numbers->in_n, 0);
}

/* The left half of the picture, wide enough for tiles that see nothing else. */
static void half_zero(struct numbers *numbers)
{
    uint32_t w = numbers->layer->in.w;

    for (size_t i = 0; i < numbers->in_n; i++)
        if (i % w <= w / 2)
            numbers->in[i] = 0;
}

static void zero_input_channel(struct numbers *numbers)
{
    size_t pixels = numbers->in_n / numbers->layer->in.c;

    scale(numbers->in + CHANNEL * pixels, pixels, 0);
}

static void zero_output_channel(struct numbers *numbers)
{
    size_t row = numbers->weights_n / numbers->layer->conv.out;

    scale(numbers->weights + CHANNEL * row, row, 0);
}

static void one_huge(struct numbers *numbers)
{
    numbers->in[numbers->in_n / 2] = 0x1p40F;
}

static void huge_weights(struct numbers *numbers)
{
    scale(numbers->weights, numbers->weights_n, 1e30F);
}

static void tiny_weights(struct numbers *numbers)
{
    scale(numbers->weights, numbers->weights_n, 1e-30F);
    scale(numbers->bias, numbers->layer->conv.out, 1e-30F);
}

/* What follows a layer whose weights are huge, or tiny. */
static void huge_in_tiny_weights(struct numbers *numbers)
{
    scale(numbers->in, numbers->in_n, 0x1p112F);
    scale(numbers->weights, numbers->weights_n, 1e-30F);
}

static void tiny_in_huge_weights(struct numbers *numbers)
{
    scale(numbers->in, numbers->in_n, 0x1p-100F);
    scale(numbers->weights, numbers->weights_n, 1e30F);
}

/* Around the least normal number; 1 / scale would be infinite. */
static void denormal_in(struct numbers *numbers)
{
    scale(numbers->in, numbers->in_n, 0x1p-125F);
    scale(numbers->weights, numbers->weights_n, 1e30F);
    scale(numbers->bias, numbers->layer->conv.out, 0x1p-30F);
}

static void denormal_weights(struct numbers *numbers)
{
    scale(numbers->weights, numbers->weights_n, 0x1p-135F);
    scale(numbers->in, numbers->in_n, 0x1p100F);
    scale(numbers->bias, numbers->layer->conv.out, 0x1p-40F);
}

/* All in step: sums as large as they can be. */
static void alike(struct numbers *numbers)
{
    for (size_t i = 0; i < numbers->in_n; i++)
        numbers->in[i] = 1;
    for (size_t i = 0; i < numbers->weights_n; i++)
        numbers->weights[i] = -1;
}

static void hard_cases(void **state)
{
    static const struct {
        spoil_fn *spoil;
        double l2;
    } cases[] = {
        {coarse, 1e-6},
        {all_zero, 1e-6},
        {half_zero, 1e-6},
        {zero_input_channel, 1e-6},
        {zero_output_channel, 1e-6},
        {one_huge, 1e-6},
        {huge_weights, 1e-6},
        {tiny_weights, 1e-6},
        {huge_in_tiny_weights, 1e-6},
        {tiny_in_huge_weights, 1e-6},
        {denormal_in, 1e-6},
        {denormal_weights, 1e-2},
        {alike, 1e-6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t l = 0; l < COUNT_OF(layers); l++) {
            struct numbers numbers = numbers_make(layers[l]);

            coarse(&numbers);
            cases[i].spoil(&numbers);
            check(&numbers, cases[i].l2);
            numbers_free(&numbers);
        }
}

/* Windows of 512 channels, and as many products as a sum may have: 2^31 / (127 * 128). */
static void the_longest_sums(void **state)
{
    enum { MOST = 132104 };
    static const struct layer_case longest[] = {
        {{512, 3, 16, .relu = false}, {1, 512, 16, 16}},
        {{MOST, 2, 1, .relu = false}, {1, MOST, 1, 1}},
    };
    static const struct vgg_conv longer = {MOST + 1, 2, 1, .relu = false};
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(longest); i++) {
        struct numbers numbers = numbers_make(&longest[i]);

        check(&numbers, 1e-6);
        alike(&numbers);
        check(&numbers, 1e-6);
        scale(numbers.in, numbers.in_n, -1);
        check(&numbers, 1e-6);
        numbers_free(&numbers);
    }
    for (size_t i = 0; i < n; i++)
        assert_string_equal(tables[i]->algorithm(&longer, (struct vgg_shape){1, MOST + 1, 1, 1}),
                            "direct");
}

/* Layers of few channels, and what else the scheme is not for. */
static void which_layers_take_what(void **state)
{
    static const struct {
        struct vgg_conv conv;
        const char *algorithm;
    } choices[] = {
        {{48, 64, 3, 1, .relu = true}, "winograd f(4x4,3x3) i8"},
        {{47, 64, 3, 1, .relu = true}, "winograd f(6x6,3x3)"},
        {{48, 64, 3, 1, .relu = true, .lrn = true}, "direct i8"},
        {{48, 64, 3, 0, .relu = true}, "direct i8"},
        {{48, 64, 1, 0, .relu = true}, "direct i8"},
        {{47, 64, 1, 0, .relu = true}, "direct"},
        {{48, 64, 1, 0, .half = true}, "direct f16"},
    };
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < COUNT_OF(choices); l++)
            assert_string_equal(
                tables[i]->algorithm(&choices[l].conv, (struct vgg_shape){1, 48, 9, 9}),
                choices[l].algorithm);
}

/* What is wrong is not lost. */
static void nan_and_infinity_are_passed_on(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad) * COUNT_OF(layers) * n; i++) {
        const struct layer_case *layer = layers[i / n % COUNT_OF(layers)];
        struct numbers numbers = numbers_make(layer);
        size_t wrong = 0;
        float *out;

        numbers.in[numbers.in_n / 2] = bad[i / n / COUNT_OF(layers)];
        out = run(tables[i % n], &numbers);
        for (size_t o = 0; o < numbers.out_n; o++)
            wrong += isfinite(out[o]) ? 0 : 1;
        assert_true(wrong > 0);
        free(out);
        numbers_free(&numbers);
    }
}

/* Of any numbers, not only of those whose transforms are exact. */
static void tables_agree_bit_for_bit(void **state)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_I8, tables);

    (void)state;
    for (size_t l = 0; l < COUNT_OF(layers); l++) {
        struct numbers numbers = numbers_make(layers[l]);
        float *first = run(tables[0], &numbers);

        for (size_t i = 1; i + 1 < n; i++) {
            float *out = run(tables[i], &numbers);

            assert_memory_equal(out, first, numbers.out_n * sizeof *out);
            free(out);
        }
        free(first);
        numbers_free(&numbers);
    }
}

/* Not too far from what is meant, and from the oracle, which rounds a few numbers otherwise. */
static void any_numbers(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT_OF(layers); l++) {
        struct numbers numbers = numbers_make(layers[l]);
        double *exact = layer_expect(&vgg_kernels_portable, &layers[l]->conv, layers[l]->in,
                                     numbers.in, numbers.weights, numbers.bias);
        float *out = run(&vgg_kernels_portable_i8, &numbers);
        double l2, largest;

        check(&numbers, 1e-3);
        layer_errors(out, exact, numbers.out_n, &l2, &largest);
        assert_true(l2 < (layers[l]->conv.kernel == 3 ? 0.04 : 0.015));
        free(exact);
        free(out);
        numbers_free(&numbers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_cases),
        cmocka_unit_test(the_longest_sums),
        cmocka_unit_test(which_layers_take_what),
        cmocka_unit_test(nan_and_infinity_are_passed_on),
        cmocka_unit_test(tables_agree_bit_for_bit),
        cmocka_unit_test(any_numbers),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
