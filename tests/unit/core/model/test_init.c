/* Untrained networks: what is written, and that nothing half-written is ever seen. */
#include "check.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "model/model.h"
#include "model_maker.h"

static char directory[] = "/tmp/vgg-init-XXXXXX";
static char path[sizeof directory + 32];

static const struct vgg_init_options small = {
    .arch = "A", .width = 2, .fc = 6, .classes = 5, .crop = 32, .seed = 7};

/* The whole file, malloc'ed. */
static char *read_file(size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static size_t files_in_directory(void)
{
    DIR *entries = opendir(directory);
    size_t n = 0;

    assert_non_null(entries);
    while (readdir(entries) != NULL)
        n++;
    closedir(entries);
    return n - 2;
}

static void init(const struct vgg_init_options *options)
{
    struct vgg_error error = {0};

    if (vgg_model_init_file(path, options, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

/* ---------------------------------------------------------------- contents ------------------- */

static void every_configuration_loads(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};

    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct vgg_init_options options = {archs[i], 1 + i, 4 + i, 2 + i, 32 + 32 * i, i};
        struct vgg_model *model;
        const struct vgg_model_info *info;
        char name[32];

        init(&options);
        assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
        info = vgg_model_get_info(model);
        snprintf(name, sizeof name, "untrained-%s-%u", archs[i], 1 + i);
        assert_string_equal(info->name, name);
        assert_string_equal(info->arch, archs[i]);
        assert_string_equal(info->dtype, "F32");
        assert_false(info->trained);
        assert_false(info->batch_norm);
        assert_int_equal(info->classes, 2 + i);
        assert_int_equal(info->crop, 32 + 32 * i);
        assert_int_equal(vgg_model_get_layer(model, 0).out, 1 + i);
        assert_int_equal(vgg_model_get_layer(model, vgg_model_layer_count(model) - 2).out, 4 + i);
        vgg_model_release(model);
    }
    assert_int_equal(files_in_directory(), 1);
}

/* Mean 0 and variance 2 / fan-in, within five standard errors; biases are zero. */
static void weights_are_he_normal(void **state)
{
    struct vgg_init_options options = {"D", 8, 200, 50, 64, 3};
    struct vgg_model *model;

    (void)state;
    init(&options);
    assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
    for (size_t i = 0; i < model->net.layers_n; i++) {
        const struct vgg_layer *layer = &model->net.layers[i];
        const float *weights = layer->packed;
        double n = (double)vgg_layer_weights(layer), variance = 2 * layer->conv.out / n;
        double sum = 0, squares = 0, fourths = 0;

        for (size_t w = 0; w < (size_t)n; w++) {
            double value = (double)weights[w];

            sum += value;
            squares += value * value;
            fourths += value * value * value * value;
        }
        assert_true(fabs(sum / n) < 5 * sqrt(variance / n));
        assert_true(fabs(squares / n - variance) < 5 * variance * sqrt(2 / n));
        /* The fourth moment of a normal is 3 (a uniform's is 1.8). */
        assert_true(fabs(fourths / n / (variance * variance) - 3) < 5 * sqrt(96 / n));
        for (size_t row = 0; row < layer->conv.out; row++)
            assert_true(layer->bias[row] == 0);
        if (i > 0)
            assert_memory_not_equal(weights, model->net.layers[i - 1].packed, 4 * sizeof *weights);
    }
    vgg_model_release(model);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct vgg_init_options other = small;
    size_t size, again_size;
    char *bytes, *again;

    (void)state;
    init(&small);
    bytes = read_file(&size);
    init(&small);
    again = read_file(&again_size);
    assert_int_equal(again_size, size);
    assert_memory_equal(again, bytes, size);
    free(again);
    other.seed++;
    init(&other);
    again = read_file(&again_size);
    /* The headers differ by a digit; compare the weights at the end. */
    assert_memory_not_equal(again + again_size - 400, bytes + size - 400, 300);
    free(again);
    free(bytes);
}

static void the_header_is_valid(void **state)
{
    size_t size, length = 0;
    char *bytes;

    (void)state;
    init(&small);
    bytes = read_file(&size);
    for (size_t i = 8; i-- > 0;)
        length = length << 8 | (unsigned char)bytes[i];
    assert_int_equal(length % 8, 0);
    assert_true(length < size - 8);
    assert_int_equal(bytes[8], '{');
    bytes[8 + length] = '\0';
    assert_non_null(strstr(bytes + 8, "\"vgg.arch\":\"A\""));
    assert_non_null(strstr(bytes + 8, "\"vgg.trained\":\"false\""));
    assert_non_null(strstr(bytes + 8, "\"vgg.seed\":\"7\""));
    assert_non_null(strstr(bytes + 8,
                           "\"features.0.weight\":{\"dtype\":\"F32\",\"shape\":[2,3,3,3],"
                           "\"data_offsets\":[0,216]}"));
    assert_non_null(strstr(bytes + 8, "\"classifier.6.bias\""));
    free(bytes);
}

static void zeros_take_defaults(void **state)
{
    struct vgg_init_options options = {.width = 1, .fc = 1};
    struct vgg_model *model;

    (void)state;
    init(&options);
    assert_int_equal(vgg_model_load(path, NULL, &model, NULL), VGG_OK);
    assert_string_equal(vgg_model_get_info(model)->arch, "D");
    assert_int_equal(vgg_model_get_info(model)->classes, 1000);
    assert_int_equal(vgg_model_get_info(model)->crop, 224);
    vgg_model_release(model);
}

/* ---------------------------------------------------------------- failures ------------------- */

static void bad_options(void **state)
{
    static const struct {
        struct vgg_init_options options;
        const char *text;
    } cases[] = {
        {{.arch = "F"}, "\"F\" is not A"},     {{.arch = ""}, "is not A"},
        {{.arch = "d"}, "\"d\" is not A"},     {{.crop = 33}, "multiple of 32"},
        {{.crop = 1056}, "at most 1024"},      {{.width = 65537}, "at most 65536"},
        {{.fc = UINT32_MAX}, "at most 65536"}, {{.classes = 1U << 31}, "at most 65536"},
    };

    (void)state;
    unlink(path);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};

        assert_int_equal(vgg_model_init_file(path, &cases[i].options, &error), VGG_BAD_ARGUMENT);
        assert_int_equal(error.status, VGG_BAD_ARGUMENT);
        assert_non_null(strstr(error.text, cases[i].text));
        assert_int_equal(files_in_directory(), 0);
    }
}

static void unwritable_places(void **state)
{
    char places[5][sizeof path + 16];
    struct stat before, after;

    (void)state;
    maker_write(path, "old", 3);
    snprintf(places[0], sizeof places[0], "%s", directory);
    snprintf(places[1], sizeof places[1], "%s/missing/x", directory);
    snprintf(places[2], sizeof places[2], "%s/below", path);
    snprintf(places[3], sizeof places[3], "/dev/null");
    snprintf(places[4], sizeof places[4], "/proc/self/x");
    assert_int_equal(stat("/dev/null", &before), 0);
    for (size_t i = 0; i < 5; i++) {
        struct vgg_error error = {0};

        assert_int_equal(vgg_model_init_file(places[i], &small, &error), VGG_IO);
        assert_int_equal(error.status, VGG_IO);
        assert_non_null(strstr(error.text, places[i]));
        assert_int_equal(files_in_directory(), 1);
    }
    assert_int_equal(stat("/dev/null", &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
}

static void check_old_file(void)
{
    size_t size;
    char *bytes = read_file(&size);

    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "old", 3);
    free(bytes);
    assert_int_equal(files_in_directory(), 1);
}

/* A file that may not grow any further is as good as a full disk. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rlimit unlimited, limit;
    size_t size;

    (void)state;
    init(&small);
    free(read_file(&size));
    maker_write(path, "old", 3);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    for (size_t bytes = 0; bytes < size; bytes += size / 13) {
        struct vgg_error error = {0};
        enum vgg_status status;

        limit = unlimited;
        limit.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        status = vgg_model_init_file(path, &small, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
        assert_int_equal(status, VGG_IO);
        assert_non_null(strstr(error.text, "File too large"));
        check_old_file();
    }
    /* Just enough. */
    limit = unlimited;
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(vgg_model_init_file(path, &small, NULL), VGG_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
}

/* Who has the old file open keeps reading it; the name leads to the new one. */
static void an_old_file_is_replaced_at_once(void **state)
{
    char buffer[4] = "";
    FILE *old;

    (void)state;
    maker_write(path, "old", 3);
    old = fopen(path, "rb");
    assert_non_null(old);
    init(&small);
    assert_int_equal(fread(buffer, 1, 4, old), 3);
    assert_string_equal(buffer, "old");
    fclose(old);
    assert_int_equal(files_in_directory(), 1);
}

/* Either the whole right file, or NO_MEMORY and the old one. */
static void writing_without_memory(void **state)
{
    bool fired = fault_available();
    char *whole, *bytes;
    size_t whole_size, size;

    (void)state;
    if (!fired)
        skip();
    init(&small);
    whole = read_file(&whole_size);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        enum vgg_status status;
        long before;

        maker_write(path, "old", 3);
        before = fault_outstanding();
        fault_arm(n);
        status = vgg_model_init_file(path, &small, &error);
        fired = fault_disarm();
        assert_int_equal(fault_outstanding(), before);
        if (status == VGG_OK) {
            bytes = read_file(&size);
            if (size != whole_size || memcmp(bytes, whole, size) != 0)
                fail_msg("allocation %lu: another file", n);
            free(bytes);
        } else {
            assert_int_equal(status, VGG_NO_MEMORY);
            check_old_file();
        }
    }
    free(whole);
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
        cmocka_unit_test(every_configuration_loads),
        cmocka_unit_test(weights_are_he_normal),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(the_header_is_valid),
        cmocka_unit_test(zeros_take_defaults),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(unwritable_places),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(an_old_file_is_replaced_at_once),
        cmocka_unit_test(writing_without_memory),
    };

    setenv("VGG_KERNELS", "portable", 1); /* whose packed weights are the plain ones */
    return cmocka_run_group_tests(tests, start, stop);
}
