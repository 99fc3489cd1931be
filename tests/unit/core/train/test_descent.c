/*
 * vgg_train by descent on a made base: what stays the base's, the same bits when resumed, what is
 * refused, that a loss which grows ends it, a teacher, and what is left behind.
 */
#include "core/train/on_base.h"

#include <jansson.h>
#include <math.h>

#include "backprop/norms.h"
#include "fault.h"

static char checkpoint[1024], again[1024], teacher[1024];
static unsigned steps, steps_max; /* done, and after which it is stopped; 0: never */

static int start_here(void **state)
{
    if (start(state) != 0)
        return 1;
    snprintf(checkpoint, sizeof checkpoint, "%s", album_path("checkpoint"));
    snprintf(again, sizeof again, "%s", album_path("again.safetensors"));
    snprintf(teacher, sizeof teacher, "%s", album_path("teacher.safetensors"));
    return 0;
}

static void count_step(void *user, const struct vgg_train_progress *progress)
{
    (void)user;
    assert_true(progress->seconds_left > 0); /* validation and the end come after the last step */
    steps++;
}

static bool is_enough(void *user)
{
    (void)user;
    return steps_max != 0 && steps >= steps_max;
}

static struct vgg_train_epoch told_epochs[32];
static size_t told_epochs_n;

static void on_epoch(void *user, const struct vgg_train_epoch *epoch)
{
    json_t *json = json_loads(epoch->json, JSON_REJECT_DUPLICATES, NULL);

    (void)user;
    assert_true(told_epochs_n < COUNT_OF(told_epochs));
    told_epochs[told_epochs_n++] = *epoch;
    assert_int_equal(json_integer_value(json_object_get(json, "epoch")), epoch->epoch);
    assert_true(json_is_null(json_object_get(json, "loss")) == (epoch->epoch == 0));
    json_decref(json);
}

/* Such that what is fitted first gets better still. */
static struct vgg_train_options usual(struct told *told)
{
    struct vgg_train_options options = on_base(told);

    steps = steps_max = 0;
    told_epochs_n = 0;
    options.on_epoch = on_epoch;
    options.rate = 1e-4;
    options.dropout = 0.02;
    options.freeze = VGG_FREEZE_BLOCKS;
    options.freeze_blocks = 3;
    options.batch = 5;
    options.epochs = 2;
    options.validation_fraction = 0.3;
    options.scale_min = 32;
    options.scale_max = 40;
    options.checkpoint = checkpoint;
    options.on_step = count_step;
    options.stop = is_enough;
    return options;
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

/* ---------------------------------------------------------------- the file ------------------- */

/* Is a tensor the same in both, its type too? */
static bool is_same(const struct file *a, const struct file *b, const char *name)
{
    const struct vgg_tensor *one = find_tensor(a, name), *other = find_tensor(b, name);

    assert_true(one != NULL && other != NULL);
    return one->dtype == other->dtype && one->end - one->begin == other->end - other->begin &&
           memcmp(a->bytes + a->data + one->begin, b->bytes + b->data + other->begin,
                  one->end - one->begin) == 0;
}

/* All of "features.N." with N below `end` is the base's, and the weights from there on are not. */
static void check_frozen(unsigned end)
{
    struct file old, new;
    size_t kept = 0, trained = 0;

    file_read(&old, base);
    file_read(&new, output);
    for (size_t i = 0; i < old.header.tensors_n; i++) {
        const char *name = old.header.tensors[i].name;
        unsigned index;

        if (strstr(name, "num_batches") != NULL)
            continue;
        if (sscanf(name, "features.%u.", &index) == 1 && index < end) {
            if (!is_same(&old, &new, name))
                fail_msg("%s is another", name);
            kept++;
        } else if (strstr(name, "weight") != NULL) {
            assert_false(is_same(&old, &new, name));
            trained++;
        }
    }
    assert_true(kept >= 8 && trained >= 3);
    file_free(&old);
    file_free(&new);
}

static void frozen_tensors_are_the_bases(void **state)
{
    const struct maker_spec normal = {.width = 4, .fc1 = 16, .fc2 = FEATURES, .batch_norm = true};
    const struct maker_spec half = {.width = 4, .fc1 = 16, .fc2 = FEATURES, .dtype = "F16"};
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_model *model = NULL;

    (void)state;
    train(&options); /* A: features.0, 3, 6, 8, 11, 13, 16, 18 */
    check_frozen(11);
    options.freeze_blocks = 4;
    train(&options);
    check_frozen(16);
    options.freeze = VGG_FREEZE_CONVS;
    train(&options);
    check_frozen(100);
    put_base(&half, NULL, NULL);
    train(&options);
    check_frozen(100);
    put_base(&normal, NULL, NULL); /* 0 and 1, 4 5, 8 9, 11 12, 15 16 ... */
    options.freeze = VGG_FREEZE_BLOCKS;
    options.freeze_blocks = 3;
    train(&options);
    check_frozen(15);
    assert_int_equal(vgg_model_load(output, NULL, &model, NULL), VGG_OK);
    assert_true(vgg_model_get_info(model)->scales_n == 3 ||
                vgg_model_get_info(model)->scales_n == 2);
    vgg_model_release(model);
}

/* What is learnt is served: the error on maps of crops as large as the pictures is the engine's. */
static void the_file_is_what_was_trained(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;

    (void)state;
    put_pictures("photos", 6, 12);
    options.epochs = 4;
    options.rate = 1e-5; /* a base of random weights has large maps, much alike */
    options.dropout = -1;
    result = train(&options);
    if (!(result.best_error <= 0.2 && result.error <= 0.3))
        fail_msg("%g of crops, %g of pictures", result.best_error, result.error);
    assert_int_equal(result.measured, told.validation);
    assert_int_equal(told.posteriors, told.validation);
    assert_int_equal(told.wrong, (size_t)(result.error * (double)result.measured + 0.5));
    assert_true(result.temperature > 0 && result.nll[1] <= result.nll[0] + 1e-9);
    assert_true(result.typicality == 0 && strstr(result.typicality_reason, "50") != NULL);
    assert_int_equal(told.plans, 1);
    assert_true(told.plan.seconds > 0 && told.plan.views == 4);
    assert_true(told.asked > 0 && told.plan.bytes >= told.asked);
    assert_int_equal(access(checkpoint, F_OK), -1);
}

/* Of a base that trains as a whole, here at a rate of nothing. */
static void all_of_a_base_may_train(void **state)
{
    const struct maker_spec bgr = {.width = 4, .fc1 = 16, .fc2 = FEATURES, .seed = 4};
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file old, new;

    (void)state;
    options.freeze = VGG_FREEZE_NONE;
    options.rate = 1e-30;
    train(&options);
    file_read(&old, base);
    file_read(&new, output);
    for (size_t i = 0; i + 2 < old.header.tensors_n; i++)
        assert_true(is_same(&old, &new, old.header.tensors[i].name));
    file_free(&old);
    file_free(&new);
    put_base(&bgr, "vgg.channels", "BGR");
    train(&options);
    file_read(&old, base);
    file_read(&new, output);
    assert_false(is_same(&old, &new, "features.0.weight")); /* it takes RGB now */
    assert_true(is_same(&old, &new, "features.3.weight"));
    assert_null(vgg_header_get(&new.header, "vgg.channels"));
    file_free(&old);
    file_free(&new);
}

/* What the fitted start takes, here of many features, is a part of what is planned and asked for.
 */
static void memory_is_counted(void **state)
{
    enum { MANY = 8192, SLACK = 2 << 20 /* the decoded pictures, names, decoders */ };
    const struct maker_spec broad = {.width = 4, .fc1 = 4, .fc2 = MANY};
    struct told told;
    struct vgg_train_options options = usual(&told);
    size_t taken, fitted;

    (void)state;
    if (!fault_available()) /* a sanitizer's allocator counts nothing */
        skip();
    put_pictures("photos", 0, 20);
    put_base(&broad, NULL, NULL);
    options.freeze = VGG_FREEZE_CONVS;
    options.epochs = 1;
    steps_max = 1;
    fault_measure();
    refused(&options, VGG_CANCELLED, "stopped");
    fitted = fault_measured();
    assert_true(fitted > (size_t)told.plan.pictures * told.plan.views * MANY * sizeof(float));
    if (fitted > told.asked + SLACK || told.asked > 2 * fitted)
        fail_msg("%zu bytes, and asked for were %llu", fitted, (unsigned long long)told.asked);
    assert_int_equal(unlink(checkpoint), 0);
    steps_max = 0;
    fault_measure();
    train(&options);
    taken = fault_measured(); /* at the end */
    if (taken > told.plan.bytes + SLACK || told.plan.bytes > 2 * taken)
        fail_msg("%zu bytes, and planned were %llu", taken, (unsigned long long)told.plan.bytes);
    told = (struct told){.room = told.asked - 1};
    refused(&options, VGG_NO_MEMORY, "too little");
}

static void a_new_head_and_larger_crops(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file new;

    (void)state;
    put_pictures("photos", 6, 2);
    options.fc = 9;
    options.crop = 64;
    options.scale_min = options.scale_max = 64;
    train(&options);
    file_read(&new, output);
    assert_int_equal(find_tensor(&new, "classifier.0.weight")->shape[0], 9);
    assert_int_equal(find_tensor(&new, "classifier.3.weight")->shape[1], 9);
    assert_int_equal(find_tensor(&new, "classifier.6.weight")->shape[0], CLASSES);
    assert_string_equal(vgg_header_get(&new.header, "vgg.scales"), "[64, 96]");
    file_free(&new);
}

/* ---------------------------------------------------------------- going on ------------------- */

/* A teacher of these labels, beside the base. */
static void put_teacher(const struct maker_spec *spec, const char *labels)
{
    put_base(spec, "vgg.labels", labels);
    assert_int_equal(rename(base, teacher), 0);
    put_base(&small, NULL, NULL);
}

/* Without frozen layers also what a step has beyond the paper. */
static struct vgg_train_options way_of(struct told *told, enum vgg_freeze freeze)
{
    struct vgg_train_options options = usual(told);

    options.freeze = freeze;
    options.features_cache = cache; /* then no picture is asked about */
    options.batch_norm = freeze != VGG_FREEZE_CONVS;
    if (freeze == VGG_FREEZE_NONE) {
        options.teacher = teacher; /* what it has seen is not in the checkpoint */
        options.mixup = 0.5;
    }
    return options;
}

/* Stopped after some steps and resumed, it gives the same file as if nothing had been. */
static void resumed_to_the_same_bits(void **state)
{
    static const enum vgg_freeze ways[] = {VGG_FREEZE_BLOCKS, VGG_FREEZE_CONVS, VGG_FREEZE_NONE};
    const struct maker_spec stranger = {.width = 4, .classes = CLASSES, .seed = 9};

    (void)state;
    put_teacher(&stranger, "[\"smooth\", \"colour\", \"grey\"]");
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct told told;
        struct vgg_train_options options = way_of(&told, ways[i]);
        struct vgg_train_epoch last;

        assert_int_not_equal(train(&options).best_epoch, 0);
        last = told_epochs[told_epochs_n - 1];
        assert_int_equal(rename(output, again), 0);
        options = way_of(&told, ways[i]);
        steps_max = 5;
        refused(&options, VGG_CANCELLED, "stopped in epoch 2");
        assert_int_equal(access(checkpoint, F_OK), 0);
        steps_max = 0;
        refused(&options, VGG_BAD_ARGUMENT, "resume it, or remove it");
        options.resume = true;
        options.threads = 1;
        options.freeze_blocks = 2;
        options.freeze = VGG_FREEZE_BLOCKS;
        refused(&options, VGG_BAD_ARGUMENT, "freeze=");
        options.freeze_blocks = 3;
        options.freeze = ways[i];
        train(&options);
        assert_same_file(output, again);
        assert_true(told_epochs[told_epochs_n - 1].epoch == 2 &&
                    told_epochs[told_epochs_n - 1].loss == last.loss &&
                    told_epochs[told_epochs_n - 1].validation_loss == last.validation_loss);
        assert_int_equal(access(checkpoint, F_OK), -1);
    }
}

static void another_base_is_not_gone_on_with(void **state)
{
    const struct maker_spec another = {.width = 4, .fc1 = 16, .fc2 = FEATURES, .seed = 5};
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    options.features_cache = cache;
    train(&options);
    steps = 0;
    steps_max = 2;
    refused(&options, VGG_CANCELLED, "stopped");
    steps_max = 0;
    put_base(&another, NULL, NULL);
    options.resume = true;
    refused(&options, VGG_BAD_ARGUMENT, "base=sha256:");
}

/* ---------------------------------------------------------------- refusals ------------------- */

static void what_cannot_be(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    options.freeze_blocks = 5;
    refused(&options, VGG_BAD_ARGUMENT, "1 to 4");
    options = usual(&told);
    options.base = NULL;
    refused(&options, VGG_BAD_ARGUMENT, "without a base");
    options = usual(&told);
    options.arch = "D";
    refused(&options, VGG_BAD_ARGUMENT, "is of configuration A, not D");
    options = usual(&told);
    options.no_mirror = true;
    refused(&options, VGG_BAD_ARGUMENT, "mirror");
    options = usual(&told);
    options.output = "/nowhere/there";
    refused(&options, VGG_IO, "/nowhere/there");
    options = usual(&told);
    options.smoothing = 1;
    refused(&options, VGG_BAD_ARGUMENT, "smoothing");
    options = usual(&told);
    told.room = 1 << 20;
    refused(&options, VGG_NO_MEMORY, "too little");
    assert_int_equal(access(output, F_OK), -1);
}

/*
 * It ends within the step, and what was there before it stays. At this rate each of 60 seeds does
 * so, at a tenth of it some in the third step.
 */
static void a_loss_that_grows_ends_it(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    options.rate = 10;
    options.decay = -1;
    refused(&options, VGG_BAD_MODEL, "such as 1,");
    refused(&options, VGG_BAD_MODEL, "in step 2 of ");
    assert_int_equal(access(output, F_OK), 0); /* the start */
    assert_int_equal(access(checkpoint, F_OK), -1);
}

/* Epochs that only do harm: the file is the start, whose last layer was fitted; also resumed. */
static void a_start_that_is_the_best_stays(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;
    struct file file;

    (void)state;
    options.momentum = -1;
    for (int i = 0; i < 2; i++) {
        told_epochs_n = steps = 0;
        options.resume = false;
        options.rate = i == 0 ? 1e-30 : 0.01; /* nothing changes, and what is equal is no better */
        options.dropout = i == 0 ? -1 : 0.3;
        steps_max = i == 0 ? 0 : 3;
        if (i != 0) {
            refused(&options, VGG_CANCELLED, "stopped in epoch 1");
            steps_max = 0;
            options.resume = true;
        }
        steps = 0;
        result = train(&options);
        assert_int_equal(told_epochs_n, 1 + options.epochs);
        for (uint32_t e = 0; e <= options.epochs; e++) {
            assert_int_equal(told_epochs[e].epoch, e);
            assert_true(told_epochs[e].best == (e == 0));
        }
        assert_true(isnan(told_epochs[0].loss) && isnan(told_epochs[0].error));
        assert_int_equal(result.best_epoch, 0);
        assert_int_equal(result.epochs, options.epochs);
        assert_true(result.best_error == told_epochs[0].validation_error);
        file_read(&file, output);
        assert_non_null(
            strstr(vgg_header_get(&file.header, "vgg.training.result"), "{\"epoch\":0,"));
        file_free(&file);
        assert_int_equal(access(checkpoint, F_OK), -1);
    }
}

/* ---------------------------------------------------------------- what is learnt from -------- */

static void a_teacher(void **state)
{
    const struct maker_spec stranger = {.width = 4, .classes = CLASSES, .seed = 9};
    const struct maker_spec more = {.width = 4, .classes = 4, .seed = 9};
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    train(&options);
    assert_int_equal(rename(output, again), 0);
    put_teacher(&stranger, "[\"smooth\", \"colour\", \"grey\"]");
    options.teacher = teacher;
    train(&options);
    {
        struct file one, other;

        file_read(&one, again);
        file_read(&other, output);
        assert_false(is_same(&one, &other, "classifier.6.weight"));
        assert_non_null(strstr(vgg_header_get(&other.header, "vgg.training"), "teacher=sha256:"));
        file_free(&one);
        file_free(&other);
    }
    put_teacher(&more, "[\"smooth\", \"colour\", \"grey\", \"x\"]");
    refused(&options, VGG_BAD_ARGUMENT, "4 classes");
    put_teacher(&stranger, "[\"smooth\", \"red\", \"grey\"]");
    refused(&options, VGG_BAD_ARGUMENT, "has no class \"colour\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frozen_tensors_are_the_bases, start_here, album_stop),
        cmocka_unit_test_setup_teardown(the_file_is_what_was_trained, start_here, album_stop),
        cmocka_unit_test_setup_teardown(all_of_a_base_may_train, start_here, album_stop),
        cmocka_unit_test_setup_teardown(memory_is_counted, start_here, album_stop),
        cmocka_unit_test_setup_teardown(a_new_head_and_larger_crops, start_here, album_stop),
        cmocka_unit_test_setup_teardown(resumed_to_the_same_bits, start_here, album_stop),
        cmocka_unit_test_setup_teardown(another_base_is_not_gone_on_with, start_here, album_stop),
        cmocka_unit_test_setup_teardown(what_cannot_be, start_here, album_stop),
        cmocka_unit_test_setup_teardown(a_loss_that_grows_ends_it, start_here, album_stop),
        cmocka_unit_test_setup_teardown(a_start_that_is_the_best_stays, start_here, album_stop),
        cmocka_unit_test_setup_teardown(a_teacher, start_here, album_stop),
    };

    return cmocka_run_group_tests_name("descent on a base", tests, NULL, NULL);
}
