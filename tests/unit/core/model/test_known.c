/* Typicality in model files: read as written, refused where it does not fit. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "model/model.h"
#include "model/names.h"
#include "model/write.h"
#include "model_maker.h"
#include "typicality/level.h"

enum { FEATURES = 9, CLASSES = 4, DIMS = 3, KNOWN = 100 };

static const struct maker_spec spec = {.fc2 = FEATURES, .classes = CLASSES, .known = KNOWN};

static enum vgg_status load(const struct maker *maker, unsigned threads, struct vgg_model **model,
                            struct vgg_error *error)
{
    const struct vgg_load_options options = {.threads = threads};
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);
    enum vgg_status status = vgg_model_load_memory(bytes, size, "made", &options, model, error);

    free(bytes);
    return status;
}

/* ---------------------------------------------------------------- reading -------------------- */

static void check_values(const float *values, struct maker *maker, const char *name, size_t n)
{
    const struct maker_tensor *tensor = maker_find(maker, name);

    assert_int_equal(tensor->values_n, n);
    for (size_t i = 0; i < n; i++)
        assert_true((double)values[i] == tensor->values[i]);
}

static void read_as_written(void **state)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dtypes); i++)
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct maker_spec of = spec;
            struct vgg_model *model;
            struct maker maker;

            of.dtype = dtypes[i];
            maker_make(&maker, &of);
            maker_shuffle(&maker, threads);
            assert_int_equal(load(&maker, threads, &model, NULL), VGG_OK);
            assert_int_equal(model->typicality.features, FEATURES);
            assert_int_equal(model->typicality.dims, DIMS);
            assert_int_equal(model->typicality.classes, CLASSES);
            check_values(model->typicality.transform, &maker, "typicality.transform",
                         DIMS * FEATURES);
            check_values(model->typicality.means, &maker, "typicality.means", CLASSES * DIMS);
            check_values(model->typicality.distances, &maker, "typicality.distances", KNOWN);
            assert_int_equal(vgg_model_get_info(model)->typicality, KNOWN);
            assert_true(vgg_model_get_info(model)->reject == VGG_REJECT_DEFAULT);
            vgg_model_release(model);
            maker_free(&maker);
        }
}

/* It counts in memory and version; dtype and parameters are the network's. */
static void described(void **state)
{
    struct vgg_model *with, *without;
    struct maker maker;
    const struct vgg_model_info *info, *plain;

    (void)state;
    maker_make(&maker, &spec);
    maker_retype(&maker, "typicality.transform", "F16");
    maker_meta(&maker, "vgg.typicality.reject", "0.025");
    assert_int_equal(load(&maker, 1, &with, NULL), VGG_OK);
    for (size_t i = 0; i < 3; i++)
        maker_drop(&maker, maker.tensors[maker.tensors_n - 1].name);
    assert_int_equal(load(&maker, 1, &without, NULL), VGG_OK);
    info = vgg_model_get_info(with);
    plain = vgg_model_get_info(without);
    assert_true(info->reject == 0.025);
    assert_string_equal(info->dtype, "F32");
    assert_int_equal(info->parameters, plain->parameters);
    assert_int_equal(info->memory_bytes,
                     plain->memory_bytes + 4 * (DIMS * (FEATURES + CLASSES) + KNOWN));
    assert_string_not_equal(info->version, plain->version);
    assert_int_equal(plain->typicality, 0);
    assert_true(plain->reject == 0); /* whatever the metadata say */
    vgg_model_release(with);
    vgg_model_release(without);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- refused -------------------- */

enum edit { DROP, ADD, RETYPE, RESHAPE, VALUE, META };

static const struct refusal {
    enum edit edit;
    const char *name, *value;
    size_t dims, at;
    uint64_t shape[3];
    double number;
    const char *text;
} refusals[] = {
    {DROP, "typicality.transform", .text = "typicality: tensor transform is missing"},
    {DROP, "typicality.means", .text = "typicality: tensor means is missing"},
    {DROP, "typicality.distances", .text = "typicality: tensor distances is missing"},
    {ADD, "typicality.covariance", "F32", 1, .shape = {1}, .text = "tensor typicality.covariance"},
    {ADD, "typicality.", "F32", 1, .shape = {1}, .text = "is not part of a VGG network"},
    {RETYPE, "typicality.means", "I64", .text = "typicality.means: dtype I64"},
    {RESHAPE, "typicality.transform", "F32", 2, .shape = {DIMS, FEATURES + 1},
     .text = "typicality.transform: shape must be [at most 512, 9]"},
    {RESHAPE, "typicality.transform", "F32", 2, .shape = {513, FEATURES},
     .text = "typicality.transform: shape must be [at most 512, 9]"},
    {RESHAPE, "typicality.transform", "F32", 1, .shape = {DIMS * FEATURES},
     .text = "typicality.transform: shape must be"},
    {RESHAPE, "typicality.transform", "F32", 2, .shape = {DIMS + 1, FEATURES},
     .text = "typicality.means: shape must be [4, 4]"},
    {RESHAPE, "typicality.means", "F32", 2, .shape = {CLASSES - 1, DIMS},
     .text = "typicality.means: shape must be [4, 3]"},
    {RESHAPE, "typicality.means", "F32", 3, .shape = {CLASSES, DIMS, 1},
     .text = "typicality.means: shape must be"},
    {RESHAPE, "typicality.distances", "F32", 2, .shape = {KNOWN, 1},
     .text = "typicality.distances: shape must be [at most 1048576]"},
    {RESHAPE, "typicality.distances", "F32", 1, .shape = {(1 << 20) + 1},
     .text = "typicality.distances: shape must be [at most 1048576]"},
    {VALUE, "typicality.transform", .at = 5, .number = (double)INFINITY,
     .text = "typicality.transform holds NaN or infinite"},
    {VALUE, "typicality.means", .at = 11, .number = (double)NAN,
     .text = "typicality.means holds NaN or infinite"},
    {VALUE, "typicality.distances", .at = 0, .number = -1,
     .text = "typicality.distances: element 0 is below the one before"},
    {VALUE, "typicality.distances", .at = 50, .number = 0,
     .text = "typicality.distances: element 50 is below the one before"},
    {META, "vgg.typicality.reject", "0", .text = "\"0\" is not a number above 0 and at most 1"},
    {META, "vgg.typicality.reject", "1.5", .text = "\"1.5\" is not a number"},
    {META, "vgg.typicality.reject", "[0.01]", .text = "\"[0.01]\" is not a number"},
    {META, "vgg.typicality.reject", "0.01 x", .text = "\"0.01 x\" is not a number"},
    {META, "vgg.typicality.reject", "", .text = "\"\" is not a number"},
    {META, "vgg.typicality.reject", "1e999", .text = "is not a number"},
    {META, "vgg.typicality.reject", "0.01, 0.02", .text = "\"0.01, 0.02\" is not a number"},
    {META, "vgg.typicality.reject", "0.01                                     x",
     .text = "is not a number"},
};

static void damage(struct maker *maker, const struct refusal *refusal)
{
    if (refusal->edit == DROP || refusal->edit == RESHAPE)
        maker_drop(maker, refusal->name);
    if (refusal->edit == ADD || refusal->edit == RESHAPE)
        maker_add(maker, refusal->name, refusal->value, refusal->dims, refusal->shape);
    else if (refusal->edit == RETYPE)
        maker_retype(maker, refusal->name, refusal->value);
    else if (refusal->edit == VALUE)
        maker_find(maker, refusal->name)->values[refusal->at] = refusal->number;
    else if (refusal->edit == META)
        maker_meta(maker, refusal->name, refusal->value);
}

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        for (unsigned threads = 1; threads <= 2; threads++) {
            struct vgg_model *model = NULL;
            struct vgg_error error = {0};
            struct maker maker;
            enum vgg_status status;

            maker_make(&maker, &spec);
            damage(&maker, &refusals[i]);
            status = load(&maker, threads, &model, &error);
            if (status != VGG_BAD_MODEL || strstr(error.text, refusals[i].text) == NULL)
                fail_msg("case %zu: status %d, \"%s\" instead of \"%s\"", i, (int)status,
                         error.text, refusals[i].text);
            assert_null(model);
            maker_free(&maker);
        }
}

static void out_of_memory(void **state)
{
    struct maker maker;
    size_t size;
    unsigned char *bytes;
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    maker_make(&maker, &spec);
    bytes = maker_bytes(&maker, &size);
    for (unsigned long n = 1; fired; n++) {
        const struct vgg_load_options options = {.threads = 1};
        struct vgg_model *model = NULL;
        long outstanding = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_model_load_memory(bytes, size, "made", &options, &model, NULL);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        vgg_model_release(model);
        assert_int_equal(fault_outstanding(), outstanding);
    }
    free(bytes);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- writing -------------------- */

struct filling {
    const struct vgg_typicality *typicality;
    size_t network; /* tensors before it */
};

static void fill(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    const struct filling *filling = user;

    memset(out, 0, n * sizeof *out);
    if (tensor >= filling->network)
        memcpy(out,
               vgg_known_array(filling->typicality, (enum vgg_known)(tensor - filling->network)) +
                   first,
               n * sizeof *out);
}

static void written(void **state)
{
    float transform[DIMS * FEATURES], means[CLASSES * DIMS], distances[2] = {0.1F, 1e6F};
    const struct vgg_typicality typicality = {FEATURES,  DIMS,  CLASSES,   2,
                                              transform, means, distances, 0};
    struct vgg_metadata metadata = {(char *)VGG_KNOWN_REJECT, (char *)"0.04"};
    const struct vgg_arch *arch = vgg_arch_find("A");
    struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 2, FEATURES, CLASSES, 32);
    struct filling filling = {.typicality = &typicality};
    struct vgg_model *model;
    struct vgg_plan plan;
    struct vgg_net net;
    unsigned char *bytes;
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(transform); i++)
        transform[i] = (float)i / 8;
    for (size_t i = 0; i < COUNT_OF(means); i++)
        means[i] = (float)i * -4;
    vgg_net_describe(&net, arch, &vgg_kernels_portable, &sizes);
    vgg_names_plan(&net, VGG_DTYPE_BF16, &plan);
    filling.network = plan.header.tensors_n;
    vgg_names_plan_known(&plan, &typicality);
    plan.header.metadata = &metadata;
    plan.header.metadata_n = 1;
    assert_int_equal(vgg_file_write_memory(&plan.header, fill, &filling, &bytes, &size, NULL),
                     VGG_OK);
    assert_int_equal(vgg_model_load_memory(bytes, size, "written", NULL, &model, NULL), VGG_OK);
    assert_memory_equal(model->typicality.transform, transform, sizeof transform);
    assert_memory_equal(model->typicality.means, means, sizeof means);
    assert_memory_equal(model->typicality.distances, distances, sizeof distances);
    assert_true(model->typicality.reject == 0.04);
    assert_string_equal(vgg_model_get_info(model)->dtype, "BF16");
    vgg_model_release(model);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_as_written), cmocka_unit_test(described), cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),   cmocka_unit_test(written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
