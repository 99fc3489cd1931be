/* Written files: every value rounded as its dtype asks, or refused by name. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "model/convert.h"
#include "model/model.h"
#include "model/names.h"
#include "model/write.h"
#include "model_maker.h"

static char directory[] = "/tmp/vgg-write-XXXXXX";
static char path[sizeof directory + 32];

static const enum vgg_dtype dtypes[] = {VGG_DTYPE_F32, VGG_DTYPE_F16, VGG_DTYPE_BF16};

/* ---------------------------------------------------------------- one vector ----------------- */

static void fill_from(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    assert_int_equal(tensor, 0);
    memcpy(out, (const float *)user + first, n * sizeof *out);
}

static struct vgg_header header_of(struct vgg_tensor *tensor, enum vgg_dtype dtype, size_t n)
{
    *tensor = (struct vgg_tensor){(char *)"some.weight", dtype, 1, {n}, 0, 0};
    tensor->end = n * vgg_dtype_bytes(dtype);
    return (struct vgg_header){.tensors = tensor, .tensors_n = 1};
}

static enum vgg_status write_vector(enum vgg_dtype dtype, const float *values, size_t n,
                                    unsigned char **bytes, size_t *size, struct vgg_error *error)
{
    struct vgg_tensor tensor;
    struct vgg_header header = header_of(&tensor, dtype, n);

    return vgg_file_write_memory(&header, fill_from, (void *)values, bytes, size, error);
}

/* Each must become the nearest value of its dtype, in little-endian bytes. */
static void check_rounded(enum vgg_dtype dtype, const float *values, size_t n)
{
    size_t size, width = vgg_dtype_bytes(dtype);
    float *back = malloc(n * sizeof *back);
    unsigned char *bytes, *data;

    assert_int_equal(write_vector(dtype, values, n, &bytes, &size, NULL), VGG_OK);
    data = bytes + size - n * width;
    assert_int_equal((data - bytes) % 8, 0);
    assert_true(vgg_floats_convert(dtype, data, n, back)); /* test_convert.c has checked it */
    for (size_t i = 0; i < n; i++) {
        double expected = maker_round(vgg_dtype_name(dtype), (double)values[i]);

        if ((double)back[i] != expected || signbit(back[i]) != signbit(values[i]))
            fail_msg("%s of %a: %a instead of %a", vgg_dtype_name(dtype), (double)values[i],
                     (double)back[i], expected);
    }
    free(back);
    free(bytes);
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every value of a short dtype, the ties between neighbours, and both sides of each tie. */
static void check_all(enum vgg_dtype dtype)
{
    float *values = malloc(65536 * 4 * sizeof *values), largest = 0;
    size_t n = 0;

    for (uint32_t half = 0; half < 65536; half++) {
        const unsigned char pair[2][2] = {
            {(unsigned char)half, (unsigned char)(half >> 8)},
            {(unsigned char)(half + 1), (unsigned char)((half + 1) >> 8)}};
        float value, next, tie;

        if (!vgg_floats_convert(dtype, pair[0], 1, &value))
            continue;
        values[n++] = value;
        largest = value > largest ? value : largest;
        if (half % 0x8000 == 0x7FFF || !vgg_floats_convert(dtype, pair[1], 1, &next))
            continue;
        tie = (float)(((double)value + (double)next) / 2);
        if (tie == value || tie == next) /* finer than float: BF16's subnormals */
            continue;
        values[n++] = tie;
        values[n++] = nextafterf(tie, value);
        values[n++] = nextafterf(tie, next);
    }
    assert_true(n > 4 * 60000);
    assert_true(largest == (dtype == VGG_DTYPE_F16 ? 65504 : float_of(0x7F7F0000)));
    check_rounded(dtype, values, n);
    free(values);
}

static void every_f16_and_tie(void **state)
{
    (void)state;
    check_all(VGG_DTYPE_F16);
}

static void every_bf16_and_tie(void **state)
{
    (void)state;
    check_all(VGG_DTYPE_BF16);
}

static void values_of_all_sizes(void **state)
{
    enum { N = 100000 };
    float *values = malloc(N * sizeof *values);
    uint64_t seed = 5;

    (void)state;
    for (size_t i = 0; i < N; i++)
        values[i] = (float)ldexp(2 * maker_random(&seed) - 1, (int)(maker_random(&seed) * 44) - 28);
    for (size_t d = 0; d < 3; d++)
        check_rounded(dtypes[d], values, N);
    free(values);
}

/* Bit for bit, whatever finite number it is. */
static void f32_is_kept(void **state)
{
    const float values[] = {0.0F, -0.0F, 1.0F, -FLT_MAX, FLT_MIN, 0x1p-149F, -0x1.8p-140F};
    static const unsigned char expected[] = {0,    0,    0,    0,    0,    0,    0, 0x80, 0,    0,
                                             0x80, 0x3F, 0xFF, 0xFF, 0x7F, 0xFF, 0, 0,    0x80, 0,
                                             1,    0,    0,    0,    0,    3,    0, 0x80};
    unsigned char *bytes;
    size_t size;

    (void)state;
    assert_int_equal(write_vector(VGG_DTYPE_F32, values, 7, &bytes, &size, NULL), VGG_OK);
    assert_memory_equal(bytes + size - sizeof expected, expected, sizeof expected);
    free(bytes);
}

static void values_that_do_not_fit(void **state)
{
    static const struct {
        enum vgg_dtype dtype;
        float value;
        const char *text; /* NULL: it fits */
    } cases[] = {
        {VGG_DTYPE_F16, 65504, NULL},
        {VGG_DTYPE_F16, 0x1.ffdffep15F, NULL}, /* just below halfway to 65536 */
        {VGG_DTYPE_F16, 65520, "tensor some.weight holds 65520, too large for F16"},
        {VGG_DTYPE_F16, -1e30F, "tensor some.weight holds -1e+30, too large for F16"},
        {VGG_DTYPE_BF16, 0x1.fep127F, NULL},
        {VGG_DTYPE_BF16, FLT_MAX, "tensor some.weight holds 3.40282e+38, too large for BF16"},
        {VGG_DTYPE_F32, FLT_MAX, NULL},
        {VGG_DTYPE_F32, NAN, "tensor some.weight holds NaN or infinite values"},
        {VGG_DTYPE_F32, -INFINITY, "tensor some.weight holds NaN or infinite values"},
        {VGG_DTYPE_F16, NAN, "tensor some.weight holds NaN or infinite values"},
        {VGG_DTYPE_F16, INFINITY, "tensor some.weight holds NaN or infinite values"},
        {VGG_DTYPE_BF16, -NAN, "tensor some.weight holds NaN or infinite values"},
        {VGG_DTYPE_BF16, INFINITY, "tensor some.weight holds NaN or infinite values"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        float values[5] = {1, 2, 3, 4, 5};
        struct vgg_error error = {0};
        unsigned char *bytes = NULL;
        enum vgg_status status;
        size_t size;

        values[i % 5] = cases[i].value;
        status = write_vector(cases[i].dtype, values, 5, &bytes, &size, &error);
        assert_int_equal(status, cases[i].text == NULL ? VGG_OK : VGG_BAD_MODEL);
        assert_string_equal(error.text, cases[i].text == NULL ? "" : cases[i].text);
        assert_int_equal(bytes != NULL, status == VGG_OK);
        free(bytes);
    }
}

/* ---------------------------------------------------------------- whole networks ------------- */

/* A value that its place alone decides, exact in every dtype; and what comes next. */
struct sequence {
    const struct vgg_header *header;
    size_t tensor;
    uint64_t next;
};

static float value_at(size_t tensor, uint64_t index)
{
    return (float)((int)((tensor * 37 + index * 11) % 255) - 127) / 64;
}

static void fill_in_sequence(void *user, size_t tensor, uint64_t first, size_t n, float *out)
{
    struct sequence *sequence = user;
    const struct vgg_tensor *now = &sequence->header->tensors[sequence->tensor];

    if (sequence->next == (now->end - now->begin) / vgg_dtype_bytes(now->dtype)) {
        sequence->tensor++;
        sequence->next = 0;
    }
    assert_int_equal(tensor, sequence->tensor);
    assert_int_equal(first, sequence->next);
    assert_true(n > 0);
    sequence->next += n;
    for (size_t i = 0; i < n; i++)
        out[i] = value_at(tensor, first + i);
}

static void plan(struct vgg_plan *out, enum vgg_dtype dtype)
{
    const struct vgg_arch *arch = vgg_arch_find("B");
    /* The first FC layer is of several pieces, the last of them short. */
    struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 8, 1500, 5, 128);
    struct vgg_net net;

    vgg_net_describe(&net, arch, &vgg_kernels_portable, &sizes);
    vgg_names_plan(&net, dtype, out);
}

static void networks_load_again(void **state)
{
    (void)state;
    for (size_t d = 0; d < 3; d++) {
        struct sequence sequence = {0};
        struct vgg_model *model;
        unsigned char *bytes;
        struct vgg_plan made;
        size_t size, index = 0;

        plan(&made, dtypes[d]);
        sequence.header = &made.header;
        assert_int_equal(
            vgg_file_write_memory(&made.header, fill_in_sequence, &sequence, &bytes, &size, NULL),
            VGG_OK);
        assert_int_equal(sequence.tensor, made.header.tensors_n - 1);
        sequence = (struct sequence){.header = &made.header};
        assert_int_equal(vgg_file_write(path, &made.header, fill_in_sequence, &sequence, NULL),
                         VGG_OK);
        assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
        assert_int_equal(vgg_model_get_info(model)->file_bytes, size);
        assert_string_equal(vgg_model_get_info(model)->dtype, vgg_dtype_name(dtypes[d]));
        assert_true(vgg_model_get_info(model)->trained);
        for (size_t l = 0; l < model->net.layers_n; l++) {
            const struct vgg_layer *layer = &model->net.layers[l];
            const float *weights = layer->packed;

            for (size_t i = 0; i < vgg_layer_weights(layer); i++)
                assert_true(weights[i] == value_at(index, i));
            index++;
            for (size_t i = 0; i < layer->conv.out; i++)
                assert_true(layer->bias[i] == value_at(index, i));
            index++;
        }
        vgg_model_release(model);
        /* The same bytes. */
        assert_int_equal(vgg_model_load_memory(bytes, size, "memory", NULL, &model, NULL), VGG_OK);
        vgg_model_release(model);
        free(bytes);
    }
}

static void metadata_is_escaped_or_refused(void **state)
{
    static const char *const good[] = {"", "\"quoted\" \\ back\n\t", "gr\xC3\xBC\xC3\x9F",
                                       "\xE2\x82\xAC \xF0\x9F\x98\x80"};
    static const char *const bad[] = {"\xFC",         "a\xC3",    "\xE2\x82",
                                      "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"};
    const float values[2] = {1, 2};
    struct vgg_metadata metadata = {(char *)"vgg.labels", NULL};
    struct vgg_tensor tensor;
    struct vgg_header header = header_of(&tensor, VGG_DTYPE_F32, 2), back;

    (void)state;
    header.metadata = &metadata;
    header.metadata_n = 1;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        unsigned char *bytes;
        size_t size;

        metadata.value = (char *)good[i];
        assert_int_equal(
            vgg_file_write_memory(&header, fill_from, (void *)values, &bytes, &size, NULL), VGG_OK);
        assert_int_equal(vgg_header_parse((char *)bytes + 8, size - 16, 8, &back, NULL), VGG_OK);
        assert_string_equal(vgg_header_get(&back, "vgg.labels"), good[i]);
        vgg_header_fini(&back);
        free(bytes);
    }
    maker_write(path, "old", 3);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct vgg_error error = {0};

        metadata.value = (char *)bad[i];
        assert_int_equal(vgg_file_write(path, &header, fill_from, (void *)values, &error),
                         VGG_BAD_MODEL);
        assert_non_null(strstr(error.text, path));
        assert_non_null(strstr(error.text, ": vgg.labels is not UTF-8"));
    }
}

static void an_error_leaves_the_old_file(void **state)
{
    const float values[2] = {1, 1e6F};
    struct vgg_error error = {0};
    struct vgg_tensor tensor;
    struct vgg_header header = header_of(&tensor, VGG_DTYPE_F16, 2);
    char text[sizeof path + 100], old[4] = "";
    FILE *file;

    (void)state;
    maker_write(path, "old", 3);
    assert_int_equal(vgg_file_write(path, &header, fill_from, (void *)values, &error),
                     VGG_BAD_MODEL);
    snprintf(text, sizeof text, "%s: tensor some.weight holds 1e+06, too large for F16", path);
    assert_string_equal(error.text, text);
    file = fopen(path, "rb");
    assert_int_equal(fread(old, 1, 4, file), 3);
    assert_string_equal(old, "old");
    fclose(file);
}

static void into_memory_without_memory(void **state)
{
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        const float values[3] = {1, 2, 3};
        unsigned char *bytes = NULL;
        enum vgg_status status;
        size_t size;

        fault_arm(n);
        status = write_vector(VGG_DTYPE_BF16, values, 3, &bytes, &size, NULL);
        fired = fault_disarm();
        assert_true(status == VGG_OK || (status == VGG_NO_MEMORY && fired && bytes == NULL));
        free(bytes);
        assert_int_equal(fault_outstanding(), before);
    }
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
        cmocka_unit_test(every_f16_and_tie),
        cmocka_unit_test(every_bf16_and_tie),
        cmocka_unit_test(values_of_all_sizes),
        cmocka_unit_test(f32_is_kept),
        cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(networks_load_again),
        cmocka_unit_test(metadata_is_escaped_or_refused),
        cmocka_unit_test(an_error_leaves_the_old_file),
        cmocka_unit_test(into_memory_without_memory),
    };

    setenv("VGG_KERNELS", "portable", 1); /* whose packed weights are the plain ones */
    return cmocka_run_group_tests(tests, start, stop);
}
