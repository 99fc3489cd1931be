/* Answers, problems and models, read back by an independent parse. */
#include <math.h>

#include "server/json_fixture.h"

/* ---------------------------------------------------------------- answers -------------------- */

static void one_image(void **state)
{
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    struct json_answer answer = answer_about(&fixture.evaluation, 1);
    json_t *root = parse_answer(&answer);
    const json_t *model = get(root, "model"), *image = get(root, "image");
    const json_t *scales = get(root, "scales"), *timing = get(root, "timing_ms");

    (void)state;
    assert_string_equal(string(root, "request_id"), "id-1");
    assert_string_equal(string(model, "name"), info->name);
    assert_string_equal(string(model, "arch"), "A");
    assert_string_equal(string(model, "version"), info->version);
    assert_string_equal(string(model, "kernel"), info->kernel);
    assert_string_equal(string(model, "precision"), info->precision);
    assert_string_equal(string(image, "format"), "jpeg");
    assert_int_equal(integer(image, "width"), 80);
    assert_int_equal(integer(image, "height"), 64);
    assert_int_equal(json_array_size(scales), 2);
    assert_int_equal(json_integer_value(json_array_get(scales, 0)), 32);
    assert_int_equal(json_integer_value(json_array_get(scales, 1)), 64);
    assert_true(json_is_true(get(root, "flip")));
    check_top(get(root, "top"), fixture.posterior, 5);
    assert_true(json_real_value(get(timing, "queue")) >= 1.5);
    assert_true(json_is_real(get(timing, "decode")) && json_is_real(get(timing, "infer")));
    assert_true(json_real_value(get(timing, "total")) == 9876.54321 ||
                json_real_value(get(timing, "total")) == 9876.543);
    for (const char *const *absent =
             (const char *const[]){"views", "map", "results", "file", "status", "type",
                                   "typicality", "reject", "known", NULL};
         *absent != NULL; absent++)
        assert_null(json_object_get(root, *absent));
    json_decref(root);
}

static void top_k_is_cut_to_the_classes(void **state)
{
    struct evaluation_params params = fixture.params;
    struct json_answer answer = answer_about(&fixture.evaluation, 1);
    json_t *root;

    (void)state;
    answer.params = &params;
    params.top_k = 1;
    root = parse_answer(&answer);
    check_top(get(root, "top"), fixture.posterior, 1);
    json_decref(root);
    params.top_k = UINT32_MAX;
    root = parse_answer(&answer);
    check_top(get(root, "top"), fixture.posterior, CLASSES);
    json_decref(root);
}

/* Every float comes back as the same float: subnormals, neighbours, ties, zero and one. */
static void floats_survive(void **state)
{
    float saved[CLASSES];
    struct evaluation_params params = fixture.params;
    struct json_answer answer = answer_about(&fixture.evaluation, 1);
    uint32_t bits = 12345;
    json_t *root;

    (void)state;
    memcpy(saved, fixture.posterior, sizeof saved);
    for (size_t i = 0; i < CLASSES; i++) {
        bits = bits * 1664525 + 1013904223;
        bits = i % 3 == 0 ? bits & 0x7fffff : bits % 0x3f800001; /* subnormal, or up to 1 */
        memcpy(&fixture.posterior[i], &bits, sizeof bits);
    }
    fixture.posterior[0] = 1;
    fixture.posterior[1] = 0x1.fffffep-1f; /* the one below */
    fixture.posterior[2] = 0x1p-149f;      /* the least */
    fixture.posterior[3] = 0x1p-126f;      /* the least normal */
    fixture.posterior[4] = 0;
    fixture.posterior[5] = fixture.posterior[6] = 0.1f;
    fixture.posterior[7] = 0x1.99999cp-4f; /* next to it */
    fixture.posterior[8] = 1.0f / 3;
    params.top_k = CLASSES;
    answer.params = &params;
    root = parse_answer(&answer);
    check_top(get(root, "top"), fixture.posterior, CLASSES);
    json_decref(root);
    memcpy(fixture.posterior, saved, sizeof saved);
}

/* Scale by scale, the original before its mirror. */
static void views_of_one_image(void **state)
{
    struct json_answer answer = answer_about(&fixture.evaluation, 1);
    struct evaluation_params params = fixture.params;
    const json_t *views;
    json_t *root;

    (void)state;
    params.views = true;
    params.top_k = 3;
    answer.params = &params;
    root = parse_answer(&answer);
    views = get(root, "views");
    assert_int_equal(json_array_size(views), 2 * SCALES);
    for (size_t i = 0; i < 2 * SCALES; i++) {
        const json_t *view = json_array_get(views, i);

        assert_int_equal(integer(view, "scale"), params.request.scales[i / 2]);
        assert_int_equal(json_is_true(get(view, "flip")), i % 2 == 1);
        check_top(get(view, "top"), vgg_job_view_posterior(fixture.evaluation.job, i), 3);
    }
    check_top(get(root, "top"), fixture.posterior, 3);
    json_decref(root);
}

static void check_floats(const json_t *array, const float *floats, size_t n)
{
    assert_int_equal(json_array_size(array), n);
    for (size_t i = 0; i < n; i++)
        assert_true((float)json_real_value(json_array_get(array, i)) == floats[i]);
}

/* View by view, the classes as in the answer's top. */
static void map_of_one_image(void **state)
{
    struct json_answer answer = answer_about(&fixture.evaluation, 1);
    struct evaluation_params params = fixture.params;
    const json_t *maps;
    json_t *root;

    (void)state;
    params.map = true;
    params.top_k = 3;
    answer.params = &params;
    root = parse_answer(&answer);
    check_top(get(root, "top"), fixture.posterior, 3);
    maps = get(root, "map");
    assert_int_equal(json_array_size(maps), 2 * SCALES);
    for (size_t i = 0; i < 2 * SCALES; i++) {
        const json_t *shown = json_array_get(maps, i), *region = get(shown, "region");
        const struct vgg_score_map *map = vgg_job_map(fixture.evaluation.job, i);
        size_t positions = (size_t)map->rows * map->columns;
        float sums[16];

        assert_in_range(positions, 1, 16);
        assert_int_equal(integer(shown, "scale"), params.request.scales[i / 2]);
        assert_int_equal(json_is_true(get(shown, "flip")), i % 2 == 1);
        assert_int_equal(integer(shown, "rows"), map->rows);
        assert_int_equal(integer(shown, "columns"), map->columns);
        assert_true(fabs(json_real_value(get(region, "x")) - map->x) < 1e-6);
        assert_true(fabs(json_real_value(get(region, "y")) - map->y) < 1e-6);
        assert_true(fabs(json_real_value(get(region, "width")) - map->width) < 1e-6);
        assert_true(fabs(json_real_value(get(region, "height")) - map->height) < 1e-6);
        assert_true(fabs(json_real_value(get(region, "step_x")) - map->step_x) < 1e-6);
        assert_true(fabs(json_real_value(get(region, "step_y")) - map->step_y) < 1e-6);
        vgg_score_map_log_sums(map, sums);
        check_floats(get(shown, "log_sums"), sums, positions);
        assert_int_equal(json_array_size(get(shown, "classes")), 3);
        for (size_t rank = 0; rank < 3; rank++) {
            const json_t *entry = json_array_get(get(shown, "classes"), rank);
            json_int_t index = integer(json_array_get(get(root, "top"), rank), "index");

            assert_int_equal(integer(entry, "rank"), rank + 1);
            assert_int_equal(integer(entry, "index"), index);
            check_floats(get(entry, "values"), map->logits + (size_t)index * positions, positions);
        }
    }
    json_decref(root);
}

/* One bad image is a problem among the results, not of the request. */
static void several_images(void **state)
{
    struct evaluation evaluations[3] = {fixture.evaluation, {.failed = true}, fixture.evaluation};
    struct json_answer answer = answer_about(evaluations, 3);
    const json_t *results, *bad;
    json_t *root;

    (void)state;
    problem_set(&evaluations[1].problem, PROBLEM_BAD_IMAGE, "it ends early");
    root = parse_answer(&answer);
    assert_string_equal(string(root, "request_id"), "id-1");
    assert_null(json_object_get(root, "top"));
    results = get(root, "results");
    assert_int_equal(json_array_size(results), 3);
    for (size_t i = 0; i < 3; i++)
        assert_null(json_object_get(json_array_get(results, i), "request_id"));
    check_top(get(json_array_get(results, 0), "top"), fixture.posterior, 5);
    check_top(get(json_array_get(results, 2), "top"), fixture.posterior, 5);
    bad = json_array_get(results, 1);
    assert_int_equal(integer(bad, "status"), 422);
    assert_string_equal(string(bad, "type"), "urn:vgg:problem:bad-image");
    assert_string_equal(string(bad, "detail"), "it ends early");
    assert_null(json_object_get(bad, "top"));
    json_decref(root);
}

/* Each of several has its own. */
static void typicality(void **state)
{
    struct evaluation evaluations[2] = {fixture.evaluation, fixture.evaluation};
    struct json_answer answer = answer_about(evaluations, 2);
    const json_t *results;
    json_t *root;

    (void)state;
    evaluations[0].typicality = (struct evaluation_typicality){0.25, 0.05, true};
    evaluations[1].typicality = (struct evaluation_typicality){1 / 3.0, 1, false};
    root = parse_answer(&answer);
    results = get(root, "results");
    for (size_t i = 0; i < 2; i++) {
        const struct evaluation_typicality *expected = &evaluations[i].typicality;
        const json_t *result = json_array_get(results, i);

        assert_true(fabs(json_real_value(get(result, "typicality")) - expected->p) < 1e-9);
        assert_true(fabs(json_real_value(get(result, "reject")) - expected->reject) < 1e-9);
        assert_true(json_is_true(get(result, "known")) == expected->known);
        assert_true(json_is_boolean(get(result, "known")));
    }
    json_decref(root);
}

static void problems(void **state)
{
    struct problem problem;
    size_t size = 0;
    char *line;
    json_t *root;

    (void)state;
    problem_set(&problem, PROBLEM_QUEUE_FULL, "say \"when\"\n");
    line = json_problem(&problem, "id-2", NULL, &size);
    root = parse(line, size);
    assert_string_equal(string(root, "type"), "urn:vgg:problem:queue-full");
    assert_string_equal(string(root, "title"), "Queue full");
    assert_int_equal(integer(root, "status"), 503);
    assert_string_equal(string(root, "detail"), "say \"when\"\n");
    assert_string_equal(string(root, "request_id"), "id-2");
    assert_int_equal(json_object_size(root), 5);
    json_decref(root);
    line = json_problem(&problem, NULL, "a.jpg", &size);
    root = parse(line, size);
    assert_string_equal(string(root, "file"), "a.jpg");
    assert_null(json_object_get(root, "request_id"));
    json_decref(root);
    line = json_status("draining", &size);
    root = parse(line, size);
    assert_string_equal(string(root, "status"), "draining");
    json_decref(root);
}

/* ---------------------------------------------------------------- models --------------------- */

static void models(void **state)
{
    static const uint32_t scales[] = {64, 96};
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    const json_t *preprocessing;
    size_t size = 0;
    char *line = json_model(fixture.model, scales, 2, false, false, &size);
    json_t *root = parse(line, size);

    (void)state;
    assert_string_equal(string(root, "name"), info->name);
    assert_string_equal(string(root, "arch"), "A");
    assert_string_equal(string(root, "version"), info->version);
    assert_true(json_is_false(get(root, "trained")));
    assert_int_equal(integer(root, "classes"), CLASSES);
    assert_int_equal(integer(root, "parameters"), info->parameters);
    assert_int_equal(json_array_size(get(root, "scales")), 2);
    assert_true(json_is_false(get(root, "flip")));
    assert_string_equal(string(root, "kernel"), info->kernel);
    assert_string_equal(string(root, "precision"), info->precision);
    assert_string_equal(string(root, "fc_weights"), info->fc_weights);
    preprocessing = get(root, "preprocessing");
    assert_string_equal(string(preprocessing, "channels"), "RGB");
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_real_value(json_array_get(get(preprocessing, "mean"), i)) ==
                    info->mean[i]);
        assert_true(json_real_value(json_array_get(get(preprocessing, "std"), i)) == info->std[i]);
    }
    assert_null(json_object_get(root, "labels"));
    assert_null(json_object_get(root, "typicality"));
    json_decref(root);
}

/* How many known pictures, and the least level that these allow, which is above the model's. */
static void models_with_typicality(void **state)
{
    struct vgg_model *model = model_with_typicality();
    size_t size = 0;

    (void)state;
    for (int which = 0; which < 2; which++) {
        char *line = which == 0 ? json_inspect(model, &size)
                                : json_model(model, (const uint32_t[]){64}, 1, true, false, &size);
        json_t *root = parse(line, size);
        const json_t *typicality = get(root, "typicality");

        assert_int_equal(integer(typicality, "known"), 99);
        assert_true(json_real_value(get(typicality, "reject")) == 0.02);
        json_decref(root);
    }
    vgg_model_release(model);
}

static void names_of_the_classes(void **state)
{
    static const uint32_t scales[] = {64};
    size_t size = 0, i;
    char *line = json_model(fixture.model, scales, 1, false, true, &size);
    json_t *root = parse(line, size), *class;

    (void)state;
    json_array_foreach(get(root, "labels"), i, class)
    {
        const char *id, *label;

        vgg_model_get_label(fixture.model, (uint32_t)i, &id, &label);
        assert_string_equal(string(class, "id"), id);
        assert_string_equal(string(class, "label"), label);
    }
    assert_int_equal(i, CLASSES);
    json_decref(root);
}

static void inspection(void **state)
{
    size_t size = 0;
    char *line = json_inspect(fixture.model, &size);
    json_t *root = parse(line, size), *layer;
    json_int_t parameters = 0;
    size_t i;

    (void)state;
    json_array_foreach(get(root, "layers"), i, layer) parameters += integer(layer, "parameters");
    assert_int_equal(i, 11); /* of configuration A */
    assert_int_equal(parameters, integer(root, "parameters"));
    assert_string_equal(string(json_array_get(get(root, "layers"), 0), "name"), "conv1_1");
    assert_string_equal(string(root, "dtype"), "F32");
    assert_int_equal(json_array_size(get(root, "labels")), CLASSES);
    assert_int_equal(integer(json_array_get(get(root, "macs"), 0), "macs"),
                     vgg_model_view_macs(fixture.model, 256, 256));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_image),        cmocka_unit_test(top_k_is_cut_to_the_classes),
        cmocka_unit_test(floats_survive),   cmocka_unit_test(views_of_one_image),
        cmocka_unit_test(map_of_one_image), cmocka_unit_test(several_images),
        cmocka_unit_test(problems),         cmocka_unit_test(models),
        cmocka_unit_test(inspection),       cmocka_unit_test(names_of_the_classes),
        cmocka_unit_test(typicality),       cmocka_unit_test(models_with_typicality),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
