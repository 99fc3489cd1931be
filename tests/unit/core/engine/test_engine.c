/* Right answers from the engine, and the same bytes whatever the threads and the company. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/evaluate.h"
#include "core/nn/reference.h"
#include "fault.h"

enum { CLASSES_MAX = 16, VIEWS_MAX = 16 };

/* ---------------------------------------------------------------- the oracle ----------------- */

/* Posteriors of the single views, then their mean, by the oracle's layers. */
static void expect(struct maker *maker, const struct vgg_views *views,
                   double single[VIEWS_MAX][CLASSES_MAX], double *mean)
{
    size_t n = vgg_views_count(views), classes = maker->spec.classes;

    memset(mean, 0, classes * sizeof *mean);
    for (size_t i = 0; i < n; i++) {
        double logits[CLASSES_MAX];
        struct vgg_view view = vgg_views_get(views, i);

        reference_logits(maker, view.image->pixels, view.width, view.height, view.mirror, logits);
        oracle_softmax(logits, classes, single[i]);
        for (size_t c = 0; c < classes; c++)
            mean[c] += single[i][c] / (double)n;
    }
}

static void check_against_the_oracle(struct maker *maker, uint32_t width, uint32_t height,
                                     const struct vgg_request *request)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    struct vgg_model *model = load_made(maker);
    struct vgg_views *views = make_views(width, height, 1, request);
    double single[VIEWS_MAX][CLASSES_MAX], mean[CLASSES_MAX], spread = 0;
    size_t n = vgg_views_count(views), classes = maker->spec.classes;
    struct vgg_job *job;

    expect(maker, views, single, mean);
    assert_int_equal(vgg_engine_submit(engine, model, views, NULL, &job, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    assert_int_equal(vgg_job_view_count(job), n);
    for (size_t c = 0; c < classes; c++) {
        assert_true(fabs((double)vgg_job_posterior(job)[c] - mean[c]) < 1e-5);
        spread = fmax(spread, fabs(mean[c] - 1.0 / (double)classes));
        for (size_t i = 0; i < n; i++)
            assert_true(fabs((double)vgg_job_view_posterior(job, i)[c] - single[i][c]) < 1e-5);
    }
    /* A uniform answer would agree with anything. */
    assert_true(spread > 0.01);
    vgg_job_destroy(job);
    vgg_model_release(model);
    vgg_engine_destroy(engine);
}

static void agrees_with_the_oracle(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "B", "C", "D", "E"};
    const struct vgg_request request = {.scales = {64, 75, 101}, .scales_n = 3, .flip = true};
    const struct vgg_request plain = {.scales = {90}, .scales_n = 1};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct maker maker;

        maker_make(&maker, &(struct maker_spec){.arch = archs[i],
                                                .width = 3,
                                                .side = 1 + i % 2,
                                                .classes = 7 + i,
                                                .batch_norm = i % 3 == 1,
                                                .timm = i % 2,
                                                .seed = i});
        check_against_the_oracle(&maker, 80, 60, &request);
        check_against_the_oracle(&maker, 50, 150, &plain);
        maker_free(&maker);
    }
}

static void preprocessing_is_the_models(void **state)
{
    const struct vgg_request request = {.scales = {40}, .scales_n = 1, .flip = true};
    static const double mean[3] = {0.1, 0.5, 0.9}, std[3] = {0.1, 0.2, 0.4};
    struct maker maker;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.width = 4});
    maker_meta(&maker, "vgg.mean", "[0.1,0.5,0.9]");
    maker_meta(&maker, "vgg.std", "[0.1,0.2,0.4]");
    maker_meta(&maker, "vgg.channels", "BGR");
    memcpy(maker.mean, mean, sizeof mean);
    memcpy(maker.std, std, sizeof std);
    maker.bgr = true;
    check_against_the_oracle(&maker, 64, 40, &request);
    maker_free(&maker);
}

/* ---------------------------------------------------------------- the same bytes ------------- */

/* ThreadSanitizer sees a race without many repetitions, and takes its time. */
#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 1 };
#else
enum { ROUNDS = 3 };
#endif

enum { TASKS = 10, SUBMITTERS = 8 };

/* Pictures and scales, several of equal shape, on two models of different class counts. */
static const struct task {
    uint32_t width, height;
    struct vgg_request request;
    unsigned model;
} tasks[TASKS] = {
    {64, 48, {.scales = {64}, .scales_n = 1, .flip = true}, 0},
    {64, 48, {.scales = {64}, .scales_n = 1, .flip = true}, 1},
    {80, 60, {.scales = {64, 80}, .scales_n = 2, .flip = true}, 0},
    {48, 64, {.scales = {64}, .scales_n = 1, .flip = false}, 0},
    {100, 70, {.scales = {64, 65, 96}, .scales_n = 3, .flip = true}, 1},
    {64, 48, {.scales = {64, 70, 80, 90}, .scales_n = 4, .flip = false}, 0},
    {64, 64, {.scales = {64}, .scales_n = 1, .flip = true}, 0},
    {300, 60, {.scales = {64}, .scales_n = 1, .flip = true}, 0},
    {64, 48, {.scales = {64, 80}, .scales_n = 2, .flip = true}, 1},
    {65, 64, {.scales = {64, 100}, .scales_n = 2, .flip = true}, 0},
};

struct answer {
    size_t floats;
    float posteriors[(VIEWS_MAX + 1) * CLASSES_MAX];
};

static struct vgg_model *models[2];

/* Mean and single posteriors of a task; the seed is its number. */
static enum vgg_status run_task(struct vgg_engine *engine, size_t number, struct answer *answer)
{
    const struct task *task = &tasks[number];
    struct vgg_model *model = models[task->model];
    size_t classes = vgg_model_get_info(model)->classes;
    struct vgg_views *views = make_views(task->width, task->height, number, &task->request);
    struct vgg_job *job;
    enum vgg_status status = vgg_engine_submit(engine, model, views, NULL, &job, NULL);

    if (status != VGG_OK)
        return status;
    status = vgg_job_wait(job, NULL);
    memset(answer, 0, sizeof *answer);
    answer->floats = (vgg_job_view_count(job) + 1) * classes;
    memcpy(answer->posteriors, vgg_job_posterior(job), classes * sizeof(float));
    for (size_t i = 0; i < vgg_job_view_count(job); i++)
        memcpy(answer->posteriors + (i + 1) * classes, vgg_job_view_posterior(job, i),
               classes * sizeof(float));
    vgg_job_destroy(job);
    return status;
}

struct submitter {
    pthread_t thread;
    struct vgg_engine *engine;
    const struct answer *expected;
    size_t first, rounds;
    size_t wrong;
};

static void *submit_all(void *argument)
{
    struct submitter *submitter = argument;

    for (size_t i = 0; i < submitter->rounds * TASKS; i++) {
        size_t number = (submitter->first + i) % TASKS;
        struct answer answer;

        if (run_task(submitter->engine, number, &answer) != VGG_OK ||
            memcmp(&answer, &submitter->expected[number], sizeof answer) != 0)
            submitter->wrong++;
    }
    return NULL;
}

static void check_answers(const struct answer *answers)
{
    for (size_t i = 0; i < TASKS; i++) {
        size_t classes = vgg_model_get_info(models[tasks[i].model])->classes;
        double sum = 0;

        for (size_t c = 0; c < classes; c++)
            sum += (double)answers[i].posteriors[c];
        assert_true(fabs(sum - 1) < 1e-5);
    }
}

static void threads_and_company_change_no_byte(void **state)
{
    struct answer expected[TASKS];
    struct gate gate;

    (void)state;
    gate_init(&gate);
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct vgg_engine_options options = {threads, 0, gate_pass, &gate};
        struct vgg_engine *engine = make_engine(&options);
        struct submitter submitters[SUBMITTERS];

        for (size_t i = 0; i < TASKS; i++) {
            struct answer answer;

            assert_int_equal(run_task(engine, i, &answer), VGG_OK);
            if (threads == 1)
                expected[i] = answer;
            else
                assert_memory_equal(&answer, &expected[i], sizeof answer);
        }
        check_answers(expected);
        for (size_t i = 0; i < SUBMITTERS; i++) {
            submitters[i] = (struct submitter){
                .engine = engine, .expected = expected, .first = i * 3, .rounds = ROUNDS};
            assert_int_equal(
                pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]), 0);
        }
        for (size_t i = 0; i < SUBMITTERS; i++) {
            pthread_join(submitters[i].thread, NULL);
            assert_int_equal(submitters[i].wrong, 0);
        }
        vgg_engine_destroy(engine);
    }
    /* Batches larger than an image with its mirror: views of several jobs did meet. */
    assert_true(gate.views > 2 * gate.passes);
}

/* A batch put together on purpose: jobs of one shape that wait behind another. */
static void a_full_batch_changes_no_byte(void **state)
{
    enum { JOBS = 8 };
    struct gate gate;
    struct vgg_engine_options options = {2, 0, gate_pass, &gate};
    struct vgg_request request = {.scales = {64}, .scales_n = 1, .flip = true};
    struct vgg_engine *engine;
    struct vgg_job *first, *jobs[JOBS];
    float alone[JOBS][CLASSES_MAX];
    size_t classes = vgg_model_get_info(models[0])->classes;

    (void)state;
    gate_init(&gate);
    engine = make_engine(&options);
    for (size_t i = 0; i < JOBS; i++) {
        struct vgg_views *views = make_views(70, 64, i, &request);

        assert_int_equal(vgg_engine_submit(engine, models[0], views, NULL, &jobs[i], NULL), VGG_OK);
        assert_int_equal(vgg_job_wait(jobs[i], NULL), VGG_OK);
        memcpy(alone[i], vgg_job_posterior(jobs[i]), classes * sizeof(float));
        vgg_job_destroy(jobs[i]);
    }
    gate_set(&gate, true);
    assert_int_equal(
        vgg_engine_submit(engine, models[1], make_views(64, 64, 0, &request), NULL, &first, NULL),
        VGG_OK);
    gate_await(&gate);
    for (size_t i = 0; i < JOBS; i++) {
        struct vgg_views *views = make_views(70, 64, i, &request);

        assert_int_equal(vgg_engine_submit(engine, models[0], views, NULL, &jobs[i], NULL), VGG_OK);
    }
    gate_set(&gate, false);
    assert_int_equal(vgg_job_wait(first, NULL), VGG_OK);
    vgg_job_destroy(first);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(vgg_job_wait(jobs[i], NULL), VGG_OK);
        assert_memory_equal(vgg_job_posterior(jobs[i]), alone[i], classes * sizeof(float));
        vgg_job_destroy(jobs[i]);
    }
    vgg_engine_destroy(engine);
    assert_int_equal(gate.passes, JOBS + 2);
    assert_int_equal(gate.batches[JOBS + 1], 2 * JOBS);
    assert_memory_not_equal(alone[0], alone[1], classes * sizeof(float));
}

static void passes_are_counted(void **state)
{
    struct gate gate;
    struct vgg_engine_options options = {1, 0, gate_pass, &gate};
    struct vgg_engine *engine;
    struct answer answer;
    uint64_t macs;

    (void)state;
    gate_init(&gate);
    engine = make_engine(&options);
    assert_int_equal(run_task(engine, 4, &answer), VGG_OK);
    vgg_engine_destroy(engine);
    assert_int_equal(gate.passes, 3);
    assert_int_equal(gate.views, 6);
    assert_int_equal(vgg_request_check(models[1], &tasks[4].request, 100, 70, 1 << 20, &macs, NULL),
                     VGG_OK);
    assert_int_equal(gate.macs, macs);
}

/* A job holds its model: the submitter may let go of it. */
static void a_job_keeps_its_model(void **state)
{
    struct vgg_engine *engine = make_engine(&(struct vgg_engine_options){.threads = 2});
    struct vgg_request request = {.scales = {32}, .scales_n = 1};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = 3});
    struct vgg_job *job;

    (void)state;
    assert_int_equal(
        vgg_engine_submit(engine, model, make_views(40, 40, 1, &request), NULL, &job, NULL),
        VGG_OK);
    vgg_model_release(model);
    assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
    assert_true(fabs((double)(vgg_job_posterior(job)[0] + vgg_job_posterior(job)[1] +
                              vgg_job_posterior(job)[2]) -
                     1) < 1e-6);
    vgg_job_destroy(job);
    vgg_engine_destroy(engine);
}

static int start(void **state)
{
    (void)state;
    models[0] = make_model(&(struct maker_spec){.arch = "D", .width = 2, .classes = 5, .side = 2});
    models[1] = make_model(&(struct maker_spec){.arch = "A", .width = 2, .classes = 11, .side = 2});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    vgg_model_release(models[0]);
    vgg_model_release(models[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_oracle),
        cmocka_unit_test(preprocessing_is_the_models),
        cmocka_unit_test(threads_and_company_change_no_byte),
        cmocka_unit_test(a_full_batch_changes_no_byte),
        cmocka_unit_test(passes_are_counted),
        cmocka_unit_test(a_job_keeps_its_model),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
