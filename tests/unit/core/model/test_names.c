/* Recognising the six configurations by their tensors, under both namings. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/bound.h"

static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};

/* The tensor called `module.field` is bound to a layer and a role. */
static void check_role(const struct bound *bound, const char *module, const char *field,
                       size_t layer, enum vgg_role role)
{
    char name[MAKER_NAME_BYTES];
    size_t found = 99;

    snprintf(name, sizeof name, "%.32s.%.24s", module, field);
    for (size_t i = 0; i < bound->header.tensors_n; i++)
        if (strcmp(bound->header.tensors[i].name, name) == 0) {
            assert_int_equal(vgg_binding_role(&bound->binding, &bound->header.tensors[i], &found),
                             role);
            if (role != VGG_ROLE_IGNORED)
                assert_int_equal(found, layer);
            return;
        }
    fail_msg("%s is not there", name);
}

static void check_bound(const struct bound *bound, const struct maker *maker)
{
    static const char *const fcs[2][3] = {{"classifier.0", "classifier.3", "classifier.6"},
                                          {"pre_logits.fc1", "pre_logits.fc2", "head.fc"}};
    const struct maker_spec *spec = &maker->spec;
    const unsigned units[3] = {spec->fc1, spec->fc2, spec->classes};
    char module[32];

    if (bound->status != VGG_OK)
        fail_msg("%s: %s", spec->arch, bound->error.text);
    assert_string_equal(bound->net.arch->name, spec->arch);
    assert_int_equal(bound->binding.batch_norm, spec->batch_norm);
    assert_int_equal(bound->net.classes, spec->classes);
    assert_int_equal(bound->net.positions_kernel, spec->side);
    assert_int_equal(bound->net.layers_n, maker->convs_n + 3);
    for (size_t i = 0; i < maker->convs_n; i++) {
        assert_int_equal(bound->net.layers[i].conv.out, maker->convs[i].out);
        assert_int_equal(bound->net.layers[i].conv.kernel, maker->convs[i].kernel);
        assert_int_equal(bound->net.layers[i].conv.pool, maker->convs[i].pool);
        snprintf(module, sizeof module, "features.%u", maker->convs[i].feature);
        check_role(bound, module, "weight", i, VGG_ROLE_WEIGHT);
        check_role(bound, module, "bias", i, VGG_ROLE_BIAS);
        if (!spec->batch_norm)
            continue;
        snprintf(module, sizeof module, "features.%u", maker->convs[i].feature + 1);
        check_role(bound, module, "weight", i, VGG_ROLE_BN_WEIGHT);
        check_role(bound, module, "bias", i, VGG_ROLE_BN_BIAS);
        check_role(bound, module, "running_mean", i, VGG_ROLE_BN_MEAN);
        check_role(bound, module, "running_var", i, VGG_ROLE_BN_VAR);
        check_role(bound, module, "num_batches_tracked", i, VGG_ROLE_IGNORED);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(bound->net.layers[maker->convs_n + i].conv.out, units[i]);
        check_role(bound, fcs[spec->timm][i], "weight", maker->convs_n + i, VGG_ROLE_WEIGHT);
        check_role(bound, fcs[spec->timm][i], "bias", maker->convs_n + i, VGG_ROLE_BIAS);
    }
}

static void accept(const struct maker_spec *spec)
{
    struct maker maker;
    struct bound bound;

    maker_make(&maker, spec);
    for (unsigned shuffled = 0; shuffled < 2; shuffled++) {
        if (shuffled)
            maker_shuffle(&maker, 7);
        bind_made(&maker, &bound);
        check_bound(&bound, &maker);
        bound_fini(&bound);
    }
    maker_free(&maker);
}

static void every_configuration_and_naming(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(archs); i++)
        for (unsigned variant = 0; variant < 8; variant++)
            accept(&(struct maker_spec){.arch = archs[i],
                                        .batch_norm = variant & 1,
                                        .timm = variant >> 1 & 1,
                                        .side = 1 + (variant >> 2) * 6});
}

/* A planned file is one of its network: names, shapes, and every byte of the data once. */
static void what_is_planned_is_bound(void **state)
{
    static const enum vgg_dtype dtypes[] = {VGG_DTYPE_F32, VGG_DTYPE_F16, VGG_DTYPE_BF16};

    (void)state;
    for (size_t i = 0; i < 6 * 3; i++) {
        const struct vgg_arch *arch = &vgg_archs[i % 6];
        struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 3, 7, 5, 64);
        struct vgg_metadata metadata = {(char *)"vgg.arch", (char *)arch->name};
        struct vgg_binding binding;
        struct vgg_header header;
        struct vgg_net net, bound;
        struct vgg_plan plan;
        uint64_t data_bytes;
        char *json;

        vgg_net_describe(&net, arch, &vgg_kernels_portable, &sizes);
        vgg_names_plan(&net, dtypes[i / 6], &plan);
        plan.header.metadata = &metadata;
        plan.header.metadata_n = 1;
        json = vgg_header_format(&plan.header);
        data_bytes = vgg_net_parameters(&net) * vgg_dtype_bytes(dtypes[i / 6]);
        assert_int_equal(vgg_header_parse(json, strlen(json), data_bytes, &header, NULL), VGG_OK);
        assert_int_equal(vgg_names_bind(&header, &vgg_kernels_portable, &bound, &binding, NULL),
                         VGG_OK);
        assert_false(binding.batch_norm);
        assert_ptr_equal(bound.arch, arch);
        for (size_t l = 0; l < net.layers_n; l++)
            assert_memory_equal(&bound.layers[l].conv, &net.layers[l].conv,
                                sizeof net.layers[l].conv);
        for (size_t t = 0; t < header.tensors_n; t++)
            assert_int_equal(header.tensors[t].dtype, dtypes[i / 6]);
        vgg_header_fini(&header);
        free(json);
    }
}

/* torchvision's published indices. */
static void published_indices(void **state)
{
    static const unsigned vgg16[] = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
    static const unsigned vgg19[] = {0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34};
    static const unsigned vgg16_bn[] = {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40};
    struct maker maker;

    (void)state;
    for (size_t i = 0; i < 13 + 16; i++) {
        const struct vgg_arch *arch = vgg_arch_find(i < 13 ? "D" : "E");
        struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 1, 1, 1, 32);
        size_t conv = i < 13 ? i : i - 13;
        struct vgg_plan plan;
        struct vgg_net net;
        char name[32];

        vgg_net_describe(&net, arch, &vgg_kernels_portable, &sizes);
        vgg_names_plan(&net, VGG_DTYPE_F32, &plan);
        snprintf(name, sizeof name, "features.%u.weight", i < 13 ? vgg16[conv] : vgg19[conv]);
        assert_string_equal(plan.header.tensors[2 * conv].name, name);
    }
    /* The maker, too, makes what the published files hold. */
    maker_make(&maker, &(struct maker_spec){.arch = "D", .batch_norm = true});
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(maker.convs[i].feature, vgg16_bn[i]);
    maker_free(&maker);
}

/* Any widths that chain, and mixed naming of the FC layers. */
static void uneven_widths(void **state)
{
    static const unsigned widths[MAKER_CONVS_MAX] = {3, 1, 7, 2, 9, 4, 4, 1,
                                                     5, 6, 2, 8, 3, 1, 2, 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(archs); i++)
        accept(&(struct maker_spec){.arch = archs[i],
                                    .widths = widths,
                                    .fc1 = 3,
                                    .fc2 = 19,
                                    .classes = 1,
                                    .side = 32,
                                    .batch_norm = i % 2 == 1});
}

/* ---------------------------------------------------------------- telling apart -------------- */

/* C shares D's indices; the three kernels decide. */
static void c_and_d_differ_by_kernels(void **state)
{
    struct maker maker;
    struct bound bound;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "C"});
    bind_made(&maker, &bound);
    assert_string_equal(bound.net.arch->name, "C");
    bound_fini(&bound);
    maker_free(&maker);
    maker_make(&maker, &(struct maker_spec){.arch = "D"});
    bind_made(&maker, &bound);
    assert_string_equal(bound.net.arch->name, "D");
    bound_fini(&bound);
    maker_free(&maker);
}

static void lrn_is_a_matter_of_metadata(void **state)
{
    struct maker maker;
    struct bound bound;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A"});
    bind_made(&maker, &bound);
    assert_string_equal(bound.net.arch->name, "A");
    assert_false(bound.net.layers[0].conv.lrn);
    bound_fini(&bound);
    maker_meta(&maker, "vgg.arch", "A-LRN");
    bind_made(&maker, &bound);
    assert_string_equal(bound.net.arch->name, "A-LRN");
    assert_true(bound.net.layers[0].conv.lrn);
    bound_fini(&bound);
    maker_free(&maker);
}

static void a_name_that_agrees_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(archs); i++) {
        struct maker maker;
        struct bound bound;

        maker_make(&maker, &(struct maker_spec){.arch = archs[i], .batch_norm = i % 2 == 0});
        if (strcmp(archs[i], "A-LRN") != 0)
            maker_meta(&maker, "vgg.arch", archs[i]);
        bind_made(&maker, &bound);
        check_bound(&bound, &maker);
        bound_fini(&bound);
        maker_free(&maker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_configuration_and_naming),
        cmocka_unit_test(what_is_planned_is_bound),
        cmocka_unit_test(published_indices),
        cmocka_unit_test(uneven_widths),
        cmocka_unit_test(c_and_d_differ_by_kernels),
        cmocka_unit_test(lrn_is_a_matter_of_metadata),
        cmocka_unit_test(a_name_that_agrees_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
