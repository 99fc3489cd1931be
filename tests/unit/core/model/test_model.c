/* What a model says of itself, its metadata, and its reference count. */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "model/model.h"
#include "model_maker.h"

static enum vgg_status load_made(const struct maker *maker, struct vgg_model **model,
                                 struct vgg_error *error)
{
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);
    enum vgg_status status = vgg_model_load_memory(bytes, size, "given name", NULL, model, error);

    free(bytes);
    return status;
}

/* A model with one metadata key (or none), which must load. */
static struct vgg_model *good(const struct maker_spec *spec, const char *key, const char *value)
{
    struct vgg_model *model = NULL;
    struct vgg_error error = {0};
    struct maker maker;

    maker_make(&maker, spec);
    if (key != NULL)
        maker_meta(&maker, key, value);
    if (load_made(&maker, &model, &error) != VGG_OK)
        fail_msg("%s", error.text);
    maker_free(&maker);
    return model;
}

/* ---------------------------------------------------------------- info ----------------------- */

static void info_without_metadata(void **state)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    struct vgg_model *model = good(&(struct maker_spec){.arch = "D", .side = 7}, NULL, NULL);
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const char *id = "x", *label = "x";
    uint64_t parameters = 0;

    (void)state;
    assert_string_equal(info->name, "given name");
    assert_string_equal(info->arch, "D");
    assert_int_equal(strlen(info->version), 7 + 64);
    assert_memory_equal(info->version, "sha256:", 7);
    assert_int_equal(strspn(info->version + 7, "0123456789abcdef"), 64);
    assert_true(info->trained);
    assert_false(info->batch_norm);
    assert_string_equal(info->dtype, "F32");
    assert_int_equal(info->classes, 5);
    assert_int_equal(info->crop, 224);
    assert_int_equal(info->scales_n, 3);
    assert_int_equal(info->scales[0], 256);
    assert_int_equal(info->scales[1], 384);
    assert_int_equal(info->scales[2], 512);
    assert_memory_equal(info->mean, mean, sizeof mean);
    assert_memory_equal(info->std, std, sizeof std);
    assert_string_equal(info->channels, "RGB");
    assert_string_equal(info->kernel, vgg_kernels_select(VGG_PRECISION_F32, NULL)->name);
    assert_string_equal(info->precision, "f32");
    assert_string_equal(info->fc_weights, "f32");
    vgg_model_get_label(model, 4, &id, &label);
    assert_null(id);
    assert_null(label);
    assert_int_equal(vgg_model_layer_count(model), 16);
    for (size_t i = 0; i < 16; i++)
        parameters += vgg_model_get_layer(model, i).parameters;
    assert_int_equal(info->parameters, parameters);
    vgg_model_release(model);
}

/* ---------------------------------------------------------------- precision ------------------ */

/* Loaded so, it has these kernels; where there are none (NULL), the error says `text`. */
static void check_precision(const struct vgg_load_options *options,
                            const struct vgg_kernels *kernels, const char *text)
{
    struct vgg_model *model = NULL;
    struct vgg_error error = {0};
    struct maker maker;
    unsigned char *bytes;
    size_t size;
    enum vgg_status status;

    maker_make(&maker, &(struct maker_spec){.arch = "A"});
    bytes = maker_bytes(&maker, &size);
    status = vgg_model_load_memory(bytes, size, "m", options, &model, &error);
    free(bytes);
    maker_free(&maker);
    if (kernels == NULL) {
        assert_int_equal(status, VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, text));
        return;
    }
    assert_int_equal(status, VGG_OK);
    assert_string_equal(vgg_model_get_info(model)->kernel, kernels->name);
    assert_string_equal(vgg_model_get_info(model)->precision,
                        vgg_precision_name(kernels->precision));
    assert_string_equal(vgg_model_get_info(model)->fc_weights,
                        options->fc_half ? "f16" : vgg_precision_name(kernels->precision));
    vgg_model_release(model);
}

static void as_the_options_ask(void **state)
{
    const struct vgg_load_options f32 = {.fc_half = true}, i8 = {.precision = VGG_PRECISION_I8},
                                  automatic = {.precision = VGG_PRECISION_AUTO};
    const struct vgg_load_options halves[] = {{.precision = VGG_PRECISION_I8, .fc_half = true},
                                              {.precision = VGG_PRECISION_AUTO, .fc_half = true}};

    (void)state;
    check_precision(&f32, vgg_kernels_select(VGG_PRECISION_F32, NULL), NULL);
    check_precision(&i8, vgg_kernels_select(VGG_PRECISION_I8, NULL), "i8");
    check_precision(&automatic, vgg_kernels_select(VGG_PRECISION_AUTO, NULL), NULL);
    for (size_t i = 0; i < 2; i++)
        check_precision(&halves[i], NULL, "f16");
    setenv("VGG_KERNELS", "portable-i8", 1);
    check_precision(&f32, NULL, "portable-i8");
    check_precision(&i8, &vgg_kernels_portable_i8, NULL);
    check_precision(&automatic, &vgg_kernels_portable_i8, NULL);
    setenv("VGG_KERNELS", "portable", 1);
    check_precision(&i8, NULL, "portable");
    check_precision(&automatic, &vgg_kernels_portable, NULL);
    unsetenv("VGG_KERNELS");
}

/* ---------------------------------------------------------------- more of it ----------------- */

static void layers_as_they_are(void **state)
{
    struct vgg_model *model = good(&(struct maker_spec){.arch = "A-LRN", .side = 2}, NULL, NULL);
    struct vgg_layer_info first = vgg_model_get_layer(model, 0),
                          fc6 = vgg_model_get_layer(model, 8);
    struct vgg_layer_info last = vgg_model_get_layer(model, 10);

    (void)state;
    assert_string_equal(vgg_model_get_info(model)->arch, "A-LRN");
    assert_string_equal(first.name, "conv1_1");
    assert_true(first.lrn && first.pool);
    assert_int_equal(first.in, 3);
    assert_int_equal(first.out, 2);
    assert_int_equal(first.kernel, 3);
    assert_int_equal(first.parameters, 2 * 27 + 2);
    assert_string_equal(fc6.name, "fc6");
    assert_int_equal(fc6.kernel, 2);
    assert_false(fc6.lrn || fc6.pool);
    assert_int_equal(fc6.parameters, 7 * 16 * 4 + 7);
    assert_string_equal(last.name, "fc8");
    assert_int_equal(last.out, 5);
    assert_int_equal(vgg_model_view_macs(model, 63, 64), 0);
    assert_true(vgg_model_view_macs(model, 64, 200) > vgg_model_view_macs(model, 64, 100));
    assert_int_equal(vgg_model_view_macs(model, 64, 100), vgg_net_macs(&model->net, 100, 64));
    vgg_model_release(model);
}

static void version_follows_the_bytes(void **state)
{
    struct vgg_model *models[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        models[i] = good(&(struct maker_spec){.seed = i / 2}, NULL, NULL);
    assert_string_equal(vgg_model_get_info(models[0])->version,
                        vgg_model_get_info(models[1])->version);
    assert_string_not_equal(vgg_model_get_info(models[0])->version,
                            vgg_model_get_info(models[2])->version);
    for (unsigned i = 0; i < 3; i++)
        vgg_model_release(models[i]);
}

static void dtypes_and_batch_norm(void **state)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    struct vgg_model *model = NULL;
    struct maker maker;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        model = good(&(struct maker_spec){.dtype = dtypes[i], .batch_norm = true}, NULL, NULL);
        assert_string_equal(vgg_model_get_info(model)->dtype, dtypes[i]);
        assert_true(vgg_model_get_info(model)->batch_norm);
        vgg_model_release(model);
    }
    maker_make(&maker, &(struct maker_spec){.dtype = "F16"});
    maker_retype(&maker, "classifier.6.bias", "F32");
    assert_int_equal(load_made(&maker, &model, NULL), VGG_OK);
    assert_string_equal(vgg_model_get_info(model)->dtype, "mixed");
    vgg_model_release(model);
    maker_free(&maker);
}

/* The file's own name, unless the metadata has one. */
static void names(void **state)
{
    static const char *const files[][2] = {{"vgg16.safetensors", "vgg16"},
                                           {"other.bin", "other.bin"},
                                           {".safetensors", ".safetensors"},
                                           {"plain", "plain"}};
    char directory[] = "/tmp/vgg-model-XXXXXX", path[64];
    struct vgg_model *model;
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    (void)state;
    assert_non_null(mkdtemp(directory));
    maker_make(&maker, &(struct maker_spec){0});
    bytes = maker_bytes(&maker, &size);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i][0]);
        maker_write(path, bytes, size);
        assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
        assert_string_equal(vgg_model_get_info(model)->name, files[i][1]);
        assert_int_equal(vgg_model_get_info(model)->file_bytes, size);
        vgg_model_release(model);
        unlink(path);
    }
    assert_int_equal(rmdir(directory), 0);
    free(bytes);
    maker_free(&maker);
    model = good(&(struct maker_spec){0}, "vgg.name", "my \"net\"");
    assert_string_equal(vgg_model_get_info(model)->name, "my \"net\"");
    vgg_model_release(model);
}

/* ---------------------------------------------------------------- metadata ------------------- */

static void preprocessing(void **state)
{
    struct vgg_model *model;
    struct maker maker;
    const struct vgg_model_info *info;

    (void)state;
    maker_make(&maker, &(struct maker_spec){0});
    maker_meta(&maker, "vgg.mean", "[0.1, 0.25, 0]");
    maker_meta(&maker, "vgg.std", "[1, 0.5, 0.00392156862745098]");
    maker_meta(&maker, "vgg.channels", "BGR");
    maker_meta(&maker, "vgg.trained", "false");
    maker_meta(&maker, "format", "pt");
    assert_int_equal(load_made(&maker, &model, NULL), VGG_OK);
    info = vgg_model_get_info(model);
    assert_true(info->mean[0] == 0.1 && info->mean[1] == 0.25 && info->mean[2] == 0);
    assert_true(info->std[0] == 1 && info->std[1] == 0.5 && info->std[2] == 0.00392156862745098);
    assert_string_equal(info->channels, "BGR");
    assert_false(info->trained);
    for (unsigned c = 0; c < 3; c++) {
        assert_int_equal(model->normalisation.source[c], 2 - c);
        for (unsigned v = 0; v < 256; v++)
            assert_true(model->normalisation.table[c][v] ==
                        (float)((v / 255.0 - info->mean[c]) / info->std[c]));
    }
    vgg_model_release(model);
    maker_free(&maker);
    model = good(&(struct maker_spec){0}, "vgg.channels", "RGB");
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(model->normalisation.source[c], c);
    vgg_model_release(model);
    model = good(&(struct maker_spec){0}, "vgg.trained", "true");
    assert_true(vgg_model_get_info(model)->trained);
    vgg_model_release(model);
}

static void scales(void **state)
{
    static const struct {
        unsigned side;
        const char *json; /* NULL: the defaults */
        size_t n;
        uint32_t scales[8];
    } cases[] = {
        {1, NULL, 3, {256, 384, 512}},
        {8, NULL, 3, {256, 384, 512}},
        {9, NULL, 2, {384, 512}},
        {16, NULL, 1, {512}},
        {17, NULL, 1, {544}},
        {32, NULL, 1, {1024}},
        {1, "[96]", 1, {96}},
        {1, "[384, 256.0, 384, 32]", 3, {32, 256, 384}},
        {1, "[8e2,1024]", 2, {800, 1024}},
        {1, "[39,38,37,36,35,34,33,32]", 8, {32, 33, 34, 35, 36, 37, 38, 39}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct maker_spec spec = {.side = cases[i].side};
        struct vgg_model *model =
            good(&spec, cases[i].json != NULL ? "vgg.scales" : NULL, cases[i].json);
        const struct vgg_model_info *info = vgg_model_get_info(model);

        assert_int_equal(info->scales_n, cases[i].n);
        assert_memory_equal(info->scales, cases[i].scales, cases[i].n * sizeof *info->scales);
        vgg_model_release(model);
    }
}

static void check_label(const struct vgg_model *model, uint32_t index, const char *id,
                        const char *label)
{
    const char *found_id = "x", *found_label = "x";

    vgg_model_get_label(model, index, &found_id, &found_label);
    if (id == NULL)
        assert_null(found_id);
    else
        assert_string_equal(found_id, id);
    assert_string_equal(found_label, label);
}

static void labels(void **state)
{
    struct maker_spec three = {.classes = 3}, thousand = {.classes = 1000};
    struct vgg_model *model = good(&three, "vgg.labels", "[\"a\", \"b c\", \"\\u00e9\"]");

    (void)state;
    check_label(model, 0, NULL, "a");
    check_label(model, 1, NULL, "b c");
    check_label(model, 2, NULL, "\xC3\xA9");
    vgg_model_release(model);
    model = good(&three, "vgg.labels", "[[\"1\", \"a\"], [\"2\", \"b\"], \"c\"]");
    check_label(model, 0, "1", "a");
    check_label(model, 1, "2", "b");
    check_label(model, 2, NULL, "c");
    vgg_model_release(model);
    model = good(&thousand, NULL, NULL);
    check_label(model, 281, "n02123045", "tabby, tabby cat");
    vgg_model_release(model);
}

static void bad_metadata(void **state)
{
    static const char *const cases[][3] = {
        {"vgg.mean", "[1,2]", "vgg.mean must be"},
        {"vgg.mean", "[1,2,3,4]", "vgg.mean must be"},
        {"vgg.mean", "0.5", "vgg.mean must be"},
        {"vgg.mean", "", "vgg.mean must be"},
        {"vgg.std", "[1,2,\"3\"]", "vgg.std must be"},
        {"vgg.std", "[1,0,1]", "finite"},
        {"vgg.std", "[1,1,-1]", "finite"},
        {"vgg.std", "[1e-300,1,1]", "finite"},
        {"vgg.mean", "[1e300,0,0]", "finite"},
        {"vgg.channels", "rgb", "vgg.channels \"rgb\""},
        {"vgg.channels", "", "vgg.channels"},
        {"vgg.scales", "[]", "vgg.scales must be"},
        {"vgg.scales", "256", "vgg.scales must be"},
        {"vgg.scales", "[32,33,34,35,36,37,38,39,40]", "vgg.scales must be"},
        {"vgg.scales", "[31]", "vgg.scales: 31"},
        {"vgg.scales", "[256,1025]", "vgg.scales: 1025"},
        {"vgg.scales", "[256.5]", "vgg.scales: 256.5"},
        {"vgg.scales", "[-256]", "vgg.scales: -256"},
        {"vgg.scales", "[1e300]", "vgg.scales"},
        {"vgg.labels", "[\"a\",\"b\",\"c\",\"d\"]", "4 labels for 5 classes"},
        {"vgg.labels", "[]", "0 labels for 5 classes"},
        {"vgg.labels", "{\"a\":1}", "vgg.labels"},
        {"vgg.labels", "[1,2,3,4,5]", "vgg.labels"},
        {"vgg.labels", "a,b,c,d,e", "vgg.labels"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        long before = fault_outstanding();
        struct vgg_model *model = NULL;
        struct vgg_error error = {0};
        struct maker maker;

        maker_make(&maker, &(struct maker_spec){0});
        maker_meta(&maker, cases[i][0], cases[i][1]);
        assert_int_equal(load_made(&maker, &model, &error), VGG_BAD_MODEL);
        if (strstr(error.text, cases[i][2]) == NULL)
            fail_msg("%s %s: \"%s\" lacks \"%s\"", cases[i][0], cases[i][1], error.text,
                     cases[i][2]);
        assert_null(model);
        maker_free(&maker);
        assert_int_equal(fault_outstanding(), before);
    }
}

/* ---------------------------------------------------------------- life ----------------------- */

static void *hold_and_release(void *model)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct vgg_model *held = vgg_model_retain(model);

        if (held != model || vgg_model_get_info(held)->classes != 5)
            return model;
        vgg_model_release(held);
    }
    vgg_model_release(model);
    return NULL;
}

/* The creator lets go first; the last thread frees the model, once. */
static void references_from_several_threads(void **state)
{
    enum { THREADS = 4 };
    long before = fault_outstanding();
    struct vgg_model *model;
    pthread_t threads[THREADS];

    (void)state;
    assert_null(vgg_model_retain(NULL));
    vgg_model_release(NULL);
    for (unsigned round = 0; round < 2; round++) {
        /* The first round leaves threads' own memory in glibc's cache. */
        before = fault_outstanding();
        model = good(&(struct maker_spec){0}, NULL, NULL);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, hold_and_release, vgg_model_retain(model)), 0);
        vgg_model_release(model);
        for (unsigned i = 0; i < THREADS; i++) {
            void *wrong;

            pthread_join(threads[i], &wrong);
            assert_null(wrong);
        }
    }
    assert_int_equal(fault_outstanding(), before);
}

static void loading_without_memory(void **state)
{
    bool fired = fault_available();
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    (void)state;
    if (!fired)
        skip();
    maker_make(&maker, &(struct maker_spec){0});
    maker_meta(&maker, "vgg.mean", "[0.5,0.5,0.5]");
    maker_meta(&maker, "vgg.scales", "[256,384]");
    maker_meta(&maker, "vgg.labels", "[\"a\",\"b\",\"c\",\"d\",[\"i\",\"e\"]]");
    bytes = maker_bytes(&maker, &size);
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        struct vgg_model *model = NULL;
        struct vgg_error error = {0};
        enum vgg_status status;

        fault_arm(n);
        status = vgg_model_load_memory(bytes, size, "name", NULL, &model, &error);
        fired = fault_disarm();
        if (status != VGG_OK && status != VGG_NO_MEMORY)
            fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
        if (status == VGG_OK) {
            assert_true(vgg_model_get_info(model)->mean[2] == 0.5);
            assert_int_equal(vgg_model_get_info(model)->scales_n, 2);
            check_label(model, 4, "i", "e");
        } else
            assert_true(fired);
        vgg_model_release(model);
        assert_int_equal(fault_outstanding(), before);
    }
    free(bytes);
    maker_free(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_without_metadata),
        cmocka_unit_test(as_the_options_ask),
        cmocka_unit_test(layers_as_they_are),
        cmocka_unit_test(version_follows_the_bytes),
        cmocka_unit_test(dtypes_and_batch_norm),
        cmocka_unit_test(names),
        cmocka_unit_test(preprocessing),
        cmocka_unit_test(scales),
        cmocka_unit_test(labels),
        cmocka_unit_test(bad_metadata),
        cmocka_unit_test(references_from_several_threads),
        cmocka_unit_test(loading_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
