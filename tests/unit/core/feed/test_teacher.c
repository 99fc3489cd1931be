/* A teacher that looks at crops: it sees what its pupil sees, at its own size, in its own form. */
#include "core/data/album.h"

#include <math.h>

#include "data/statistics.h"
#include "feed/teacher.h"
#include "model_maker.h"

enum { CLASSES = 2, CROP = 64, EXAMPLES = 15 };

static struct vgg_dataset dataset; /* 5 of "a", 10 of "b" */
static struct vgg_engine *engine;

/* Crops that are all of a square picture, so that the engine can be asked for the same. */
static const struct vgg_sampling whole = {
    .seed = 1, .crop = CROP, .scale_min = CROP, .scale_max = CROP};

static int start(void **state)
{
    if (album_start(state) != 0)
        return 1;
    for (unsigned i = 0; i < EXAMPLES; i++) {
        char name[32];

        snprintf(name, sizeof name, "%s/%02u.png", i < 5 ? "a" : "b", i);
        album_png(name, 70 + i, 70 + i);
    }
    album_open(&(struct vgg_dataset_options){.cache_bytes = 1 << 30}, teams[0], &dataset);
    vgg_dataset_statistics(&dataset);
    return vgg_engine_create(&(struct vgg_engine_options){.threads = 1}, &engine, NULL) == VGG_OK
               ? 0
               : 1;
}

static int stop(void **state)
{
    vgg_engine_destroy(engine);
    vgg_dataset_fini(&dataset);
    return album_stop(state);
}

static const char *put_model(uint32_t crop, const char *channels)
{
    const struct maker_spec spec = {
        .width = 4, .fc1 = 16, .fc2 = 16, .classes = CLASSES, .side = crop / 32, .seed = 3};
    static char path[1024];
    struct maker maker;
    unsigned char *bytes;
    size_t size;

    snprintf(path, sizeof path, "%s", album_path("teacher.safetensors"));
    maker_make(&maker, &spec);
    maker_meta(&maker, "vgg.labels", "[\"b\", \"a\"]"); /* not in the order of the set */
    maker_meta(&maker, "vgg.channels", channels);
    maker_meta(&maker, "vgg.mean", "[0.5, 0.25, 0.125]");
    maker_meta(&maker, "vgg.std", "[0.5, 0.25, 1]");
    bytes = maker_bytes(&maker, &size);
    maker_write(path, bytes, size);
    free(bytes);
    maker_free(&maker);
    return path;
}

static void open_teacher(struct vgg_teacher *teacher, const char *path)
{
    const struct vgg_train_options settings = {.teacher = path, .threads = 1};
    struct vgg_error error = {0};

    if (vgg_teacher_open(teacher, &dataset, &settings, &error) != VGG_OK ||
        vgg_teacher_attend(teacher, engine, &dataset, &whole, EXAMPLES, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

static void look(struct vgg_teacher *teacher, const uint32_t *examples, size_t view)
{
    for (size_t i = 0; i < EXAMPLES; i++)
        assert_int_equal(vgg_teacher_sample(teacher, i, examples[i], view, NULL), VGG_OK);
    assert_int_equal(vgg_teacher_judge(teacher, examples, EXAMPLES, view, NULL), VGG_OK);
}

/* What the engine says of the whole picture: the roots, since targets are softened. */
static void expect_target(const struct vgg_teacher *teacher, const uint32_t example, uint32_t scale,
                          const float *target)
{
    const struct vgg_request request = {.scales = {scale}, .scales_n = 1};
    struct vgg_views *views;
    struct vgg_job *job;
    const float *posterior;
    double a, b;

    assert_int_equal(vgg_views_create(dataset.examples[example].image, &request, &views, NULL),
                     VGG_OK);
    assert_int_equal(vgg_engine_submit(engine, teacher->model, views, NULL, &job, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    posterior = vgg_job_posterior(job);
    b = sqrt((double)posterior[0]);
    a = sqrt((double)posterior[1]);
    assert_true(fabs((double)target[0] - a / (a + b)) < 1e-5);
    assert_true(fabs((double)target[1] - b / (a + b)) < 1e-5);
    vgg_job_destroy(job);
}

static void it_sees_the_crop(void **state)
{
    static const struct {
        uint32_t crop, shown; /* pixels */
        const char *channels;
    } cases[] = {{32, CROP, "RGB"}, {64, CROP, "BGR"}, {96, 96, "RGB"}};
    uint32_t examples[EXAMPLES];

    (void)state;
    for (uint32_t i = 0; i < EXAMPLES; i++)
        examples[i] = (i * 7 + 3) % EXAMPLES;
    for (size_t c = 0; c < 3; c++) {
        struct vgg_teacher teacher = {0};

        open_teacher(&teacher, put_model(cases[c].crop, cases[c].channels));
        look(&teacher, examples, 5);
        for (uint32_t i = 0; i < EXAMPLES; i++) {
            expect_target(&teacher, i, cases[c].shown, vgg_teacher_target(&teacher, i, 5));
            assert_true(vgg_teacher_target(&teacher, i, 4)[0] == 0); /* not looked at */
        }
        vgg_teacher_fini(&teacher);
    }
}

/* A view is looked at once: what is there stays. The views come in turn. */
static void it_looks_once(void **state)
{
    struct vgg_teacher teacher = {0};
    uint32_t examples[EXAMPLES];
    float before[CLASSES];

    (void)state;
    for (uint32_t i = 0; i < EXAMPLES; i++)
        examples[i] = i;
    open_teacher(&teacher, put_model(32, "RGB"));
    look(&teacher, examples, 0);
    memcpy(before, vgg_teacher_target(&teacher, 3, 0), sizeof before);
    memset(teacher.inputs, 0, 3 * sizeof *teacher.inputs * CROP * CROP * EXAMPLES);
    look(&teacher, examples, 0);
    assert_memory_equal(before, vgg_teacher_target(&teacher, 3, 0), sizeof before);
    assert_true(teacher.inputs[0] == 0);
    assert_int_equal(vgg_teacher_view(&teacher, 3), 3);
    assert_int_equal(vgg_teacher_view(&teacher, VGG_TEACHER_VIEWS + 3), 3);
    vgg_teacher_fini(&teacher);
}

/* Targets are kept of all views, inputs of a batch, here and in the engine. */
static void memory(void **state)
{
    const uint64_t kept = sizeof(float) * VGG_TEACHER_VIEWS * CLASSES, input = 3 * CROP * CROP;
    struct vgg_teacher teacher = {0};
    uint64_t bytes;

    (void)state;
    assert_int_equal(vgg_teacher_bytes(&teacher, EXAMPLES, 1), 0);
    open_teacher(&teacher, put_model(32, "RGB"));
    bytes = vgg_teacher_bytes(&teacher, EXAMPLES, 1);
    assert_int_equal(vgg_teacher_bytes(&teacher, EXAMPLES + 1, 1) - bytes,
                     2 * sizeof(float) * input);
    teacher.seen.examples_n += 1000;
    assert_int_equal(vgg_teacher_bytes(&teacher, EXAMPLES, 1) - bytes, 1000 * kept);
    vgg_teacher_fini(&teacher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_sees_the_crop),
        cmocka_unit_test(it_looks_once),
        cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests_name("teacher", tests, start, stop);
}
