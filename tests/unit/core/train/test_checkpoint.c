/* Checkpoints: back to the bit, or refused in one line that names the file. */
#include "check.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "damage.h"
#include "fault.h"
#include "model_maker.h"
#include "train/checkpoint.h"
#include "train/state.h"

static char directory[] = "/tmp/vgg-checkpoint-XXXXXX";
static char path[sizeof directory + 32];

/* A small state: three arrays and what belongs to them. */
static float weights[3], moments[5], state_values[1];
static const struct vgg_named_floats small[] = {
    {"conv1_1.weight", weights, 3}, {"conv1_1.moment", moments, 5}, {"state", state_values, 1}};
static const struct vgg_metadata small_metadata[] = {
    {(char *)"vgg.arch", (char *)"D"},
    {(char *)"train.epoch", (char *)"7"},
    {(char *)"vgg.labels", (char *)"[\"gr\xC3\xBCn\", \"a\\\\b\"]\n"},
    {(char *)"empty", (char *)""}};

enum { ARRAYS = 3, STRINGS = 4 };

static void set_small(void)
{
    static const float first[] = {1.5F, -0.0F, FLT_MAX};
    static const float second[] = {0x1p-149F, -0x1.8p-130F, 3, 4, 5};

    memcpy(weights, first, sizeof first);
    memcpy(moments, second, sizeof second);
    state_values[0] = -FLT_MIN;
}

static enum vgg_status write_small(struct vgg_error *error)
{
    set_small();
    return vgg_checkpoint_write(path, small, ARRAYS, small_metadata, STRINGS, error);
}

static unsigned char *read_file(size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);

    assert_non_null(file);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static size_t open_files(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* Opening fails with a line that names the file and has `text` in it; nothing stays open. */
static void check_refused(enum vgg_status status, const char *text)
{
    struct vgg_checkpoint checkpoint;
    struct vgg_error error = {0};
    long before = fault_outstanding();
    size_t files = open_files();
    char start[sizeof path + 16];

    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, &error), status);
    assert_int_equal(error.status, status);
    snprintf(start, sizeof start, "checkpoint %s: ", path);
    assert_memory_equal(error.text, start, strlen(start));
    assert_null(strchr(error.text, '\n'));
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.text, text);
    vgg_checkpoint_close(&checkpoint);
    assert_int_equal(fault_outstanding(), before);
    assert_int_equal(open_files(), files);
}

/* ---------------------------------------------------------------- round trips ---------------- */

static void the_same_bits(void **state)
{
    float got_weights[3], got_moments[5], got_state[1];
    const struct vgg_named_floats arrays[] = {/* in another order */
                                              {"state", got_state, 1},
                                              {"conv1_1.weight", got_weights, 3},
                                              {"conv1_1.moment", got_moments, 5}};
    struct vgg_checkpoint checkpoint;
    size_t files = open_files();

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    for (size_t i = 0; i < STRINGS; i++)
        assert_string_equal(vgg_checkpoint_get(&checkpoint, small_metadata[i].key),
                            small_metadata[i].value);
    assert_null(vgg_checkpoint_get(&checkpoint, "vgg.arc"));
    for (unsigned twice = 0; twice < 2; twice++) {
        memset(got_weights, 0xFF, sizeof got_weights);
        memset(got_moments, 0xFF, sizeof got_moments);
        assert_int_equal(vgg_checkpoint_read(&checkpoint, arrays, ARRAYS, NULL), VGG_OK);
        assert_memory_equal(got_weights, weights, sizeof weights);
        assert_memory_equal(got_moments, moments, sizeof moments);
        assert_memory_equal(got_state, state_values, sizeof state_values);
    }
    vgg_checkpoint_close(&checkpoint);
    vgg_checkpoint_close(&checkpoint);
    assert_int_equal(open_files(), files);
}

/* As many arrays as configuration E can have, one of them of several pieces of any buffer. */
static void many_and_large_arrays(void **state)
{
    enum { MANY = 19 * 12, LARGE = (1 << 19) + 4097, SMALL = 33 };
    static char names[MANY][40];
    static struct vgg_named_floats arrays[MANY];
    struct vgg_checkpoint checkpoint;
    uint64_t seed = 3;
    float *copies[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "conv%zu.array%zu", i / 12, i % 12);
        arrays[i] = (struct vgg_named_floats){names[i], NULL, i == 100 ? LARGE : 1 + i % SMALL};
        arrays[i].values = malloc(arrays[i].n * sizeof(float));
        copies[i] = malloc(arrays[i].n * sizeof(float));
        for (uint64_t j = 0; j < arrays[i].n; j++)
            copies[i][j] = (float)(maker_random(&seed) - 0.5);
        memcpy(arrays[i].values, copies[i], arrays[i].n * sizeof(float));
    }
    assert_int_equal(vgg_checkpoint_write(path, arrays, MANY, NULL, 0, NULL), VGG_OK);
    for (size_t i = 0; i < MANY; i++)
        memset(arrays[i].values, 0, arrays[i].n * sizeof(float));
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_read(&checkpoint, arrays, MANY, NULL), VGG_OK);
    for (size_t i = 0; i < MANY; i++) {
        assert_memory_equal(arrays[i].values, copies[i], arrays[i].n * sizeof(float));
        free(arrays[i].values);
        free(copies[i]);
    }
    vgg_checkpoint_close(&checkpoint);
}

/* ---------------------------------------------------------------- other arrays --------------- */

static void arrays_of_another_network(void **state)
{
    float a[3] = {7, 7, 7}, b[6] = {7, 7, 7, 7, 7, 7}, c[1] = {7};
    const struct {
        struct vgg_named_floats arrays[4];
        size_t n;
        const char *text;
    } cases[] = {
        {{{"conv1_1.weight", a, 2}, {"conv1_1.moment", b, 5}, {"state", c, 1}},
         3,
         ": array conv1_1.weight has 3 values, not 2"},
        {{{"conv1_1.weight", a, 3}, {"conv1_1.moment", b, 6}, {"state", c, 1}},
         3,
         ": array conv1_1.moment has 5 values, not 6"},
        {{{"conv1_1.weight", a, 3}, {"conv1_2.moment", b, 5}, {"state", c, 1}},
         3,
         ": array conv1_2.moment is missing"},
        {{{"conv1_1.weight", a, 3}, {"conv1_1.moment", b, 5}, {"state", c, 1}, {"stat", a, 1}},
         4,
         ": array stat is missing"},
        {{{"conv1_1.weight", a, 3}, {"state", c, 1}},
         2,
         ": array conv1_1.moment (5 values) is one too many"},
        {{{0}}, 0, ": array conv1_1.weight (3 values) is one too many"},
    };
    struct vgg_checkpoint checkpoint;

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_error error = {0};

        assert_int_equal(vgg_checkpoint_read(&checkpoint, cases[i].arrays, cases[i].n, &error),
                         VGG_BAD_MODEL);
        assert_non_null(strstr(error.text, path));
        if (strstr(error.text, cases[i].text) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", error.text, cases[i].text);
        for (size_t v = 0; v < 3; v++) /* nothing has been read */
            assert_true(a[v] == 7 && b[v] == 7 && c[0] == 7);
    }
    vgg_checkpoint_close(&checkpoint);
}

/* ---------------------------------------------------------------- other files ---------------- */

static void no_checkpoints(void **state)
{
    static const struct vgg_init_options options = {
        .arch = "A", .width = 1, .fc = 1, .classes = 1, .crop = 32};
    static const char *const version =
        "{\"__metadata__\":{\"vgg.checkpoint\":\"2\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char *const half =
        "{\"__metadata__\":{\"vgg.checkpoint\":\"1\"},"
        "\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    unsigned char *bytes;
    size_t size;

    (void)state;
    (void)unlink(path);
    check_refused(VGG_IO, ": No such file or directory");
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused(VGG_IO, ": it is a directory");
    assert_int_equal(rmdir(path), 0);
    maker_write(path, "", 0);
    check_refused(VGG_BAD_MODEL, ": it is empty");
    maker_write(path, "GIF89a and so on", 16);
    check_refused(VGG_BAD_MODEL, "not a safetensors file");
    assert_int_equal(vgg_model_init_file(path, &options, NULL), VGG_OK);
    check_refused(VGG_BAD_MODEL, ": it is not a checkpoint of vgg train");
    bytes = maker_frame(version, "\0\0\0\0", 4, &size);
    maker_write(path, bytes, size);
    free(bytes);
    check_refused(VGG_BAD_MODEL, ": it is of version \"2\", not 1");
    bytes = maker_frame(half, "\0\0\0\0", 4, &size);
    maker_write(path, bytes, size);
    free(bytes);
    check_refused(VGG_BAD_MODEL, ": array a is not a vector of F32");
}

/* In the place of what the file holds. */
static void put(int fd, const struct damage *damage)
{
    assert_int_equal(ftruncate(fd, (off_t)damage->size), 0);
    assert_int_equal(pwrite(fd, damage->bytes, damage->size, 0), damage->size);
}

static void truncated_anywhere(void **state)
{
    struct damage damage;
    unsigned char *bytes;
    size_t size;
    int fd;

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    bytes = read_file(&size);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    damage = damage_of(bytes, size);
    while (damage_cut(&damage)) {
        put(fd, &damage);
        check_refused(VGG_BAD_MODEL, damage.size == 0  ? "it is empty"
                                     : damage.size < 8 ? "no safetensors"
                                                       : "truncated: ");
    }
    close(fd);
    maker_write(path, bytes, size + 1);
    check_refused(VGG_BAD_MODEL, "1 bytes after the last tensor");
    free(bytes);
}

/* Any bit of any byte. */
static void flipped_anywhere(void **state)
{
    struct vgg_checkpoint checkpoint;
    struct damage damage;
    unsigned char *bytes;
    size_t size;
    int fd;

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    bytes = read_file(&size);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    damage = damage_of(bytes, size);
    while (damage_bit(&damage)) {
        put(fd, &damage);
        if (vgg_checkpoint_open(path, &checkpoint, NULL) != VGG_BAD_MODEL)
            fail_msg("byte %zu as %u", damage.at, damage.bytes[damage.at]);
    }
    close(fd);
    bytes[size - 1] ^= 1;
    maker_write(path, bytes, size);
    check_refused(VGG_BAD_MODEL, ": it is damaged: its checksum is another");
    bytes[size - 1] ^= 1;
    maker_write(path, bytes, size);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    vgg_checkpoint_close(&checkpoint);
    free(bytes);
}

/* A file of one array `a` of one value, with the right checksum, which is made here by itself. */
static void write_signed(uint32_t value)
{
    static const char says[] = "2\0vgg.checkpoint\0" /* 1 */
                               "1\0a\0"              /* the end of its data */
                               "4";
    const uint8_t data[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[2 * SHA256_DIGEST_SIZE + 1], json[400];
    struct sha256_ctx sha;
    unsigned char *bytes;
    size_t size;

    sha256_init(&sha);
    sha256_update(&sha, sizeof says, (const uint8_t *)says);
    sha256_update(&sha, sizeof data, data);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(json, sizeof json,
             "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
             "\"__metadata__\":{\"vgg.sha256\":\"%s\",\"vgg.checkpoint\":\"1\"}}",
             hex);
    bytes = maker_frame(json, data, sizeof data, &size);
    maker_write(path, bytes, size);
    free(bytes);
}

static void values_that_are_not_finite(void **state)
{
    static const uint32_t bad[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001};
    float value = 0;
    const struct vgg_named_floats array = {"a", &value, 1};
    struct vgg_checkpoint checkpoint;
    struct vgg_error error = {0};

    (void)state;
    write_signed(0x40490FDB);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_read(&checkpoint, &array, 1, NULL), VGG_OK);
    assert_true(value == 0x1.921fb6p+1F);
    vgg_checkpoint_close(&checkpoint);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_signed(bad[i]);
        error = (struct vgg_error){0};
        assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
        assert_int_equal(vgg_checkpoint_read(&checkpoint, &array, 1, &error), VGG_BAD_MODEL);
        assert_non_null(strstr(error.text, ": array a holds NaN or infinite values"));
        vgg_checkpoint_close(&checkpoint);
    }
    /* And none is written over a good one. */
    assert_int_equal(write_small(NULL), VGG_OK);
    value = NAN;
    error = (struct vgg_error){0};
    assert_int_equal(vgg_checkpoint_write(path, &array, 1, NULL, 0, &error), VGG_BAD_MODEL);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, ": tensor a holds NaN"));
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    vgg_checkpoint_close(&checkpoint);
}

/* Whoever has it open keeps reading the one that was opened. */
static void replaced_while_open(void **state)
{
    struct vgg_checkpoint checkpoint;
    float other = 1;
    const struct vgg_named_floats array = {"a", &other, 1};
    unsigned char *bytes;
    struct vgg_error error = {0};
    size_t size;

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    bytes = read_file(&size);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_write(path, &array, 1, NULL, 0, NULL), VGG_OK);
    memset(moments, 0, sizeof moments);
    assert_int_equal(vgg_checkpoint_read(&checkpoint, small, ARRAYS, NULL), VGG_OK);
    assert_true(moments[4] == 5);
    vgg_checkpoint_close(&checkpoint);
    /* But one that is cut short under its reader is an error. */
    maker_write(path, bytes, size);
    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    assert_int_equal(truncate(path, (off_t)size - 4), 0);
    assert_int_equal(vgg_checkpoint_read(&checkpoint, small, ARRAYS, &error), VGG_IO);
    assert_non_null(strstr(error.text, ": it was truncated while it was read"));
    vgg_checkpoint_close(&checkpoint);
    free(bytes);
}

/* ---------------------------------------------------------------- failures ------------------- */

static void check_still_small(void)
{
    struct vgg_checkpoint checkpoint;

    assert_int_equal(vgg_checkpoint_open(path, &checkpoint, NULL), VGG_OK);
    assert_int_equal(vgg_checkpoint_read(&checkpoint, small, ARRAYS, NULL), VGG_OK);
    vgg_checkpoint_close(&checkpoint);
}

/* A file that may not grow any further is as good as a full disk. */
static void a_full_disk_leaves_the_old_one(void **state)
{
    enum { LARGE = 1000 };
    static float values[LARGE];
    const struct vgg_named_floats array = {"a", values, LARGE};
    struct rlimit unlimited, limit;

    (void)state;
    assert_int_equal(write_small(NULL), VGG_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    for (rlim_t bytes = 0; bytes < LARGE * sizeof(float); bytes += 97) {
        struct vgg_error error = {0};
        enum vgg_status status;

        limit = unlimited;
        limit.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        status = vgg_checkpoint_write(path, &array, 1, NULL, 0, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
        assert_int_equal(status, VGG_IO);
        assert_non_null(strstr(error.text, path));
        assert_non_null(strstr(error.text, ": cannot write it: File too large"));
        check_still_small();
    }
    (void)signal(SIGXFSZ, SIG_DFL);
}

static void writing_without_memory(void **state)
{
    bool fired = fault_available();
    float value = 1;
    const struct vgg_named_floats array = {"a", &value, 1};

    (void)state;
    if (!fired)
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        enum vgg_status status;
        long before;

        assert_int_equal(write_small(NULL), VGG_OK);
        before = fault_outstanding();
        fault_arm(n);
        status = vgg_checkpoint_write(path, &array, 1, small_metadata, STRINGS, &error);
        fired = fault_disarm();
        assert_int_equal(fault_outstanding(), before);
        assert_true(status == VGG_OK || (status == VGG_NO_MEMORY && fired));
        if (status != VGG_OK) {
            assert_non_null(strstr(error.text, path));
            check_still_small();
        }
    }
}

static void opening_without_memory(void **state)
{
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    assert_int_equal(write_small(NULL), VGG_OK);
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        struct vgg_checkpoint checkpoint;
        size_t files = open_files();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_checkpoint_open(path, &checkpoint, NULL);
        fired = fault_disarm();
        assert_true(status == VGG_OK || (status == VGG_NO_MEMORY && fired));
        vgg_checkpoint_close(&checkpoint);
        assert_int_equal(fault_outstanding(), before);
        assert_int_equal(open_files(), files);
    }
}

static int start(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/checkpoint", mkdtemp(directory));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* Stopped before an epoch was judged: an older file says 0 of the best error, which none betters.
 */
static void states_of_the_first_epoch(void **state)
{
    static const double errors[] = {-1, 0, 0.25};
    struct vgg_network network = {.parameters_n = 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct vgg_train_state saved = {.step = 3, .best_error = errors[i]}, restored = {0};

        if (errors[i] > 0)
            assert_int_equal(vgg_train_state_log(&saved, "{\"epoch\":0}\n", NULL), VGG_OK);
        assert_int_equal(vgg_train_state_save(&saved, &network, "a=1", "data", path, NULL), VGG_OK);
        assert_int_equal(vgg_train_state_restore(&restored, &network, "a=1", "data", path, NULL),
                         VGG_OK);
        assert_int_equal(restored.step, 3);
        assert_true(restored.best_error == (errors[i] > 0 ? errors[i] : -1));
        vgg_train_state_fini(&saved);
        vgg_train_state_fini(&restored);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bits),          cmocka_unit_test(states_of_the_first_epoch),
        cmocka_unit_test(many_and_large_arrays),  cmocka_unit_test(arrays_of_another_network),
        cmocka_unit_test(no_checkpoints),         cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(flipped_anywhere),       cmocka_unit_test(values_that_are_not_finite),
        cmocka_unit_test(replaced_while_open),    cmocka_unit_test(a_full_disk_leaves_the_old_one),
        cmocka_unit_test(writing_without_memory), cmocka_unit_test(opening_without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
