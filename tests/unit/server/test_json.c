/* Answers, read back by an independent parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "fault.h"
#include "jpeg_maker.h"
#include "json.h"
#include "model_maker.h"

enum { CLASSES = 1000, SCALES = 2 };

/* An evaluated image of a tiny network with ImageNet's classes. */
static struct {
    struct vgg_model *model;
    struct vgg_engine *engine;
    uint8_t *jpeg;
    size_t jpeg_size;
    struct evaluation_params params;
    struct evaluation evaluation;
    float *posterior; /* [CLASSES], of the evaluation */
} fixture;

static int setup(void **state)
{
    static const struct vgg_init_options tiny = {
        .arch = "A", .width = 2, .fc = 8, .classes = CLASSES, .crop = 32, .seed = 7};
    static const struct jpeg_spec spec = {.width = 80, .height = 64};
    static const struct vgg_image_limits limits;
    static const struct vgg_job_options options;
    struct evaluation *evaluation = &fixture.evaluation;
    char path[] = "/tmp/vgg-json-XXXXXX";
    int fd = mkstemp(path);
    bool loaded;

    (void)state;
    loaded = fd >= 0 && vgg_model_init_file(path, &tiny, NULL) == VGG_OK &&
             vgg_model_load(path, &fixture.model, NULL) == VGG_OK;
    close(fd);
    unlink(path);
    if (!loaded ||
        vgg_engine_create(&(struct vgg_engine_options){.threads = 1}, &fixture.engine, NULL) !=
            VGG_OK ||
        !jpeg_make(&spec, &fixture.jpeg, &fixture.jpeg_size))
        return -1;
    fixture.params = (struct evaluation_params){
        .request = {.scales = {32, 64}, .scales_n = SCALES, .flip = true}, .top_k = 5};
    evaluation->bytes = fixture.jpeg;
    evaluation->size = fixture.jpeg_size;
    evaluation_check(evaluation, fixture.model, &fixture.params, &limits, UINT64_MAX);
    evaluation_begin(evaluation, fixture.engine, fixture.model, &fixture.params, &limits, &options);
    evaluation_end(evaluation);
    if (evaluation->failed)
        return -1;
    fixture.posterior = (float *)(uintptr_t)vgg_job_posterior(evaluation->job);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    evaluation_fini(&fixture.evaluation);
    vgg_engine_destroy(fixture.engine);
    vgg_model_release(fixture.model);
    free(fixture.jpeg);
    return 0;
}

/* ---------------------------------------------------------------- reading back --------------- */

/* One line, one JSON value, nothing else. */
static json_t *parse(char *line, size_t size)
{
    json_t *root;

    if (line == NULL)
        fail_msg("the line is lost");
    assert_int_equal(strlen(line), size);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        fail_msg("not JSON: %s", line);
    free(line);
    return root;
}

static const json_t *get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL)
        fail_msg("%s is missing", key);
    return value;
}

static const char *string(const json_t *object, const char *key)
{
    const json_t *value = get(object, key);

    assert_true(json_is_string(value));
    return json_string_value(value);
}

static json_int_t integer(const json_t *object, const char *key)
{
    const json_t *value = get(object, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static struct json_answer answer_about(const struct evaluation *evaluations, size_t n)
{
    return (struct json_answer){.request_id = "id-1",
                                .model = fixture.model,
                                .params = &fixture.params,
                                .evaluations = evaluations,
                                .evaluations_n = n,
                                .several = n > 1,
                                .queue_ns = 1500000,
                                .total_ns = 9876543210};
}

static json_t *parse_answer(const struct json_answer *answer)
{
    size_t size = 0;
    char *line = json_answer(answer, &size);

    return parse(line, size);
}

/* The k best in order, with the scores as exactly those floats. */
static void check_top(const json_t *top, const float *posterior, size_t k)
{
    const float *previous = NULL;

    assert_int_equal(json_array_size(top), k);
    for (size_t i = 0; i < k; i++) {
        const json_t *entry = json_array_get(top, i);
        json_int_t index = integer(entry, "index");
        const char *id, *label;
        float score;

        assert_int_equal(integer(entry, "rank"), i + 1);
        assert_in_range(index, 0, CLASSES - 1);
        score = (float)json_real_value(get(entry, "score"));
        if (memcmp(&score, &posterior[index], sizeof score) != 0)
            fail_msg("class %d: %a became %a", (int)index, (double)posterior[index], (double)score);
        assert_true(previous == NULL || *previous > posterior[index] ||
                    (*previous == posterior[index] && previous < &posterior[index]));
        previous = &posterior[index];
        vgg_model_get_label(fixture.model, (uint32_t)index, &id, &label);
        assert_string_equal(string(entry, "id"), id);
        assert_string_equal(string(entry, "label"), label);
    }
}

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
             (const char *const[]){"views", "results", "file", "status", "type", NULL};
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

/* ---------------------------------------------------------------- hostile text --------------- */

/* Names of files and details may be any bytes; an answer about them is still an answer. */
static void invalid_utf8_does_not_lose_the_line(void **state)
{
    static const char *const texts[] = {"caf\xe9.jpg", "\xff", "\xed\xa0\x80", "\xc0\x80",
                                        "cut \xe2\x82", "\xf4\x90\x80\x80"};
    struct http_request request = {.client = "::1", .route = "/classify"};
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_answer answer = answer_about(&fixture.evaluation, 1);
        struct problem problem;
        char *line;
        json_t *root;

        problem_set(&problem, PROBLEM_NOT_FOUND, "nothing at %s", texts[i]);
        line = json_problem(&problem, "id", NULL, &size);
        root = parse(line, size);
        assert_int_equal(integer(root, "status"), 404);
        assert_string_equal(string(root, "request_id"), "id");
        json_decref(root);

        request.path = request.method = texts[i];
        line = json_access(&request, "now", 404, &size);
        root = parse(line, size);
        assert_int_equal(integer(root, "status"), 404);
        json_decref(root);

        line = json_event("now", "warning", texts[i], &size);
        json_decref(parse(line, size));

        line = json_problem(&problem, NULL, texts[i], &size);
        root = parse(line, size);
        assert_int_equal(integer(root, "status"), 404);
        json_decref(root);

        answer.file = texts[i];
        root = parse_answer(&answer);
        check_top(get(root, "top"), fixture.posterior, 5);
        json_decref(root);
    }
}

/* A model without a name of its own is called after its file. */
static void model_of_any_name(void **state)
{
    static const uint32_t scales[] = {64};
    const struct maker_spec spec = {.width = 2};
    struct maker maker;
    struct vgg_model *model = NULL;
    size_t size = 0;
    unsigned char *bytes;
    char *line;
    json_t *root;

    (void)state;
    maker_make(&maker, &spec);
    bytes = maker_bytes(&maker, &size);
    assert_int_equal(vgg_model_load_memory(bytes, size, "caf\xe9", &model, NULL), VGG_OK);
    line = json_model(model, scales, 1, true, &size);
    vgg_model_release(model);
    free(bytes);
    maker_free(&maker);
    root = parse(line, size);
    assert_non_null(strstr(string(root, "name"), "caf"));
    json_decref(root);
}

/* ---------------------------------------------------------------- models --------------------- */

static void models(void **state)
{
    static const uint32_t scales[] = {64, 96};
    const struct vgg_model_info *info = vgg_model_get_info(fixture.model);
    const json_t *preprocessing;
    size_t size = 0;
    char *line = json_model(fixture.model, scales, 2, false, &size);
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
    assert_string_equal(string(root, "fc_weights"), info->fc_weights);
    preprocessing = get(root, "preprocessing");
    assert_string_equal(string(preprocessing, "channels"), "RGB");
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_real_value(json_array_get(get(preprocessing, "mean"), i)) ==
                    info->mean[i]);
        assert_true(json_real_value(json_array_get(get(preprocessing, "std"), i)) == info->std[i]);
    }
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
    json_array_foreach(get(root, "layers"), i, layer)
        parameters += integer(layer, "parameters");
    assert_int_equal(i, 11); /* of configuration A */
    assert_int_equal(parameters, integer(root, "parameters"));
    assert_string_equal(string(json_array_get(get(root, "layers"), 0), "name"), "conv1_1");
    assert_string_equal(string(root, "dtype"), "F32");
    assert_int_equal(json_array_size(get(root, "labels")), CLASSES);
    assert_int_equal(integer(json_array_get(get(root, "macs"), 0), "macs"),
                     vgg_model_view_macs(fixture.model, 256, 256));
    json_decref(root);
}

/* ---------------------------------------------------------------- memory --------------------- */

/* The whole line as it would be with memory, or none. */
static void out_of_memory(void **state)
{
    struct evaluation evaluations[2] = {fixture.evaluation, {.failed = true}};
    struct evaluation_params params = fixture.params;
    struct json_answer answer = answer_about(evaluations, 2);
    size_t whole_size = 0, size = 0;
    unsigned long failures = 0;
    char *whole;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    problem_set(&evaluations[1].problem, PROBLEM_BAD_IMAGE, "it ends early");
    params.views = true;
    params.top_k = 2;
    answer.params = &params;
    whole = json_answer(&answer, &whole_size);
    assert_non_null(whole);
    before = fault_outstanding();
    for (unsigned long n = 1;; n++) {
        char *line;
        bool fired;

        fault_arm(n);
        line = json_answer(&answer, &size);
        fired = fault_disarm();
        if (line != NULL && (size != whole_size || strcmp(line, whole) != 0)) {
            size_t same = 0;

            while (line[same] != '\0' && line[same] == whole[same])
                same++;
            fail_msg("allocation %lu failed: ...%.200s", n, line + same);
        }
        failures += line == NULL;
        free(line);
        assert_int_equal(fault_outstanding(), before);
        if (!fired)
            break;
    }
    assert_true(failures >= 50);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_image),
        cmocka_unit_test(top_k_is_cut_to_the_classes),
        cmocka_unit_test(floats_survive),
        cmocka_unit_test(views_of_one_image),
        cmocka_unit_test(several_images),
        cmocka_unit_test(problems),
        cmocka_unit_test(invalid_utf8_does_not_lose_the_line),
        cmocka_unit_test(model_of_any_name),
        cmocka_unit_test(models),
        cmocka_unit_test(inspection),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
