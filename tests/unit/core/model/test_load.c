/* What a file holds arrives in the packed weights, and what is wrong with a file is said. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "blas/gemm.h"
#include "core/model/plain.h"
#include "damage.h"
#include "fault.h"
#include "model/load.h"
#include "model_maker.h"

static struct vgg_load_options load_options = {.threads = 2};

static enum vgg_status load_for(const struct vgg_kernels *kernels, const void *bytes, size_t size,
                                struct vgg_loaded *loaded, struct vgg_error *error)
{
    struct vgg_source source = {.fd = -1, .bytes = bytes, .size = size};

    return vgg_load(&source, kernels, 0, &load_options, loaded, error);
}

static enum vgg_status load_bytes(const void *bytes, size_t size, struct vgg_loaded *loaded,
                                  struct vgg_error *error)
{
    return load_for(&vgg_kernels_portable, bytes, size, loaded, error);
}

static void load_made(const struct maker *maker, struct vgg_loaded *loaded)
{
    struct vgg_error error = {0};
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);

    if (load_bytes(bytes, size, loaded, &error) != VGG_OK)
        fail_msg("%s", error.text);
    assert_int_equal(error.status, VGG_OK);
    assert_int_equal(loaded->file_bytes, size);
    free(bytes);
}

/* ---------------------------------------------------------------- values --------------------- */

static void check_loaded(const struct vgg_loaded *loaded, struct maker *maker)
{
    assert_int_equal(loaded->batch_norm, maker->spec.batch_norm);
    check_plain(&loaded->net, maker);
}

static void values_arrive(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};
    static const char *const dtypes[] = {"F32", "F16", "BF16"};

    (void)state;
    for (unsigned i = 0; i < 6 * 3 * 4; i++) {
        struct maker_spec spec = {.arch = archs[i % 6],
                                  .dtype = dtypes[i / 6 % 3],
                                  .batch_norm = i / 18 % 2,
                                  .timm = i / 36,
                                  .side = 1 + i % 3,
                                  .seed = i};
        struct vgg_loaded loaded;
        struct maker maker;

        maker_make(&maker, &spec);
        if (i % 2 == 1)
            maker_shuffle(&maker, i);
        load_made(&maker, &loaded);
        check_loaded(&loaded, &maker);
        vgg_loaded_fini(&loaded);
        assert_null(loaded.net.layers[0].packed);
        maker_free(&maker);
    }
}

/* Each tensor of another dtype than its neighbours. */
static void mixed_dtypes(void **state)
{
    static const char *const dtypes[] = {"F16", "F32", "BF16"};
    struct vgg_loaded loaded;
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "B", .batch_norm = true});
    for (size_t i = 0; i < maker.tensors_n; i++)
        if (strcmp(maker.tensors[i].dtype, "I64") != 0)
            maker_retype(&maker, maker.tensors[i].name, dtypes[i % 3]);
    load_made(&maker, &loaded);
    check_loaded(&loaded, &maker);
    vgg_loaded_fini(&loaded);
    maker_free(&maker);
}

/* Tensors of several chunks of 1 MiB, the last one short, and with rows longer than a chunk. */
static void large_tensors(void **state)
{
    static const unsigned widths[MAKER_CONVS_MAX] = {2, 2, 2, 2, 2, 2, 2, 257};
    static const struct maker_spec specs[] = {
        {.arch = "A", .width = 8, .fc1 = 2500, .side = 2},
        {.arch = "A", .width = 8, .fc1 = 2500, .side = 2, .dtype = "F16"},
        {.arch = "A", .widths = widths, .fc1 = 2, .side = 32},
        {.arch = "A", .width = 24, .batch_norm = true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct vgg_loaded loaded;
        struct maker maker;

        maker_make(&maker, &specs[i]);
        load_made(&maker, &loaded);
        check_loaded(&loaded, &maker);
        vgg_loaded_fini(&loaded);
        maker_free(&maker);
    }
}

static void the_whole_file_is_hashed(void **state)
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[2 * SHA256_DIGEST_SIZE + 1];
    struct vgg_loaded loaded;
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "C", .batch_norm = true});
    bytes = maker_bytes(&maker, &size);
    sha256_init(&sha);
    sha256_update(&sha, size, bytes);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    load_made(&maker, &loaded);
    assert_string_equal(loaded.sha256, hex);
    vgg_loaded_fini(&loaded);
    free(bytes);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- threads -------------------- */

/* Both nets of two loads hold the same bytes, packed by the best kernels of this machine. */
static void check_same(const struct vgg_net *a, const struct vgg_net *b)
{
    for (size_t i = 0; i < a->layers_n; i++) {
        const struct vgg_conv *conv = &a->layers[i].conv;

        assert_memory_equal(a->layers[i].packed, b->layers[i].packed,
                            a->kernels->weights_bytes(conv));
        assert_memory_equal(a->layers[i].bias, b->layers[i].bias, conv->out * sizeof(float));
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    const struct vgg_kernels *tables[2 * VGG_KERNELS_MAX];
    size_t tables_n = vgg_kernels_runnable(VGG_PRECISION_F32, tables), step = 1;

    tables_n += vgg_kernels_runnable(VGG_PRECISION_I8, tables + tables_n);
    (void)state;
#ifdef __SANITIZE_THREAD__
    tables_n = 1;
    step = 5; /* F32, and BF16 with the norm: ten seconds each */
#endif
    for (size_t i = 0; i < 2 * 3 * tables_n; i += step) {
        const struct vgg_kernels *kernels = tables[i / 6];
        struct vgg_loaded loaded[4];
        struct maker maker;
        struct vgg_source source = {.fd = -1};
        unsigned char *bytes;
        size_t size;

        maker_make(&maker, &(struct maker_spec){.arch = "C",
                                                .width = 19,
                                                .fc1 = 2101,
                                                .side = 3,
                                                .dtype = dtypes[i % 3],
                                                .batch_norm = i / 3 % 2 == 1});
        bytes = maker_bytes(&maker, &size);
        source.bytes = bytes;
        source.size = size;
        for (unsigned t = 0; t < 4; t++) {
            const struct vgg_load_options options = {
                .threads = 1 + t, .fc_half = i % 2 == 0 && kernels->precision == VGG_PRECISION_F32};

            assert_int_equal(vgg_load(&source, kernels, 0, &options, &loaded[t], NULL), VGG_OK);
            assert_string_equal(loaded[t].sha256, loaded[0].sha256);
            check_same(&loaded[0].net, &loaded[t].net);
        }
        for (unsigned t = 0; t < 4; t++)
            vgg_loaded_fini(&loaded[t]);
        free(bytes);
        maker_free(&maker);
    }
}

/* ---------------------------------------------------------------- damage --------------------- */

/* BAD_MODEL with `text` in its message, and nothing left behind. */
static void check_bad(const unsigned char *bytes, size_t size, const char *text)
{
    struct vgg_error error = {0};
    struct vgg_loaded loaded;
    long before = fault_outstanding();

    assert_int_equal(load_bytes(bytes, size, &loaded, &error), VGG_BAD_MODEL);
    assert_int_equal(error.status, VGG_BAD_MODEL);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
    assert_int_equal(fault_outstanding(), before);
    assert_int_equal(load_for(&vgg_kernels_portable_i8, bytes, size, &loaded, NULL), VGG_BAD_MODEL);
}

static void check_bad_maker(const struct maker *maker, const char *text)
{
    size_t size;
    unsigned char *bytes = maker_bytes(maker, &size);

    check_bad(bytes, size, text);
    free(bytes);
}

static void not_finite_anywhere(void **state)
{
    static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    static const char *const dtypes[] = {"F32", "F16", "BF16"};

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        struct maker maker;

        maker_make(&maker, &(struct maker_spec){.dtype = dtypes[i / 3], .batch_norm = true});
        for (size_t t = 0; t < maker.tensors_n; t++) {
            struct maker_tensor *tensor = &maker.tensors[t];
            size_t place = t % 3 == 0   ? 0
                           : t % 3 == 1 ? tensor->values_n - 1
                                        : tensor->values_n / 2;
            double before = tensor->values[place];
            char text[MAKER_NAME_BYTES + 16];

            if (strcmp(tensor->dtype, "I64") == 0)
                continue;
            tensor->values[place] = values[i % 3];
            snprintf(text, sizeof text, "tensor %.60s holds NaN", tensor->name);
            check_bad_maker(&maker, text);
            tensor->values[place] = before;
        }
        maker_free(&maker);
    }
}

/* Of several tensors that are wrong the first in the file is named. */
static void the_first_damage_is_named(void **state)
{
    (void)state;
    for (load_options.threads = 1; load_options.threads <= 3; load_options.threads++)
        for (unsigned seed = 0; seed < 20; seed++) {
            struct maker maker;
            size_t size, first;
            unsigned char *bytes;
            char text[MAKER_NAME_BYTES + 16];

            maker_make(&maker, &(struct maker_spec){.arch = "B"});
            maker_shuffle(&maker, seed);
            first = seed % maker.tensors_n;
            for (size_t t = first; t < maker.tensors_n; t++)
                maker.tensors[t].values[t % maker.tensors[t].values_n] = (double)NAN;
            snprintf(text, sizeof text, "tensor %.60s holds NaN", maker.tensors[first].name);
            bytes = maker_bytes(&maker, &size);
            check_bad(bytes, size, text);
            free(bytes);
            maker_free(&maker);
        }
    load_options.threads = 2;
}

static void batch_norm_that_does_not_fold(void **state)
{
    static const struct {
        const char *tensor;
        double value;
        bool fits;
    } cases[] = {
        {"features.5.running_var", -1e-6, false}, {"features.5.running_var", -2, false},
        {"features.5.running_var", 0, true},      {"features.5.weight", 3e38, false},
        {"features.5.weight", -3e38, false},      {"features.5.weight", 0, true},
        {"features.5.running_mean", 3e38, false}, {"features.5.bias", 1e38, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_loaded loaded;
        struct maker maker;

        maker_make(&maker, &(struct maker_spec){.arch = "A", .batch_norm = true, .seed = 4});
        if (strcmp(cases[i].tensor, "features.5.running_mean") == 0)
            maker_find(&maker, "features.5.weight")->values[1] = 100;
        if (strcmp(cases[i].tensor, "features.5.weight") == 0)
            maker_find(&maker, "features.5.running_var")->values[1] = 1e-6;
        maker_find(&maker, cases[i].tensor)->values[1] = (double)(float)cases[i].value;
        if (!cases[i].fits)
            check_bad_maker(&maker, "conv2_1: batch-norm of channel 1");
        else {
            load_made(&maker, &loaded);
            assert_true(isfinite(loaded.net.layers[1].bias[1]));
            vgg_loaded_fini(&loaded);
        }
        maker_free(&maker);
    }
}

static void damaged_offsets(void **state)
{
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A"});
    maker.tensors[5].begin -= 4;
    maker.tensors[5].end -= 4;
    check_bad_maker(&maker, "tensor features.6.bias: its data overlaps");
    maker_layout(&maker);
    for (size_t i = 7; i < maker.tensors_n; i++) {
        maker.tensors[i].begin += 4;
        maker.tensors[i].end += 4;
    }
    maker.tail_bytes = 4;
    check_bad_maker(&maker, "tensor features.8.bias: its data leaves a gap");
    maker_layout(&maker);
    check_bad_maker(&maker, "4 bytes after the last tensor");
    maker.tail_bytes = 0;
    maker.tensors[4].shape[0] = (uint64_t)1 << 60;
    check_bad_maker(&maker, "tensor features.6.weight: size 0 of its shape");
    maker.tensors[4].shape[0] = 8;
    maker.tensors[4].end = (uint64_t)1 << 62;
    check_bad_maker(&maker, "features.6.weight");
    maker_layout(&maker);
    maker_rename(&maker, "features.6.bias", "features.3.bias");
    check_bad_maker(&maker, "is there twice");
    maker_free(&maker);
}

static void damaged_headers(void **state)
{
    struct maker maker;
    unsigned char *bytes;
    char *json;
    size_t size, length;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A"});
    json = maker_json(&maker);
    length = strlen(json);
    free(json);
    bytes = maker_bytes(&maker, &size);
    for (uint64_t i = 0; i < 7; i++) {
        const struct {
            uint64_t length;
            const char *text;
        } lies[] = {{0, "not valid JSON"},
                    {length - 1, "not valid JSON"},
                    {length + 8, "not valid JSON"},
                    {size - 7, "truncated: a header"},
                    {16 << 20, "truncated: a header"},
                    {(16 << 20) + 1, "not a safetensors file"},
                    {UINT64_MAX, "not a safetensors file"}};

        for (unsigned b = 0; b < 8; b++)
            bytes[b] = (unsigned char)(lies[i].length >> 8 * b);
        check_bad(bytes, size, lies[i].text);
    }
    free(bytes);
    bytes = maker_frame("this is no JSON", "data", 4, &size);
    check_bad(bytes, size, "not valid JSON");
    free(bytes);
    check_bad((const unsigned char *)"", 0, "it is empty");
    for (size_t n = 1; n < 8; n++)
        check_bad((const unsigned char *)"\0\0\0\0\0\0\0", n, "no safetensors file");
    check_bad((const unsigned char *)"\x89PNG\r\n\x1a\n and more", 17, "not a safetensors file");
    maker_free(&maker);
}

/* Cut anywhere, a file is refused, and nothing past the cut is read. */
static void truncated_anywhere(void **state)
{
    struct damage damage;
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A", .batch_norm = true});
    bytes = maker_bytes(&maker, &size);
    damage = damage_of(bytes, size);
    while (damage_cut(&damage))
        if (damage.size < 20 || damage.size % 41 == 0 || damage.size + 20 > size)
            check_bad(damage.bytes, damage.size, "");
    free(bytes);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- giving up ------------------ */

struct patience {
    unsigned calls, last;
};

static bool wait_no_longer(void *user)
{
    struct patience *patience = user;

    return ++patience->calls != patience->last;
}

static enum vgg_status load_patiently(const void *bytes, size_t size, struct patience *patience,
                                      struct vgg_loaded *loaded, struct vgg_error *error)
{
    const struct vgg_load_options options = {
        .threads = 2, .on_chunk = wait_no_longer, .user = patience};
    struct vgg_source source = {.fd = -1, .bytes = bytes, .size = size};

    return vgg_load(&source, &vgg_kernels_portable, 0, &options, loaded, error);
}

/* Given up after each chunk in turn: nothing is left behind. */
static void given_up_anywhere(void **state)
{
    struct patience patient = {0, 0};
    struct vgg_loaded loaded;
    struct maker maker;
    size_t size;
    unsigned char *bytes;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.arch = "A", .batch_norm = true});
    bytes = maker_bytes(&maker, &size);
    assert_int_equal(load_patiently(bytes, size, &patient, &loaded, NULL), VGG_OK);
    vgg_loaded_fini(&loaded);
    assert_true(patient.calls > 1);
    for (unsigned i = 1; i <= patient.calls; i++) {
        struct patience patience = {0, i};
        struct vgg_error error = {0};
        long before = fault_outstanding();

        assert_int_equal(load_patiently(bytes, size, &patience, &loaded, &error), VGG_CANCELLED);
        assert_int_equal(error.status, VGG_CANCELLED);
        assert_int_equal(patience.calls, i);
        assert_null(loaded.net.layers[0].packed);
        assert_int_equal(fault_outstanding(), before);
    }
    free(bytes);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- no memory ------------------ */

static void loading_without_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    for (unsigned variant = 0; variant < 2; variant++) {
        bool fired = true;
        struct maker maker;
        size_t size;
        unsigned char *bytes;

        maker_make(&maker, &(struct maker_spec){.arch = "A", .batch_norm = variant == 1});
        maker_meta(&maker, "format", "pt");
        bytes = maker_bytes(&maker, &size);
        for (unsigned long n = 1; fired; n++) {
            long before = fault_outstanding();
            struct vgg_error error = {0};
            struct vgg_loaded loaded;
            enum vgg_status status;

            fault_arm(n);
            status = load_bytes(bytes, size, &loaded, &error);
            fired = fault_disarm();
            if (status != VGG_OK && status != VGG_NO_MEMORY)
                fail_msg("allocation %lu: status %d, \"%s\"", n, (int)status, error.text);
            assert_int_equal(error.status, status);
            if (status == VGG_OK)
                check_loaded(&loaded, &maker);
            else
                assert_true(fired);
            vgg_loaded_fini(&loaded);
            assert_int_equal(fault_outstanding(), before);
        }
        free(bytes);
        maker_free(&maker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(mixed_dtypes),
        cmocka_unit_test(large_tensors),
        cmocka_unit_test(the_whole_file_is_hashed),
        cmocka_unit_test(not_finite_anywhere),
        cmocka_unit_test(batch_norm_that_does_not_fold),
        cmocka_unit_test(damaged_offsets),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(the_first_damage_is_named),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(given_up_anywhere),
        cmocka_unit_test(loading_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
