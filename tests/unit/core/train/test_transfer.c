/*
 * vgg_train on the frozen features of a made base: the file that it writes, what it tells, the
 * same bits however it is computed, what it refuses.
 */
#include "core/train/on_base.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/engine/evaluate.h"
#include "data/picture.h"
#include "vgg_typicality.h"

static struct vgg_train_options usual(struct told *told)
{
    struct vgg_train_options options = on_base(told);

    options.freeze = VGG_FREEZE_FEATURES;
    return options;
}

/* As `refused`, and no file is left. */
static void refused_whole(const struct vgg_train_options *options, enum vgg_status status,
                          const char *text)
{
    refused(options, status, text);
    assert_int_equal(access(output, F_OK), -1);
}

/* ---------------------------------------------------------------- the file ------------------- */

/* All tensors of the base but the last layer's are there, of the same type, shape and bytes. */
static void check_tensors(const struct file *old, const struct file *new, const char *last)
{
    size_t kept = 0;

    for (size_t i = 0; i < old->header.tensors_n; i++) {
        const struct vgg_tensor *was = &old->header.tensors[i], *is;

        if (strncmp(was->name, last, strlen(last)) == 0)
            continue;
        is = find_tensor(new, was->name);
        assert_non_null(is);
        assert_int_equal(is->dtype, was->dtype);
        assert_int_equal(is->dims, was->dims);
        assert_memory_equal(is->shape, was->shape, was->dims * sizeof *was->shape);
        assert_int_equal(is->end - is->begin, was->end - was->begin);
        assert_memory_equal(new->bytes + new->data + is->begin, old->bytes + old->data + was->begin,
                            was->end - was->begin);
        kept++;
    }
    assert_int_equal(kept, old->header.tensors_n - 2);
    assert_int_equal(new->header.tensors_n, old->header.tensors_n + 3); /* typicality's */
}

static void check_file(const char *last, unsigned dims, const char *dtype)
{
    struct vgg_model *model = NULL;
    const struct vgg_tensor *weight;
    struct file old, new;
    char name[64];

    file_read(&old, base);
    file_read(&new, output);
    check_tensors(&old, &new, last);
    snprintf(name, sizeof name, "%s.weight", last);
    weight = find_tensor(&new, name);
    assert_non_null(weight);
    assert_int_equal(weight->dims, dims);
    assert_int_equal(weight->shape[0], CLASSES);
    assert_int_equal(weight->shape[1], FEATURES);
    assert_string_equal(vgg_dtype_name(weight->dtype), dtype);
    assert_string_equal(vgg_header_get(&new.header, "vgg.base"), "base");
    assert_string_equal(vgg_header_get(&new.header, "vgg.scales"), "[32, 48]");
    assert_null(vgg_header_get(&new.header, "vgg.training.history"));
    assert_int_equal(vgg_model_load(base, NULL, &model, NULL), VGG_OK);
    assert_string_equal(vgg_model_get_info(model)->version + sizeof "sha256:" - 1,
                        vgg_header_get(&new.header, "vgg.base.sha256"));
    vgg_model_release(model);
    file_free(&old);
    file_free(&new);
}

/* Whatever a base's names and types are, its bytes stay. */
static void frozen_tensors_are_the_bases(void **state)
{
    const struct maker_spec half = {
        .arch = "B", .fc1 = 9, .fc2 = FEATURES, .dtype = "F16", .batch_norm = true, .timm = true};
    const struct maker_spec brain = {.arch = "C", .fc2 = FEATURES, .dtype = "BF16"};
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    put_base(&small, "vgg.training.history", "of the base");
    train(&options);
    check_file("classifier.6", 2, "F32");
    put_base(&half, "vgg.mean", "[0.4, 0.4, 0.4]");
    train(&options);
    check_file("head.fc", 2, "F32");
    options.half = true;
    train(&options);
    check_file("head.fc", 2, "F16");
    put_base(&brain, "vgg.channels", "BGR");
    options.half = false;
    train(&options);
    check_file("classifier.6", 2, "F32");
}

/* A model that was made so is a base too: its layer and what was typical are replaced. */
static void a_base_of_its_own_kind(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file first, second;

    (void)state;
    train(&options);
    file_read(&first, output);
    assert_int_equal(rename(output, base), 0);
    train(&options);
    file_read(&second, output);
    assert_int_equal(first.header.tensors_n, second.header.tensors_n);
    assert_int_equal(first.header.metadata_n, second.header.metadata_n);
    assert_memory_equal(first.bytes + first.data, second.bytes + second.data,
                        first.size - first.data);
    file_free(&first);
    file_free(&second);
}

/* ---------------------------------------------------------------- what is served ------------- */

/* A picture at the model's default scales. */
static struct vgg_job *serve(struct vgg_engine *engine, struct vgg_model *model, const char *path)
{
    const struct vgg_request request = {.scales = {32, 48}, .scales_n = 2, .flip = true};
    const struct vgg_job_options options = {.typicality = true};
    struct vgg_views *views = NULL;
    struct vgg_image *image = NULL;
    struct vgg_job *job = NULL;

    assert_int_equal(vgg_picture_read(path, &image, NULL, NULL), VGG_OK);
    assert_int_equal(vgg_views_create(image, &request, &views, NULL), VGG_OK);
    assert_int_equal(vgg_engine_submit(engine, model, views, &options, &job, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    vgg_image_destroy(image);
    return job;
}

static void check_served(struct vgg_engine *engine, struct vgg_model *model, unsigned class,
                         uint32_t i)
{
    struct vgg_job *job;
    double typicality;
    char path[1100];
    uint32_t best;

    snprintf(path, sizeof path, "%s/%s/%03u.%s", photos, folders[class], i, endings[class]);
    job = serve(engine, model, path);
    vgg_top_k(vgg_job_posterior(job), CLASSES, 1, &best);
    assert_int_equal(best, class);
    assert_true(vgg_job_typicality(job, &typicality));
    assert_true(typicality > 0.04);
    vgg_job_destroy(job);
}

static void what_is_served_has_learnt(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 1});
    struct vgg_model *model = NULL;

    (void)state;
    train(&options);
    assert_int_equal(vgg_model_load(output, NULL, &model, NULL), VGG_OK);
    assert_int_equal(vgg_model_get_info(model)->classes, CLASSES);
    for (unsigned class = 0; class < CLASSES; class ++) {
        const char *id, *label;

        vgg_model_get_label(model, class, &id, &label);
        assert_string_equal(label, folders[class]);
        for (uint32_t i = 0; i < 6; i++)
            check_served(engine, model, class, i);
    }
    vgg_model_release(model);
    vgg_engine_destroy(engine);
}

/* ---------------------------------------------------------------- what is told --------------- */

static void check_result(const struct told *told, const struct vgg_train_result *result,
                         size_t measured)
{
    assert_int_equal(told->plans, 1);
    assert_int_equal(told->classes, CLASSES);
    assert_int_equal(told->plan.freeze, VGG_FREEZE_FEATURES);
    assert_int_equal(told->plan.classes, CLASSES);
    assert_int_equal(told->plan.views, 4);
    assert_true(told->plan.bytes > 0);
    assert_int_equal(result->measured, measured);
    assert_int_equal(told->posteriors, measured);
    assert_true(fabs(result->error - (double)told->wrong / (double)measured) < 1e-9);
    assert_true(result->error < 0.2);
    assert_true(result->temperature > 0 && result->strength > 0);
    assert_int_equal(result->typicality, told->plan.pictures + told->plan.validation);
    assert_int_equal(told->pictures, result->typicality + told->unknown);
    for (size_t i = 0; i < result->typicality; i++)
        assert_true(told->typicality[i] > 0 && told->typicality[i] <= 1);
}

/* Few pictures are left out in turn. */
static void folds(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result = train(&options);

    (void)state;
    check_result(&told, &result, 18);
    assert_int_equal(told.plan.pictures, 18);
    assert_true(told.plan.folds > 1);
    assert_int_equal(told.views, 18 * 4);
    assert_int_equal(result.unknown, 0);
    options.validation_list = album_path("list");
    assert_int_equal(unlink(output), 0);
    refused_whole(&options, VGG_BAD_ARGUMENT, "all are left out in turn");
    assert_int_equal(access(options.validation_list, F_OK), -1);
}

/* The file cannot be written after all: what was measured is there. */
static void a_full_disk(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;
    struct vgg_error error = {0};
    struct rlimit unlimited, limit;
    enum vgg_status status;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    limit = (struct rlimit){1000, unlimited.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    status = vgg_train(photos, &options, &result, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(status, VGG_IO);
    assert_non_null(strstr(error.text, "cannot write it"));
    assert_int_equal(access(output, F_OK), -1);
    assert_int_equal(result.measured, 18);
    assert_true(result.error >= 0 && result.error < 0.2);
    assert_int_equal(result.typicality, 18);
}

/* Memory that is predicted has the decoded pictures in it, where they are kept. */
static void pictures_take_memory(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    uint64_t bytes = 0;

    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        bytes += (uint64_t)3 * CLASSES * (40 + i) * (36 + i * 7 % 29);
    train(&options);
    bytes = told.plan.bytes - bytes;
    told = (struct told){.plans = 0};
    options.cache_bytes = 0;
    train(&options);
    assert_int_equal(told.plan.bytes, bytes);
}

/* The largest difference between what was measured and what is served. */
static double served_apart(const struct told *told)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 1});
    struct vgg_model *model = NULL;
    double most = 0;

    assert_int_equal(vgg_model_load(output, NULL, &model, NULL), VGG_OK);
    for (size_t i = 0; i < told->posteriors; i++) {
        struct vgg_job *job = serve(engine, model, told->left_out[i].path);

        for (size_t c = 0; c < CLASSES; c++)
            most = fmax(most, fabs((double)vgg_job_posterior(job)[c] -
                                   (double)told->left_out[i].posterior[c]));
        vgg_job_destroy(job);
    }
    vgg_model_release(model);
    vgg_engine_destroy(engine);
    return most;
}

/* Of more a part is set aside. */
static void part(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;
    char list[1024];
    size_t lines = 0;
    FILE *listed;

    (void)state;
    put_pictures("photos", 6, 94);
    snprintf(list, sizeof list, "%s", album_path("list"));
    options.validation_fraction = 0.7;
    options.validation_list = list;
    result = train(&options);
    assert_int_equal(told.plan.folds, 0);
    listed = fopen(list, "r");
    assert_non_null(listed);
    for (int byte; (byte = fgetc(listed)) != EOF;)
        lines += byte == '\n';
    assert_int_equal(fclose(listed), 0);
    assert_int_equal(lines, told.validation);
    assert_int_equal(told.plan.pictures + told.plan.validation, 300);
    assert_int_equal(told.validation, told.plan.validation);
    assert_true(told.validation >= 100 && told.validation <= 220);
    check_result(&told, &result, told.validation);
    assert_true(served_apart(&told) > 1e-4); /* that part has been learnt from too */
}

/* Two in wrong folders, so that scores are too sure. */
static void put_mislabelled(void)
{
    char command[4096];

    snprintf(command, sizeof command,
             "cd %s && cp grey/040.png colour/wrong.png && cp colour/041.png grey/wrong.png",
             others);
    assert_int_equal(system(command), 0);
}

/* Another directory measures, and unknown pictures are told of. */
static void directory_and_unknown(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;

    (void)state;
    put_pictures("others", 40, 4);
    for (uint32_t i = 0; i < 5; i++) {
        char name[64];

        snprintf(name, sizeof name, "photos/_unknown/%u.png", i);
        album_png(name, 200 + i, 33);
    }
    put_mislabelled();
    options.validation = others;
    result = train(&options);
    assert_int_equal(told.plan.folds, 0);
    assert_int_equal(told.plan.pictures, 18);
    assert_int_equal(told.validation, 14);
    assert_int_equal(told.unknown, 5);
    assert_int_equal(result.unknown, 5);
    assert_true(result.unknown_auroc >= 0 && result.unknown_auroc <= 1);
    assert_true(result.reject > 0);
    assert_true(fabs(log(result.temperature)) > 0.05); /* else nothing is seen of it below */
    check_result(&told, &result, 14);
    assert_true(served_apart(&told) < 1e-5); /* temperature and all */
}

/* The weights of the layer that is fitted to `photos` and measured on `others`, before the
 * temperature. */
static void fit_layer(bool balance, float weights[CLASSES * FEATURES])
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct vgg_train_result result;
    const struct vgg_tensor *tensor;
    struct file file;

    options.validation = others;
    options.balance = balance;
    result = train(&options);
    file_read(&file, output);
    tensor = find_tensor(&file, "classifier.6.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->end - tensor->begin, CLASSES * FEATURES * sizeof *weights);
    memcpy(weights, file.bytes + file.data + tensor->begin, tensor->end - tensor->begin);
    for (size_t i = 0; i < CLASSES * FEATURES; i++)
        weights[i] *= (float)result.temperature;
    file_free(&file);
}

/* The largest difference, as part of the largest weight. */
static double apart(const float a[CLASSES * FEATURES], const float b[CLASSES * FEATURES])
{
    double most = 0, difference = 0;

    for (size_t i = 0; i < CLASSES * FEATURES; i++) {
        most = fmax(most, fabs((double)a[i]));
        difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
    }
    return difference / most;
}

/* Copies of pictures of the first class: their sizes, and so they themselves, come again. */
static void put_copies(const char *dir, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++)
        for (uint32_t copy = 1; copy < 4; copy++)
            put_picture(dir, 0, i + copy * 31 * 29);
}

/* However often the pictures of a class are there, balanced it weighs the same. */
static void balanced(void **state)
{
    float once[CLASSES * FEATURES], measured[CLASSES * FEATURES], trained[CLASSES * FEATURES],
        unbalanced[CLASSES * FEATURES];

    (void)state;
    put_pictures("others", 40, 4);
    fit_layer(true, once);
    put_copies("others", 40, 4);
    fit_layer(true, measured);
    put_copies("photos", 0, 6);
    fit_layer(true, trained);
    fit_layer(false, unbalanced);
    assert_true(apart(once, measured) < 1e-3);
    assert_true(apart(once, trained) < 0.05); /* rows are scaled by all pictures */
    assert_true(apart(once, unbalanced) > 0.2);
}

/* ---------------------------------------------------------------- the same bits -------------- */

static void same_file(const struct vgg_train_options *options, const struct file *expected)
{
    struct file file;

    train(options);
    file_read(&file, output);
    assert_int_equal(file.size, expected->size);
    assert_memory_equal(file.bytes, expected->bytes, file.size);
    file_free(&file);
}

static void the_same_bits(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file first, model;

    (void)state;
    train(&options);
    file_read(&first, output);
    options.threads = 3;
    same_file(&options, &first);
    options.cache_bytes = 0;
    options.features_cache = cache;
    same_file(&options, &first);
    assert_int_equal(told.plan.cached, 0);
    told = (struct told){.plans = 0};
    same_file(&options, &first); /* from the cache: nothing is computed */
    assert_int_equal(told.plan.cached, 18 * 4);
    assert_int_equal(told.views, 0);
    file_read(&model, base);
    options.base = "base";
    options.base_bytes = model.bytes;
    options.base_size = model.size;
    same_file(&options, &first);
    file_free(&model);
    file_free(&first);
}

/* Copies are left out together: none is known by the others. */
static void copies_know_nothing_of_each_other(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    double least = 1;

    (void)state;
    put_copies("photos", 0, 6);
    train(&options);
    for (size_t i = 0; i < 24; i++)
        least = fmin(least, told.typicality[i]);
    assert_true(least < 0.3);
}

static size_t unwritten;

static void on_unwritten(void *user, const char *reason)
{
    (void)user;
    assert_non_null(strstr(reason, cache));
    unwritten++;
}

/* When the plan is told the cache goes, with the first pictures in it. */
static enum vgg_status lose_cache(void *user, const struct vgg_train_plan *plan,
                                  struct vgg_error *error)
{
    assert_int_equal(nftw(cache, album_forget, 8, FTW_DEPTH | FTW_PHYS), 0);
    return on_plan(user, plan, error);
}

/* It is told of once, and changes nothing else. */
static void a_cache_that_vanishes(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    struct file first;

    (void)state;
    train(&options);
    file_read(&first, output);
    options.features_cache = cache;
    options.on_plan = lose_cache;
    options.on_unwritten = on_unwritten;
    same_file(&options, &first);
    assert_int_equal(unwritten, 1);
    file_free(&first);
}

static void one_class_more(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    char command[4096];

    (void)state;
    options.features_cache = cache;
    options.on_classes = NULL;
    train(&options);
    snprintf(command, sizeof command, "mkdir %s/zebra && cp %s/grey/00[12].png %s/zebra", photos,
             photos, photos);
    assert_int_equal(system(command), 0);
    album_png("photos/zebra/new.png", 50, 50);
    train(&options);
    assert_int_equal(told.plan.classes, CLASSES + 1);
    assert_int_equal(told.plan.cached, 20 * 4); /* the pictures, wherever they are */
    assert_int_equal(told.views, 21 * 4);
}

/* ---------------------------------------------------------------- refused -------------------- */

static void options_that_differ(void **state)
{
    struct told told;
    const struct vgg_train_options good = usual(&told);
    struct vgg_train_options options = good;

    (void)state;
    options.arch = "D";
    refused_whole(&options, VGG_BAD_ARGUMENT, "configuration A, not D");
    options = good;
    options.width = 5;
    refused_whole(&options, VGG_BAD_ARGUMENT, "width 4");
    options = good;
    options.crop = 64;
    refused_whole(&options, VGG_BAD_ARGUMENT, "crop 32");
    options = good;
    options.fc = 17;
    refused_whole(&options, VGG_BAD_ARGUMENT, "fc 16");
    options = good;
    options.scales[0] = 16;
    options.scales_n = 1;
    refused_whole(&options, VGG_BAD_ARGUMENT, "test scale 16");
    options = good;
    options.half = true;
    refused_whole(&options, VGG_BAD_ARGUMENT, "F16 needs a base in F16");
    options = good;
    options.no_mirror = true;
    refused_whole(&options, VGG_BAD_ARGUMENT, "mirror");
    options = good;
    options.resume = true;
    refused_whole(&options, VGG_BAD_ARGUMENT, "resume");
    options = good;
    options.base = NULL;
    refused_whole(&options, VGG_BAD_ARGUMENT, "base");
    options = good;
    options.arch = "A";
    options.width = 4;
    options.fc = 16;
    options.crop = 32;
    train(&options);
}

static void files_that_cannot_be_used(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    char path[1100];

    (void)state;
    snprintf(path, sizeof path, "%s/none/out", album);
    options.output = path;
    refused_whole(&options, VGG_IO, "none/out");
    options = usual(&told);
    options.log = path;
    refused_whole(&options, VGG_IO, "none/out");
    options = usual(&told);
    options.features_cache = base;
    refused_whole(&options, VGG_IO, "no directory");
    options = usual(&told);
    assert_int_equal(truncate(base, 5000), 0);
    refused_whole(&options, VGG_BAD_MODEL, "base.safetensors");
    assert_int_equal(unlink(base), 0);
    refused_whole(&options, VGG_IO, "No such file");
    assert_int_equal(told.plans, 0);
}

static void a_class_of_one_picture(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    album_png("photos/lonely/1.png", 50, 50);
    refused_whole(&options, VGG_BAD_ARGUMENT, "lonely");
    assert_int_equal(told.plans, 0);
}

static void too_little_memory(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);
    uint64_t most;

    (void)state;
    train(&options);
    most = told.plan.bytes;
    assert_int_equal(unlink(output), 0);
    told = (struct told){.room = 1};
    refused_whole(&options, VGG_NO_MEMORY, "too little");
    assert_int_equal(told.plans, 0);
    told = (struct told){.room = most};
    options.scales_n = 2;
    options.scales[0] = 32;
    options.scales[1] = 900;
    refused_whole(&options, VGG_NO_MEMORY, "test scales up to 32 would fit");
    assert_int_equal(told.plans, 0);
}

/* Nothing is written, and what was computed is kept. */
static void stopped(void **state)
{
    struct told told;
    struct vgg_train_options options = usual(&told);

    (void)state;
    options.features_cache = cache;
    told.stop_after = 3; /* and 4 were measured */
    refused_whole(&options, VGG_CANCELLED, cache);
    told = (struct told){.stop_after = 1};
    options.features_cache = NULL;
    refused_whole(&options, VGG_CANCELLED, "stopped");
    told = (struct told){.plans = 0};
    options.features_cache = cache;
    train(&options);
    assert_true(told.plan.cached >= 6 * 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, album_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frozen_tensors_are_the_bases),
        TEST(a_base_of_its_own_kind),
        TEST(what_is_served_has_learnt),
        TEST(folds),
        TEST(a_full_disk),
        TEST(pictures_take_memory),
        TEST(part),
        TEST(directory_and_unknown),
        TEST(balanced),
        TEST(the_same_bits),
        TEST(copies_know_nothing_of_each_other),
        TEST(a_cache_that_vanishes),
        TEST(one_class_more),
        TEST(options_that_differ),
        TEST(files_that_cannot_be_used),
        TEST(a_class_of_one_picture),
        TEST(too_little_memory),
        TEST(stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
