/* Image features of a job: the oracle's values, averaged over views, alone and beside others. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/jobs.h"
#include "core/nn/reference.h"

enum { UNITS_MAX = 64 };

static const struct vgg_job_options with_features = {.features = true};

/* ---------------------------------------------------------------- values --------------------- */

/* Two pictures of one size, each with its mirror image. */
static void check_against_the_oracle(const struct maker_spec *spec, uint32_t width, uint32_t height)
{
    double expected[UNITS_MAX] = {0}, view[UNITS_MAX], norm = 0;
    struct vgg_views *views = exact_views(width, height, 2, true);
    struct vgg_model *model;
    struct vgg_job *job;
    struct maker maker;
    uint32_t units;

    maker_make(&maker, spec);
    model = load_made(&maker);
    units = vgg_model_get_info(model)->features;
    assert_int_equal(units, spec->fc2);
    job = evaluate(model, views, &with_features);
    for (size_t i = 0; i < 4; i++) {
        reference_features(&maker, views->images[i / 2]->pixels, width, height, i % 2 == 1, view);
        for (size_t unit = 0; unit < units; unit++)
            expected[unit] += view[unit] / 4;
    }
    for (size_t unit = 0; unit < units; unit++)
        norm += expected[unit] * expected[unit];
    norm = sqrt(norm / units);
    assert_true(norm > 0);
    for (size_t unit = 0; unit < units; unit++)
        assert_true(fabs((double)vgg_job_features(job)[unit] - expected[unit]) < 2e-5 * norm);
    vgg_job_destroy(job);
    vgg_model_release(model);
    maker_free(&maker);
}

static void agree_with_the_oracle(void **state)
{
    (void)state;
    check_against_the_oracle(&(struct maker_spec){.arch = "A", .fc2 = 16}, 32, 32);
    check_against_the_oracle(&(struct maker_spec){.arch = "C", .side = 2, .fc2 = 23}, 97, 140);
    check_against_the_oracle(
        &(struct maker_spec){.arch = "D", .fc2 = 64, .batch_norm = true, .timm = true}, 131, 40);
}

/* Crops that coincide are computed once, and count as often as they were asked for. */
static void crops_are_counted(void **state)
{
    const struct vgg_request both = {.scales = {32, 48}, .scales_n = 2};
    const struct vgg_request one = {.scales = {32}, .scales_n = 1};
    const struct vgg_request other = {.scales = {48}, .scales_n = 1};
    const struct vgg_request *const requests[3] = {&both, &one, &other};
    struct vgg_model *model = make_model(&(struct maker_spec){.fc2 = 8});
    struct vgg_image *image = make_image(60, 60, 1);
    struct vgg_job *jobs[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct vgg_views *views = NULL;

        assert_int_equal(vgg_views_create_crops(image, requests[i], 32, 3, &views, NULL), VGG_OK);
        jobs[i] = evaluate(model, views, &with_features);
    }
    for (size_t unit = 0; unit < 8; unit++) {
        const double mean =
            ((double)vgg_job_features(jobs[1])[unit] + (double)vgg_job_features(jobs[2])[unit]) / 2;

        assert_true(fabs((double)vgg_job_features(jobs[0])[unit] - mean) <= 1e-6 * fabs(mean));
    }
    for (size_t i = 0; i < 3; i++)
        vgg_job_destroy(jobs[i]);
    vgg_image_destroy(image);
    vgg_model_release(model);
}

/* ---------------------------------------------------------------- otherwise ------------------ */

/* Nothing is kept unless asked for; asking changes no score, nor does a neighbour in the pass. */
static void only_where_asked(void **state)
{
    const struct vgg_request request = {.scales = {64, 90}, .scales_n = 2, .flip = true};
    struct vgg_model *model = make_model(&(struct maker_spec){.classes = 7, .fc2 = 9});
    struct vgg_job *alone = evaluate(model, make_views(80, 60, 1, &request), &with_features);
    struct vgg_job *first = submit(model, make_views(80, 60, 2, &request), NULL);
    struct vgg_job *plain = submit(model, make_views(80, 60, 1, &request), NULL);
    struct vgg_job *asking = submit(model, make_views(80, 60, 1, &request), &with_features);

    (void)state;
    assert_int_equal(vgg_job_wait(first, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(plain, NULL), VGG_OK);
    assert_int_equal(vgg_job_wait(asking, NULL), VGG_OK);
    assert_null(vgg_job_features(plain));
    assert_memory_equal(vgg_job_features(alone), vgg_job_features(asking), 9 * sizeof(float));
    assert_memory_equal(vgg_job_posterior(plain), vgg_job_posterior(asking), 7 * sizeof(float));
    assert_memory_equal(vgg_job_posterior(plain), vgg_job_posterior(alone), 7 * sizeof(float));
    vgg_job_destroy(alone);
    vgg_job_destroy(first);
    vgg_job_destroy(plain);
    vgg_job_destroy(asking);
    vgg_model_release(model);
}

/* The job, its progress, scores, posteriors, features of the views and their mean. */
static void out_of_memory(void **state)
{
    (void)state;
    if (!fault_available())
        skip();
    check_out_of_memory(&with_features, 6);
}

static void fill(struct maker *maker, const char *name, double value)
{
    struct maker_tensor *tensor = maker_find(maker, name);

    for (size_t i = 0; i < tensor->values_n; i++)
        tensor->values[i] = value;
}

/* Infinite activations, whatever their weights, give no score that is a number. */
static void features_that_are_not_finite(void **state)
{
    struct vgg_error error = {0};
    struct vgg_model *model;
    struct maker maker;
    struct vgg_job *job;

    (void)state;
    maker_make(&maker, &(struct maker_spec){.classes = 4});
    fill(&maker, "classifier.0.bias", (double)1e20F);
    fill(&maker, "classifier.3.weight", (double)1e20F);
    fill(&maker, "classifier.6.weight", 0);
    model = load_made(&maker);
    job = submit(model, exact_views(40, 40, 1, false), &with_features);
    assert_int_equal(vgg_job_wait(job, &error), VGG_BAD_MODEL);
    vgg_job_destroy(job);
    vgg_model_release(model);
    maker_free(&maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_the_oracle),
        cmocka_unit_test(crops_are_counted),
        cmocka_unit_test(only_where_asked),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(features_that_are_not_finite),
    };

    return cmocka_run_group_tests(tests, engine_start, engine_stop);
}
