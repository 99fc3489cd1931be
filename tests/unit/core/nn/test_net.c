/* Layers, parameters (the paper's table 2) and multiply-accumulates of full-size networks. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "nn/net.h"

/* A network of the paper's size, or of another. No weights. */
static struct vgg_net describe(const char *arch, uint32_t width, uint32_t fc, uint32_t classes,
                               uint32_t crop)
{
    struct vgg_net_sizes sizes =
        vgg_net_sizes_regular(vgg_arch_find(arch), width, fc, classes, crop);
    struct vgg_net net;

    vgg_net_describe(&net, vgg_arch_find(arch), &vgg_kernels_portable, &sizes);
    return net;
}

static struct vgg_net published(const char *arch)
{
    return describe(arch, 64, 4096, 1000, 224);
}

static void parameters_of_table_2(void **state)
{
    static const struct {
        const char *arch;
        unsigned millions;
        uint64_t exact; /* of torchvision's models; 0: not published */
    } cases[] = {
        {"A", 133, 132863336}, {"A-LRN", 133, 132863336}, {"B", 133, 133047848},
        {"C", 134, 0},         {"D", 138, 138357544},     {"E", 144, 143667240},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_net net = published(cases[i].arch);
        uint64_t parameters = vgg_net_parameters(&net), sum = 0;

        assert_int_equal(lround((double)parameters / 1e6), cases[i].millions);
        if (cases[i].exact != 0)
            assert_int_equal(parameters, cases[i].exact);
        for (size_t layer = 0; layer < net.layers_n; layer++)
            sum += vgg_layer_weights(&net.layers[layer]) + net.layers[layer].conv.out;
        assert_int_equal(parameters, sum);
    }
}

static void layers_of_d(void **state)
{
    static const struct {
        const char *name;
        uint32_t in, out, kernel, pad;
        bool relu, pool;
    } layers[] = {
        {"conv1_1", 3, 64, 3, 1, true, false},    {"conv1_2", 64, 64, 3, 1, true, true},
        {"conv2_1", 64, 128, 3, 1, true, false},  {"conv2_2", 128, 128, 3, 1, true, true},
        {"conv3_1", 128, 256, 3, 1, true, false}, {"conv3_2", 256, 256, 3, 1, true, false},
        {"conv3_3", 256, 256, 3, 1, true, true},  {"conv4_1", 256, 512, 3, 1, true, false},
        {"conv4_2", 512, 512, 3, 1, true, false}, {"conv4_3", 512, 512, 3, 1, true, true},
        {"conv5_1", 512, 512, 3, 1, true, false}, {"conv5_2", 512, 512, 3, 1, true, false},
        {"conv5_3", 512, 512, 3, 1, true, true},  {"fc6", 512, 4096, 7, 0, true, false},
        {"fc7", 4096, 4096, 1, 0, true, false},   {"fc8", 4096, 1000, 1, 0, false, false},
    };
    struct vgg_net net = published("D");

    (void)state;
    assert_int_equal(net.layers_n, COUNT_OF(layers));
    assert_int_equal(net.classes, 1000);
    assert_int_equal(net.positions_kernel, 7);
    for (size_t i = 0; i < net.layers_n; i++) {
        const struct vgg_conv *conv = &net.layers[i].conv;

        assert_string_equal(net.layers[i].name, layers[i].name);
        assert_int_equal(conv->in, layers[i].in);
        assert_int_equal(conv->out, layers[i].out);
        assert_int_equal(conv->kernel, layers[i].kernel);
        assert_int_equal(conv->pad, layers[i].pad);
        assert_int_equal(conv->relu, layers[i].relu);
        assert_int_equal(conv->pool, layers[i].pool);
        assert_false(conv->lrn);
        assert_null(net.layers[i].packed);
    }
}

/* What tells the other configurations from D. */
static void other_configurations(void **state)
{
    struct vgg_net a = published("A"), lrn = published("A-LRN"), c = published("C"),
                   e = published("E");

    (void)state;
    assert_string_equal(a.layers[2].name, "conv3_1");
    assert_false(a.layers[0].conv.lrn);
    assert_true(lrn.layers[0].conv.lrn);
    assert_true(lrn.layers[0].conv.pool);
    assert_false(lrn.layers[1].conv.lrn);
    assert_string_equal(c.layers[6].name, "conv3_3");
    assert_int_equal(c.layers[6].conv.kernel, 1);
    assert_int_equal(c.layers[6].conv.pad, 0);
    assert_int_equal(c.layers[5].conv.kernel, 3);
    assert_int_equal(e.layers_n, 19);
    assert_string_equal(e.layers[15].name, "conv5_4");
    assert_string_equal(e.layers[18].name, "fc8");
}

static void sizes_that_are_left_open(void **state)
{
    struct vgg_net_sizes sizes = {
        .convs = {5, 9, 4, 6, 7, 3, 8, 2}, .fc = {11, 12, 13}, .positions_kernel = 3};
    const uint32_t in[11] = {3, 5, 9, 4, 6, 7, 3, 8, 2, 11, 12};
    struct vgg_net net;

    (void)state;
    vgg_net_describe(&net, vgg_arch_find("A"), &vgg_kernels_portable, &sizes);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(net.layers[i].conv.in, in[i]);
        assert_int_equal(net.layers[i].conv.out, i < 8 ? sizes.convs[i] : sizes.fc[i - 8]);
    }
    assert_int_equal(net.layers[8].conv.kernel, 3);
    assert_int_equal(vgg_layer_weights(&net.layers[8]), 11 * 2 * 9);
    assert_int_equal(net.classes, 13);
}

/* Figures of the engine's plan: giga-MACs of the convolutions, and of the FC layers a position. */
static void macs_of_the_published_networks(void **state)
{
    static const struct {
        uint32_t side;
        unsigned positions;
        double d, e;
    } cases[] = {{224, 1, 15.35, 19.5},
                 {256, 4, 20.0, 25.5},
                 {384, 36, 45.1, 57.3},
                 {512, 100, 80.2, 101.9}};
    static const double FC = 123.633664e6; /* 512*7*7*4096 + 4096*4096 + 4096*1000 */
    struct vgg_net d = published("D"), e = published("E");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double fc = FC * cases[i].positions;
        uint32_t side = cases[i].side;

        assert_true(fabs((double)vgg_net_macs(&d, side, side) - fc - cases[i].d * 1e9) < 0.051e9);
        assert_true(fabs((double)vgg_net_macs(&e, side, side) - fc - cases[i].e * 1e9) < 0.051e9);
    }
    assert_int_equal(vgg_net_macs(&d, 224, 224), 15470264320);
    assert_int_equal(vgg_net_macs(&e, 224, 224), 19632062464);
}

/* Configuration A of width 1 without symmetry, by hand. */
static void macs_of_a_rectangle(void **state)
{
    struct vgg_net net = describe("A", 1, 10, 3, 32);
    const uint64_t h = 70, w = 100; /* 70 35 17 8 4 2, 100 50 25 12 6 3 */
    uint64_t expected = h * w * 27 + 35 * 50 * 18 + 17 * 25 * (72 + 144) + 8 * 12 * (288 + 576) +
                        4 * 6 * (576 + 576) + 2 * 3 * (80 + 100 + 30);

    (void)state;
    assert_int_equal(vgg_net_macs(&net, 70, 100), expected);
    /* Kernels are square, so turning the picture changes nothing. */
    assert_int_equal(vgg_net_macs(&net, 100, 70), expected);
}

static void nothing_below_the_crop(void **state)
{
    struct vgg_net net = published("D");

    (void)state;
    assert_int_equal(vgg_net_macs(&net, 223, 224), 0);
    assert_int_equal(vgg_net_macs(&net, 224, 223), 0);
    assert_int_equal(vgg_net_macs(&net, 1, 1), 0);
    assert_true(vgg_net_macs(&net, 224, 224) > 0);
    /* 255 gives no second position, and yet larger maps. */
    assert_true(vgg_net_macs(&net, 224, 255) > vgg_net_macs(&net, 224, 224));
    assert_true(vgg_net_macs(&net, 224, 256) - vgg_net_macs(&net, 224, 255) > 123633664);
}

static void allocation_and_its_failure(void **state)
{
    struct vgg_net net = describe("B", 2, 5, 4, 64);
    bool fired = fault_available();
    long before = fault_outstanding();

    (void)state;
    assert_int_equal(vgg_net_allocate(&net, NULL), VGG_OK);
    for (size_t i = 0; i < net.layers_n; i++) {
        assert_non_null(net.layers[i].packed);
        memset(net.layers[i].packed, 1, vgg_layer_weights(&net.layers[i]) * sizeof(float));
        memset(net.layers[i].bias, 1, net.layers[i].conv.out * sizeof(float));
    }
    vgg_net_fini(&net);
    assert_null(net.layers[0].packed);
    vgg_net_fini(&net);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        enum vgg_status status;

        fault_arm(n);
        status = vgg_net_allocate(&net, &error);
        fired = fault_disarm();
        vgg_net_fini(&net);
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        if (fired)
            assert_non_null(strstr(error.text, net.layers[(n - 1) / 2].name));
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_of_table_2),
        cmocka_unit_test(layers_of_d),
        cmocka_unit_test(other_configurations),
        cmocka_unit_test(sizes_that_are_left_open),
        cmocka_unit_test(macs_of_the_published_networks),
        cmocka_unit_test(macs_of_a_rectangle),
        cmocka_unit_test(nothing_below_the_crop),
        cmocka_unit_test(allocation_and_its_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
