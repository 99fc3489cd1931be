/* Typicality of a job: that of its features, of the model's own views only. */
#include "check.h"

#include <string.h>

#include "core/engine/jobs.h"
#include "typicality/typicality.h"
#include "vgg_typicality.h"

static const struct vgg_job_options asking = {.typicality = true};
static const struct vgg_job_options with_features = {.typicality = true, .features = true};

static struct vgg_model *known_model(unsigned known)
{
    struct vgg_model *model;
    struct maker maker;

    maker_make(&maker, &(struct maker_spec){.fc2 = 12, .known = known});
    maker_meta(&maker, "vgg.scales", "[48, 64]");
    model = load_made(&maker);
    maker_free(&maker);
    return model;
}

static const struct vgg_request own = {.scales = {48, 64}, .scales_n = 2, .flip = true};

static void of_its_features(void **state)
{
    struct vgg_model *model = known_model(200);
    double first = 0;

    (void)state;
    for (uint64_t picture = 0; picture < 3; picture++) {
        struct vgg_job *job = evaluate(model, make_views(80, 60, picture, &own), &with_features);
        struct vgg_job *alone = evaluate(model, make_views(80, 60, picture, &own), &asking);
        double p = -1, again = -1;

        assert_true(vgg_job_typicality(job, &p));
        assert_true(p == vgg_typicality_p(
                             &model->typicality,
                             vgg_typicality_distance(&model->typicality, vgg_job_features(job))));
        assert_true(vgg_job_typicality(alone, &again) && again == p);
        assert_null(vgg_job_features(alone));
        assert_true(p >= 1 / 201.0 && p <= 1);
        if (picture == 0)
            first = p;
        else
            assert_true(p != first); /* the made distances tell these pictures apart */
        vgg_job_destroy(job);
        vgg_job_destroy(alone);
    }
    vgg_model_release(model);
}

/* None: `views` are not the model's, or it has none. */
static void check_none(struct vgg_model *model, struct vgg_views *views,
                       const struct vgg_job_options *options)
{
    struct vgg_job *job = evaluate(model, views, options);
    double p = 7;

    assert_false(vgg_job_typicality(job, &p));
    assert_true(p == 7);
    assert_null(vgg_job_features(job));
    vgg_job_destroy(job);
}

static void of_own_views_only(void **state)
{
    static const struct vgg_request others[] = {
        {.scales = {48, 64}, .scales_n = 2},
        {.scales = {48}, .scales_n = 1, .flip = true},
        {.scales = {48, 65}, .scales_n = 2, .flip = true},
        {.scales = {48, 64, 80}, .scales_n = 3, .flip = true},
    };
    static const float input[3 * 48 * 48];
    struct vgg_model *model = known_model(200), *plain = known_model(0);
    struct vgg_image *image = make_image(60, 80, 1);
    struct vgg_views *views;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        check_none(model, make_views(80, 60, 1, &others[i]), &asking);
    assert_int_equal(vgg_views_create_crops(image, &own, 32, 2, &views, NULL), VGG_OK);
    check_none(model, views, &asking);
    assert_int_equal(vgg_views_create_input(input, 48, 48, &views, NULL), VGG_OK);
    check_none(model, views, &asking);
    check_none(model, make_views(80, 60, 1, &own), NULL);
    check_none(plain, make_views(80, 60, 1, &own), &asking);
    vgg_image_destroy(image);
    vgg_model_release(model);
    vgg_model_release(plain);
}

/* Tall, wide and square pictures all have the model's scales; a neighbour that asks for nothing
 * shares the pass. */
static void of_any_shape(void **state)
{
    static const uint32_t sides[][2] = {{33, 200}, {200, 33}, {64, 64}, {48, 49}};
    struct vgg_model *model = known_model(200);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        struct vgg_job *plain = submit(model, make_views(sides[i][0], sides[i][1], 1, &own), NULL);
        struct vgg_job *job = submit(model, make_views(sides[i][0], sides[i][1], 2, &own), &asking);
        double p;

        assert_int_equal(vgg_job_wait(plain, NULL), VGG_OK);
        assert_int_equal(vgg_job_wait(job, NULL), VGG_OK);
        assert_true(vgg_job_typicality(job, &p));
        assert_false(vgg_job_typicality(plain, &p));
        vgg_job_destroy(plain);
        vgg_job_destroy(job);
    }
    vgg_model_release(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_its_features),
        cmocka_unit_test(of_own_views_only),
        cmocka_unit_test(of_any_shape),
    };

    return cmocka_run_group_tests(tests, engine_start, engine_stop);
}
