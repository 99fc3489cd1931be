/* Table 1 of the paper, written here as the paper has it. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/arch.h"

static const struct {
    const char *name, *layers;
    size_t weight_layers; /* with the three FC layers, as the table's heads say */
} table_1[VGG_ARCHS] = {
    {"A", "64 M 128 M 256 256 M 512 512 M 512 512 M", 11},
    {"A-LRN", "64 LRN M 128 M 256 256 M 512 512 M 512 512 M", 11},
    {"B", "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M", 13},
    {"C", "64 64 M 128 128 M 256 256 conv1-256 M 512 512 conv1-512 M 512 512 conv1-512 M", 16},
    {"D", "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M", 16},
    {"E", "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M", 19},
};

/* A configuration in the paper's words. */
static void describe(const struct vgg_arch *arch, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < arch->convs_n; i++) {
        const struct vgg_arch_conv *conv = &arch->convs[i];
        char kernel[16] = "";

        if (conv->kernel != 3)
            snprintf(kernel, sizeof kernel, "conv%u-", conv->kernel);
        length += (size_t)snprintf(text + length, size - length, "%s%s%u%s%s", i == 0 ? "" : " ",
                                   kernel, vgg_arch_stage_width(conv->stage, 64),
                                   conv->lrn ? " LRN" : "", conv->pool ? " M" : "");
        assert_true(length < size);
    }
}

static void is_the_papers_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < VGG_ARCHS; i++) {
        char text[256];

        describe(&vgg_archs[i], text, sizeof text);
        assert_string_equal(vgg_archs[i].name, table_1[i].name);
        assert_string_equal(text, table_1[i].layers);
        assert_int_equal(vgg_archs[i].convs_n + VGG_FCS, table_1[i].weight_layers);
    }
}

/* A stage is what lies between two pools: numbered from 0, five of them. */
static void stages_end_in_pools(void **state)
{
    (void)state;
    for (size_t i = 0; i < VGG_ARCHS; i++) {
        unsigned stage = 0;

        for (size_t conv = 0; conv < vgg_archs[i].convs_n; conv++) {
            assert_int_equal(vgg_archs[i].convs[conv].stage, stage);
            stage += vgg_archs[i].convs[conv].pool;
        }
        assert_int_equal(stage, VGG_STAGES);
    }
    assert_int_equal(VGG_STRIDE, 1 << VGG_STAGES);
}

static void widths_double_up_to_eight_times(void **state)
{
    static const unsigned times[VGG_STAGES] = {1, 2, 4, 8, 8};

    (void)state;
    for (unsigned stage = 0; stage < VGG_STAGES; stage++) {
        assert_int_equal(vgg_arch_stage_width(stage, 1), times[stage]);
        assert_int_equal(vgg_arch_stage_width(stage, 64), 64 * times[stage]);
        assert_int_equal(vgg_arch_stage_width(stage, 65536), 65536 * times[stage]);
    }
}

static void names_are_found(void **state)
{
    static const char *const unknown[] = {"",    "a",     "F",      "A ",  "AA",
                                          "D\n", "A-lrn", "A-LRN2", "VGG", "vgg16"};

    (void)state;
    for (size_t i = 0; i < VGG_ARCHS; i++)
        assert_ptr_equal(vgg_arch_find(table_1[i].name), &vgg_archs[i]);
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_null(vgg_arch_find(unknown[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_papers_table),
        cmocka_unit_test(stages_end_in_pools),
        cmocka_unit_test(widths_double_up_to_eight_times),
        cmocka_unit_test(names_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
