/* Plain weights of model files, whatever the kernels that serve. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/model/plain.h"
#include "fault.h"
#include "model/weights.h"
#include "model_maker.h"

static char directory[] = "/tmp/vgg-weights-XXXXXX";
static char path[sizeof directory + 32];

static void write_made(const struct maker *maker)
{
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);

    maker_write(path, bytes, size);
    free(bytes);
}

static void read_made(const struct maker *maker, struct vgg_weights *weights)
{
    struct vgg_error error = {0};

    write_made(maker);
    if (vgg_weights_read(path, weights, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

static void values_of_every_kind_of_file(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};
    static const char *const dtypes[] = {"F32", "F16", "BF16"};

    (void)state;
    for (unsigned i = 0; i < 6 * 3 * 4; i++) {
        struct maker_spec spec = {.arch = archs[i % 6],
                                  .dtype = dtypes[i / 6 % 3],
                                  .batch_norm = i / 18 % 2,
                                  .timm = i / 36,
                                  .width = 5,
                                  .side = 1 + i % 3,
                                  .seed = i};
        struct vgg_weights weights;
        struct maker maker;

        maker_make(&maker, &spec);
        read_made(&maker, &weights);
        check_plain(weights.net, &maker);
        for (size_t l = 0; l < weights.net->layers_n; l++) {
            assert_ptr_equal(weights.weights[l], weights.net->layers[l].packed);
            assert_ptr_equal(weights.biases[l], weights.net->layers[l].bias);
        }
        assert_string_equal(vgg_model_get_info(weights.model)->dtype, spec.dtype);
        assert_int_equal(vgg_model_get_info(weights.model)->batch_norm, spec.batch_norm);
        vgg_weights_fini(&weights);
        assert_null(weights.model);
        maker_free(&maker);
    }
}

static void metadata_comes_along(void **state)
{
    struct vgg_weights weights;
    struct maker maker;
    const char *id, *label;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.classes = 2});
    maker_meta(&maker, "vgg.labels", "[\"glass\", [\"n1\", \"paper\"]]");
    maker_meta(&maker, "vgg.mean", "[0.1, 0.2, 0.3]");
    maker_meta(&maker, "vgg.std", "[0.4, 0.5, 0.6]");
    read_made(&maker, &weights);
    vgg_model_get_label(weights.model, 0, &id, &label);
    assert_null(id);
    assert_string_equal(label, "glass");
    vgg_model_get_label(weights.model, 1, &id, &label);
    assert_string_equal(id, "n1");
    assert_string_equal(label, "paper");
    assert_true(vgg_model_get_info(weights.model)->mean[1] == 0.2);
    assert_true(vgg_model_get_info(weights.model)->std[2] == 0.6);
    vgg_weights_fini(&weights);
    maker_free(&maker);
}

/* Refused as it is for serving, and nothing is left to free. */
static void bad_files(void **state)
{
    struct vgg_error error = {0};
    struct vgg_weights weights;
    struct maker maker;

    (void)state;
    (void)unlink(path);
    assert_int_equal(vgg_weights_read(path, &weights, &error), VGG_IO);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "No such file"));
    vgg_weights_fini(&weights);
    maker_make(&maker, &(struct maker_spec){0});
    maker.tensors[3].values[0] = (double)NAN;
    write_made(&maker);
    error = (struct vgg_error){0};
    assert_int_equal(vgg_weights_read(path, &weights, &error), VGG_BAD_MODEL);
    assert_non_null(strstr(error.text, "holds NaN"));
    assert_null(weights.model);
    vgg_weights_fini(&weights);
    maker_free(&maker);
}

static void without_memory(void **state)
{
    bool fired = fault_available();
    struct vgg_weights weights;
    struct maker maker;

    (void)state;
    if (!fired)
        skip();
    maker_make(&maker, &(struct maker_spec){.batch_norm = true});
    read_made(&maker, &weights); /* the C library keeps the stacks of the first threads */
    vgg_weights_fini(&weights);
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_weights_read(path, &weights, NULL);
        fired = fault_disarm();
        assert_true(status == VGG_OK || (status == VGG_NO_MEMORY && fired));
        vgg_weights_fini(&weights);
        assert_int_equal(fault_outstanding(), before);
    }
    maker_free(&maker);
}

static int start(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/model", mkdtemp(directory));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_kind_of_file),
        cmocka_unit_test(metadata_comes_along),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(without_memory),
    };

    unsetenv("VGG_KERNELS"); /* the best ones serve; what is read here does not depend on them */
    return cmocka_run_group_tests(tests, start, stop);
}
