/* Whole small networks, pixels to mean logits, against the oracle's layers. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas/gemm.h"
#include "core/kernels/guard.h"
#include "core/nn/reference.h"
#include "core/teams.h"
#include "fault.h"
#include "model_maker.h"
#include "nn/forward.h"

enum { VIEWS_MAX = 4 };

/* ---------------------------------------------------------------- a network ------------------ */

static void pack(struct vgg_layer *layer, struct maker *maker, const char *module)
{
    size_t weights = vgg_layer_weights(layer);
    const double *values = reference_values(maker, module, "weight");
    const double *bias = reference_values(maker, module, "bias");
    float *floats = malloc(weights * sizeof *floats);

    assert_non_null(floats);
    for (size_t i = 0; i < weights; i++)
        floats[i] = (float)values[i];
    vgg_kernels_portable.weights_pack(&layer->conv, 0, layer->conv.out, floats, layer->packed);
    for (size_t i = 0; i < layer->conv.out; i++)
        layer->bias[i] = (float)bias[i];
    free(floats);
}

static void build(struct vgg_net *net, struct maker *maker)
{
    static const char *const fcs[3] = {"classifier.0", "classifier.3", "classifier.6"};
    struct vgg_net_sizes sizes = {
        .fc = {maker->spec.fc1, maker->spec.fc2, maker->spec.classes},
        .positions_kernel = maker->spec.side,
    };

    for (size_t i = 0; i < maker->convs_n; i++)
        sizes.convs[i] = maker->convs[i].out;
    vgg_net_describe(net, vgg_arch_find(maker->spec.arch), &vgg_kernels_portable, &sizes);
    assert_int_equal(vgg_net_allocate(net, NULL), VGG_OK);
    for (size_t i = 0; i < net->layers_n; i++) {
        char module[32];

        if (i < maker->convs_n)
            snprintf(module, sizeof module, "features.%u", maker->convs[i].feature);
        pack(&net->layers[i], maker, i < maker->convs_n ? module : fcs[i - maker->convs_n]);
    }
}

static struct vgg_normalisation normalisation_of(const struct maker *maker)
{
    struct vgg_normalisation normalisation;

    for (unsigned c = 0; c < 3; c++) {
        normalisation.source[c] = maker->bgr ? 2 - c : c;
        for (unsigned v = 0; v < 256; v++)
            normalisation.table[c][v] = (float)((v / 255.0 - maker->mean[c]) / maker->std[c]);
    }
    return normalisation;
}

/* mean[views][classes] in an arena of exactly the bytes asked for. */
static void forward(const struct vgg_net *net, struct maker *maker, struct vgg_team *team,
                    const struct vgg_view_pixels *views, struct vgg_shape shape, double *mean)
{
    struct vgg_normalisation normalisation = normalisation_of(maker);
    struct guard arena;

    guard_init(&arena, vgg_forward_arena_bytes(net, shape, vgg_team_threads(team)));
    vgg_forward(net, team, &normalisation, views, shape, arena.block, mean, NULL);
    assert_true(guard_fini(&arena));
}

/* ---------------------------------------------------------------- the tests ------------------ */

/* Largest difference over the reference's rms. */
static double error_of(const double *values, const double *expected, size_t n)
{
    double largest = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = fabs(values[i] - expected[i]);

        largest = isnan(difference) ? (double)INFINITY : fmax(largest, difference);
        norm += expected[i] * expected[i];
    }
    return largest / sqrt(norm / (double)n);
}

static void check(const struct maker_spec *spec, double std, uint32_t height, uint32_t width)
{
    struct maker maker;
    struct vgg_net net;
    struct vgg_view_pixels views[VIEWS_MAX];
    struct vgg_shape shape = {VIEWS_MAX, 3, height, width};
    double *mean, *alone, *expected;
    size_t classes;

    maker_make(&maker, spec);
    if (std != 0)
        for (size_t c = 0; c < 3; c++)
            maker.std[c] = std;
    maker.bgr = height % 2 == 1;
    build(&net, &maker);
    classes = net.classes;
    mean = reference_doubles(VIEWS_MAX * classes);
    alone = reference_doubles(classes);
    expected = reference_doubles(classes);
    for (size_t i = 0; i < VIEWS_MAX; i++) {
        views[i] = (struct vgg_view_pixels){.rgb = maker_picture(width, height, i / 2),
                                            .mirror = i % 2 == 1};
    }
    forward(&net, &maker, teams[2], views, shape, mean);
    shape.n = 1;
    for (size_t i = 0; i < VIEWS_MAX; i++) {
        double error;

        reference_logits(&maker, views[i].rgb, width, height, views[i].mirror, expected);
        error = error_of(mean + i * classes, expected, classes);
        if (!(error < 2e-5))
            fail_msg("%s %ux%u view %zu: max error / rms %g", spec->arch, width, height, i, error);
        for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
            forward(&net, &maker, teams[threads], &views[i], shape, alone);
            assert_memory_equal(alone, mean + i * classes, classes * sizeof *alone);
        }
    }
    assert_memory_not_equal(mean, mean + classes, classes * sizeof *mean);
    for (size_t i = 0; i < VIEWS_MAX; i++)
        free((void *)views[i].rgb);
    free(mean);
    free(alone);
    free(expected);
    vgg_net_fini(&net);
    maker_free(&maker);
}

static void every_configuration(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(archs); i++) {
        check(&(struct maker_spec){.arch = archs[i], .seed = i}, 0, 32, 32);
        check(&(struct maker_spec){.arch = archs[i], .seed = i, .width = 5, .classes = 11}, 0, 75,
              101);
        check(&(struct maker_spec){.arch = archs[i], .seed = i, .side = 2}, 0, 64, 97);
    }
}

static void sizes_and_aspects(void **state)
{
    static const uint32_t sides[][2] = {{96, 96},  {127, 96}, {96, 127},
                                        {96, 800}, {800, 96}, {128, 129}};
    static const unsigned widths[MAKER_CONVS_MAX] = {3, 9, 2, 5, 1, 7, 4, 6, 8, 3, 5, 2, 4};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        check(&(struct maker_spec){.arch = "D", .seed = i, .side = 3, .widths = widths}, 0,
              sides[i][0], sides[i][1]);
}

/* Inputs up to 1000, so that the normalisation's sum is what decides. */
static void lrn_with_large_inputs(void **state)
{
    struct maker_spec spec = {.arch = "A-LRN", .width = 6};

    (void)state;
    check(&spec, 1e-3, 64, 64);
    check(&spec, 1e-3, 33, 90);
}

/* The same weights with and without LRN: another answer. */
static void lrn_matters(void **state)
{
    struct maker with, without;
    double logits[2][5];
    uint8_t *rgb = maker_picture(40, 40, 1);

    (void)state;
    maker_make(&with, &(struct maker_spec){.arch = "A-LRN"});
    maker_make(&without, &(struct maker_spec){.arch = "A"});
    for (size_t i = 0; i < 2; i++) {
        struct maker *maker = i == 0 ? &with : &without;
        struct vgg_view_pixels view = {.rgb = rgb};
        struct vgg_net net;

        build(&net, maker);
        forward(&net, maker, teams[1], &view, (struct vgg_shape){1, 3, 40, 40}, logits[i]);
        vgg_net_fini(&net);
        maker_free(maker);
    }
    assert_true(error_of(logits[0], logits[1], 5) > 0.01);
    free(rgb);
}

/* The arena is all: a pass allocates nothing, be its matrices small or large. */
static void a_pass_allocates_nothing(void **state)
{
    static const struct maker_spec specs[] = {{.arch = "C"}, {.arch = "A", .width = 40}};

    (void)state;
    if (!fault_available())
        skip();
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        for (uint32_t side = 32; side <= 160; side += 64) {
            struct vgg_shape shape = {1, 3, side, side};
            struct maker maker;
            struct vgg_net net;
            struct vgg_normalisation normalisation;
            struct vgg_view_pixels view = {.rgb = maker_picture(side, side, 1)};
            void *arena;
            double mean[5];
            unsigned long before;

            maker_make(&maker, &specs[i]);
            build(&net, &maker);
            normalisation = normalisation_of(&maker);
            arena = vgg_alloc_aligned(vgg_forward_arena_bytes(&net, shape, 2), 1);
            assert_non_null(arena);
            before = fault_allocations();
            vgg_forward(&net, teams[2], &normalisation, &view, shape, arena, mean, NULL);
            assert_int_equal(fault_allocations() - before, 0);
            free(arena);
            free((void *)view.rgb);
            vgg_net_fini(&net);
            maker_free(&maker);
        }
}

static bool count_down(void *user)
{
    return --*(unsigned *)user != 0;
}

/* Asked after the input and each layer but the last; one no ends the pass. */
static void a_pass_can_be_ended(void **state)
{
    struct vgg_shape shape = {1, 3, 40, 32};
    struct maker maker;
    struct vgg_net net;
    struct vgg_normalisation normalisation;
    struct vgg_view_pixels view = {.rgb = maker_picture(32, 40, 1)};
    double expected[5], mean[5];
    void *arena;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A"});
    build(&net, &maker);
    normalisation = normalisation_of(&maker);
    arena = vgg_alloc_aligned(vgg_forward_arena_bytes(&net, shape, 2), 1);
    assert_non_null(arena);
    vgg_forward(&net, teams[2], &normalisation, &view, shape, arena, expected, NULL);
    for (unsigned at = 1; at <= net.layers_n + 1; at++) {
        uint64_t layer_ns[1 + VGG_LAYERS_MAX] = {0};
        unsigned left = at;
        const struct vgg_forward_options options = {
            .layer_ns = layer_ns, .between = count_down, .user = &left};

        memset(mean, 0, sizeof mean);
        vgg_forward(&net, teams[2], &normalisation, &view, shape, arena, mean, &options);
        assert_int_equal(left, at <= net.layers_n ? 0 : 1);
        for (size_t i = 0; i <= net.layers_n; i++)
            assert_true(i < at ? layer_ns[i] != 0 : layer_ns[i] == 0);
        if (at > net.layers_n)
            assert_memory_equal(mean, expected, sizeof expected);
        else
            assert_true(mean[0] == 0);
    }
    free(arena);
    free((void *)view.rgb);
    vgg_net_fini(&net);
    maker_free(&maker);
}

static void an_arena_is_bounded(void **state)
{
    struct vgg_net_sizes sizes = vgg_net_sizes_regular(vgg_arch_find("D"), 64, 4096, 1000, 224);
    struct vgg_net net;
    size_t square, ribbon;

    (void)state;
    vgg_net_describe(&net, vgg_arch_find("D"), &vgg_kernels_portable, &sizes);
    square = vgg_forward_arena_bytes(&net, (struct vgg_shape){1, 3, 1024, 1024}, 1);
    ribbon = vgg_forward_arena_bytes(&net, (struct vgg_shape){1, 3, 256, 4096}, 1);
    /* Three maps of 64 full-size channels (two layers, one before its pool), and the columns. */
    assert_in_range(square, 2 * 64 * 4 << 20, (3 * 64 * 4 + 9) << 20);
    assert_in_range(ribbon, square - (square >> 6), square + (square >> 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_configuration),      cmocka_unit_test(sizes_and_aspects),
        cmocka_unit_test(lrn_with_large_inputs),    cmocka_unit_test(lrn_matters),
        cmocka_unit_test(a_pass_allocates_nothing), cmocka_unit_test(a_pass_can_be_ended),
        cmocka_unit_test(an_arena_is_bounded),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
