/*
 * Every layer of the published networks, with all its channels, by every table of kernels against
 * the oracle; `test_layers bench` times the same layers at 224x224 instead.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "blas/gemm.h"
#include "core/kernels/layer.h"

/* Name, layer, side of its map at 224x224; checked on maps of rows x columns. */
static const struct {
    const char *name;
    struct vgg_conv conv;
    uint32_t side, rows, columns;
} layers[] = {
    {"conv1_1", {.in = 3, .out = 64, .kernel = 3, .pad = 1, .relu = true}, 224, 39, 45},
    {"conv1_1 lrn", {3, 64, 3, 1, .relu = true, .lrn = true, .pool = true}, 224, 18, 23},
    {"conv1_2",
     {.in = 64, .out = 64, .kernel = 3, .pad = 1, .relu = true, .pool = true},
     224,
     27,
     32},
    {"conv2_1", {.in = 64, .out = 128, .kernel = 3, .pad = 1, .relu = true}, 112, 15, 22},
    {"conv2_2",
     {.in = 128, .out = 128, .kernel = 3, .pad = 1, .relu = true, .pool = true},
     112,
     14,
     19},
    {"conv3_1", {.in = 128, .out = 256, .kernel = 3, .pad = 1, .relu = true}, 56, 13, 13},
    {"conv3_2", {.in = 256, .out = 256, .kernel = 3, .pad = 1, .relu = true}, 56, 8, 11},
    {"conv3_3",
     {.in = 256, .out = 256, .kernel = 3, .pad = 1, .relu = true, .pool = true},
     56,
     7,
     12},
    {"conv3_3 1x1", {.in = 256, .out = 256, .kernel = 1, .relu = true, .pool = true}, 56, 9, 10},
    {"conv4_1", {.in = 256, .out = 512, .kernel = 3, .pad = 1, .relu = true}, 28, 9, 7},
    {"conv4_2", {.in = 512, .out = 512, .kernel = 3, .pad = 1, .relu = true}, 28, 5, 6},
    {"conv4_3 1x1", {.in = 512, .out = 512, .kernel = 1, .relu = true, .pool = true}, 28, 7, 6},
    {"conv5_3",
     {.in = 512, .out = 512, .kernel = 3, .pad = 1, .relu = true, .pool = true},
     14,
     7,
     4},
    {"fc6", {.in = 512, .out = 480, .kernel = 7, .relu = true}, 7, 7, 7},
    {"fc6 dense", {.in = 512, .out = 96, .kernel = 7, .relu = true}, 16, 11, 12},
    {"fc7", {.in = 4096, .out = 4096, .kernel = 1, .relu = true}, 1, 1, 3},
    {"fc8", {.in = 4096, .out = 1000, .kernel = 1}, 1, 2, 2},
};

enum { LAYERS = COUNT_OF(layers), THREADS = 2, REPEATS = 7 };

static struct vgg_team *team;

/* ThreadSanitizer takes its time, and has FC layers of every kind in test_conv. */
#if defined(__SANITIZE_THREAD__)
static const size_t weights_max = 4 << 20;
#else
static const size_t weights_max = SIZE_MAX;
#endif

static struct layer_case case_of(size_t i, uint32_t rows, uint32_t columns)
{
    return (struct layer_case){layers[i].conv, {1, layers[i].conv.in, rows, columns}};
}

static void every_layer(void **state)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t tables_n = tables_all(tables);

    (void)state;
    for (size_t i = 0; i < LAYERS; i++) {
        struct layer_case layer = case_of(i, layers[i].rows, layers[i].columns);
        size_t weights_n = layer_weights(&layer.conv);
        size_t n = shape_floats(vgg_conv_output(&layer.conv, layer.in));
        float *in, *weights, *bias;

        if (weights_n > weights_max)
            continue;
        in = layer_random(shape_floats(layer.in), layer.conv.lrn ? 100 : 1, i);
        weights = layer_random(weights_n, sqrt(3.0 * layer.conv.out / (double)weights_n), i + 50);
        bias = layer_random(layer.conv.out, 0.5, i + 100);
        for (size_t t = 0; t < tables_n; t++) {
            struct gate gate = layer_gate(tables[t], &layer.conv, layer.in);
            bool intact = true;
            double *expected, l2, largest;
            float *out;

            layer_coarse(tables[t], &layer, in, shape_floats(layer.in));
            expected = layer_expect(tables[t], &layer.conv, layer.in, in, weights, bias);
            out = layer_run(team, tables[t], &layer, in, weights, bias, &intact);
            layer_errors(out, expected, n, &l2, &largest);
            print_message("%-12s %-11s %-22s relative L2 %.1e, max / rms %.1e\n", layers[i].name,
                          tables[t]->name, tables[t]->algorithm(&layer.conv, layer.in), l2,
                          largest);
            assert_true(intact);
            assert_true(l2 <= gate.l2 && largest <= gate.max);
            free(out);
            free(expected);
        }
        free(in);
        free(weights);
        free(bias);
    }
}

/* The fastest of REPEATS runs, in seconds. */
static double time_layer(const struct vgg_kernels *kernels, const struct layer_case *layer)
{
    const struct vgg_conv *conv = &layer->conv;
    float *weights = layer_random(layer_weights(conv), 0.1, 1),
          *bias = layer_random(conv->out, 1, 2);
    float *in = layer_random(shape_floats(layer->in), 1, 3);
    void *packed = vgg_alloc_aligned(kernels->weights_bytes(conv), 1);
    void *map = vgg_alloc_aligned(kernels->map_bytes(layer->in), 1);
    void *out = vgg_alloc_aligned(kernels->map_bytes(vgg_conv_output(conv, layer->in)), 1);
    void *scratch = vgg_alloc_aligned(kernels->conv_scratch_bytes(conv, layer->in, THREADS), 1);
    uint64_t best_ns = UINT64_MAX;

    kernels->weights_pack(conv, 0, conv->out, weights, packed);
    map_write(kernels, layer->in, in, map);
    for (int i = 0; i < REPEATS; i++) {
        uint64_t start_ns = vgg_now_ns(), ns;

        kernels->conv(team, conv, packed, bias, map, layer->in, out, scratch);
        ns = vgg_now_ns() - start_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    free(weights);
    free(bias);
    free(in);
    free(packed);
    free(map);
    free(out);
    free(scratch);
    return (double)best_ns / 1e9;
}

static void bench(void)
{
    const struct vgg_kernels *tables[TABLES_MAX];
    size_t tables_n = tables_all(tables);

    printf("%d threads, best of %d\n", THREADS, REPEATS);
    for (size_t i = 0; i < LAYERS; i++)
        for (size_t t = 0; t < tables_n; t++) {
            struct layer_case layer = case_of(i, layers[i].side, layers[i].side);
            struct vgg_shape out = vgg_conv_unpooled(&layer.conv, layer.in);
            double s = time_layer(tables[t], &layer);

            printf("%-12s %-11s %-22s %9.3f ms %8.1f effective GFLOP/s\n", layers[i].name,
                   tables[t]->name, tables[t]->algorithm(&layer.conv, layer.in), 1e3 * s,
                   2e-9 * (double)(layer_weights(&layer.conv) * out.h * out.w) / s);
        }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_layer)};
    int failed = 0;

    if (!vgg_gemm_start())
        return 1;
    if (vgg_team_create(THREADS, &team, NULL) != VGG_OK)
        return 1;
    if (argc > 1 && strcmp(argv[1], "bench") == 0)
        bench();
    else
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    vgg_team_destroy(team);
    return failed;
}
