/* vgg_train with a base that is wider than the network: what the file is, going on, refusals. */
#include "core/train/on_base.h"

#include <math.h>

#include "fault.h"

static char checkpoint[1024], again[1024];
static unsigned steps, steps_max, fits, fits_max; /* done, and at which it is stopped; 0: never */
static double explained[2];                       /* by the first and the last layer */

/* A base of width 4 and crop 64, that takes BGR. */
static void put_wide(void)
{
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    maker_make(&maker, &(struct maker_spec){.width = 4, .fc1 = 16, .fc2 = 8, .side = 2, .seed = 3});
    maker_meta(&maker, "vgg.scales", "[64]");
    maker_meta(&maker, "vgg.channels", "BGR");
    bytes = maker_bytes(&maker, &size);
    maker_write(base, bytes, size);
    free(bytes);
    maker_free(&maker);
}

static int start_here(void **state)
{
    if (start(state) != 0)
        return 1;
    put_wide();
    snprintf(checkpoint, sizeof checkpoint, "%s", album_path("checkpoint"));
    snprintf(again, sizeof again, "%s", album_path("again.safetensors"));
    return 0;
}

static void on_narrowing(void *user, const struct vgg_train_narrowing *now)
{
    struct told *told = user;

    assert_int_equal(told->plans, 1);
    assert_int_equal(steps, 0);
    assert_true(now->width == 2 && now->base_width == 4);
    fits++;
    if (now->done < 1)
        return;
    explained[0] = now->explained[0];
    explained[1] = now->explained[now->layers - 1];
}

static void count_step(void *user, const struct vgg_train_progress *progress)
{
    (void)user;
    (void)progress;
    steps++;
}

static bool is_enough(void *user)
{
    (void)user;
    return (steps_max != 0 && steps >= steps_max) || (fits_max != 0 && fits >= fits_max);
}

/* Half as wide as the base, at a smaller crop than its own. */
static struct vgg_train_options usual(struct told *told)
{
    struct vgg_train_options options = on_base(told);

    steps = steps_max = fits = fits_max = 0;
    options.on_narrowing = on_narrowing;
    options.on_step = count_step;
    options.stop = is_enough;
    options.width = 2;
    options.crop = 32;
    options.scale_min = 32;
    options.scale_max = 40;
    options.batch = 5;
    options.epochs = 2;
    options.validation_fraction = 0.3;
    options.checkpoint = checkpoint;
    return options;
}

/* Its numbers are the options', its preprocessing that of the pictures, its tensors narrower. */
static void the_file(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_model *model = NULL;
    const struct vgg_model_info *info;
    struct file file;

    (void)state;
    train(&options);
    assert_true(fits > 10 && explained[0] > 0.5 && explained[1] > 0.3);
    assert_true(told.plan.freeze == VGG_FREEZE_NONE && told.plan.bytes >= told.asked);
    file_read(&file, output);
    assert_int_equal(find_tensor(&file, "features.0.weight")->shape[0], 2);
    assert_int_equal(find_tensor(&file, "features.18.weight")->shape[0], 16);
    assert_int_equal(find_tensor(&file, "classifier.0.weight")->shape[0], 8); /* of 16 */
    assert_int_equal(find_tensor(&file, "classifier.0.weight")->shape[1], 16);
    assert_null(vgg_header_get(&file.header, "vgg.channels"));
    assert_string_equal(vgg_header_get(&file.header, "vgg.name"), "A-2");
    assert_non_null(vgg_header_get(&file.header, "vgg.base.sha256"));
    assert_non_null(strstr(vgg_header_get(&file.header, "vgg.training"), "narrowed-from=4 base="));
    assert_non_null(strstr(vgg_header_get(&file.header, "vgg.training"), " rate=0.003 "));
    file_free(&file);
    assert_int_equal(vgg_model_load(output, NULL, &model, NULL), VGG_OK);
    info = vgg_model_get_info(model);
    assert_int_equal(info->crop, 32);
    assert_true(fabs(info->mean[1] - 0.456) > 1e-3 && fabs(info->std[1] - 0.224) > 1e-3);
    vgg_model_release(model);
}

static const float *values_of(const struct file *file, const char *name)
{
    return (const float *)(const void *)(file->bytes + file->data + find_tensor(file, name)->begin);
}

/* At a rate of nothing: a square hidden layer passes on what it is given, the last says nothing. */
static void the_head_begins(void **state)
{
    enum { UNITS = 8 };
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file file;

    (void)state;
    options.rate = 1e-30;
    options.epochs = 1;
    train(&options);
    file_read(&file, output);
    for (size_t i = 0; i < (size_t)UNITS * UNITS; i++)
        assert_true(values_of(&file, "classifier.3.weight")[i] == (float)(i % (UNITS + 1) == 0));
    for (size_t i = 0; i < (size_t)CLASSES * UNITS; i++)
        assert_true(fabsf(values_of(&file, "classifier.6.weight")[i]) < 1e-20F);
    assert_true(values_of(&file, "classifier.0.weight")[1] != 0);
    file_free(&file);
}

/* Batch-norm, and units of the FC layers, as asked for. */
static void what_else_was_asked_for(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file file;

    (void)state;
    options.batch_norm = true;
    options.fc = 9;
    options.crop = 64; /* the base's, so that the first FC layer is as large */
    options.scale_min = options.scale_max = 64;
    options.epochs = 1;
    train(&options);
    file_read(&file, output);
    assert_int_equal(find_tensor(&file, "classifier.0.weight")->shape[0], 9);
    assert_int_equal(find_tensor(&file, "classifier.0.weight")->shape[1], 4 * 16);
    assert_non_null(strstr(vgg_header_get(&file.header, "vgg.training"), " rate=0.01 "));
    file_free(&file);
}

static void assert_same_file(const char *a, const char *b)
{
    struct file one, other;

    file_read(&one, a);
    file_read(&other, b);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.bytes, other.bytes, one.size);
    file_free(&one);
    file_free(&other);
}

/* Stopped and resumed, by other threads, it is the same; its layers are not fitted again. */
static void resumed_to_the_same_bits(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    train(&options);
    assert_int_equal(rename(output, again), 0);
    options = usual(&told);
    options.threads = 1;
    steps_max = 3;
    refused(&options, VGG_CANCELLED, "stopped in epoch");
    assert_int_equal(access(checkpoint, F_OK), 0);
    options = usual(&told);
    options.resume = true;
    options.width = 3;
    refused(&options, VGG_BAD_ARGUMENT, "width=2");
    options = usual(&told);
    options.resume = true;
    train(&options);
    assert_int_equal(fits, 0);
    assert_same_file(output, again);
}

static void stopped_before_the_first_step(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    fits_max = 2;
    refused(&options, VGG_CANCELLED, "narrow network");
    assert_int_equal(fits, 2);
    assert_int_equal(access(checkpoint, F_OK), -1);
    assert_int_equal(access(output, F_OK), -1);
}

static void what_cannot_be(void **state)
{
    static const enum vgg_freeze ways[] = {VGG_FREEZE_FEATURES, VGG_FREEZE_CONVS,
                                           VGG_FREEZE_BLOCKS};
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    options.freeze_blocks = 2;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        options.freeze = ways[i];
        refused(&options, VGG_BAD_ARGUMENT, "has width 4, and the options 2: a narrower network");
    }
    options = usual(&told);
    options.width = 5;
    refused(&options, VGG_BAD_ARGUMENT, "has width 4, and the options 5: it can be made narrower");
    options.width = 4; /* the base's own, whose crop is 64 */
    refused(&options, VGG_BAD_ARGUMENT, "the crop of the base is 64");
    assert_int_equal(fits, 0);
}

/* Bytes until the first step is done. */
static size_t taken(const struct vgg_train_options *options)
{
    size_t bytes;

    steps = 0;
    steps_max = 1;
    fault_measure();
    refused(options, VGG_CANCELLED, "stopped in epoch");
    bytes = fault_measured();
    steps_max = 0;
    assert_int_equal(unlink(checkpoint), 0);
    return bytes;
}

/* What fitting takes is asked for beforehand, beside the network. */
static void memory_is_counted(void **state)
{
    const struct maker_spec wide = {.width = 16, .fc1 = 4, .fc2 = 4, .seed = 3};
    struct told told;
    struct vgg_train_options options = usual(&told);
    uint64_t asked;
    size_t bytes;

    (void)state;
    if (!fault_available()) /* a sanitizer's allocator counts nothing */
        skip();
    put_base(&wide, NULL, NULL);
    options.on_narrowing = NULL;
    options.width = 5;
    options.batch = 1;
    options.arch = "A";
    options.fc = 4;
    options.base = NULL;
    bytes = taken(&options);
    asked = told.asked;
    options.base = base;
    told.asked = told.plans = 0;
    bytes = taken(&options) - bytes;
    asked = told.asked - asked;
    if (bytes > asked + asked / 8 || asked > 2 * bytes)
        fail_msg("%zu bytes, and asked for were %llu", bytes, (unsigned long long)asked);
    told = (struct told){.room = told.asked - 1};
    refused(&options, VGG_NO_MEMORY, "too little");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file, start_here, album_stop),
        cmocka_unit_test_setup_teardown(the_head_begins, start_here, album_stop),
        cmocka_unit_test_setup_teardown(what_else_was_asked_for, start_here, album_stop),
        cmocka_unit_test_setup_teardown(resumed_to_the_same_bits, start_here, album_stop),
        cmocka_unit_test_setup_teardown(stopped_before_the_first_step, start_here, album_stop),
        cmocka_unit_test_setup_teardown(what_cannot_be, start_here, album_stop),
        cmocka_unit_test_setup_teardown(memory_is_counted, start_here, album_stop),
    };

    return cmocka_run_group_tests_name("training narrower than the base", tests, NULL, NULL);
}
