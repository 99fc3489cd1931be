/* Answers about hostile text, and without memory. */
#include "fault.h"
#include "model_maker.h"
#include "server/json_fixture.h"

/* ---------------------------------------------------------------- hostile text --------------- */

/* Names of files and details may be any bytes; an answer about them is still an answer. */
static void invalid_utf8_does_not_lose_the_line(void **state)
{
    static const char *const texts[] = {"caf\xe9.jpg", "\xff",         "\xed\xa0\x80",
                                        "\xc0\x80",    "cut \xe2\x82", "\xf4\x90\x80\x80"};
    struct json_access access = {
        .time = "now", .client = "::1", .route = "/classify", .status = 404};
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
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

        access.path = access.method = texts[i];
        line = json_access(&access, &size);
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
    assert_int_equal(vgg_model_load_memory(bytes, size, "caf\xe9", NULL, &model, NULL), VGG_OK);
    line = json_model(model, scales, 1, true, false, &size);
    vgg_model_release(model);
    free(bytes);
    maker_free(&maker);
    root = parse(line, size);
    assert_non_null(strstr(string(root, "name"), "caf"));
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
    params.map = true;
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

/* The same of a model with the names of its classes; every 97th allocation of some thousands. */
static void out_of_memory_for_labels(void **state)
{
    static const uint32_t scales[] = {64};
    size_t whole_size = 0, size = 0;
    unsigned long failures = 0;
    bool fired = true;
    char *whole;
    long before;

    (void)state;
    if (!fault_available())
        skip();
    whole = json_model(fixture.model, scales, 1, true, true, &whole_size);
    assert_non_null(whole);
    before = fault_outstanding();
    for (unsigned long n = 1; fired; n += 97) {
        char *line;

        fault_arm(n);
        line = json_model(fixture.model, scales, 1, true, true, &size);
        fired = fault_disarm();
        if (line != NULL)
            assert_string_equal(line, whole);
        failures += line == NULL;
        free(line);
        assert_int_equal(fault_outstanding(), before);
    }
    assert_true(failures >= 20);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invalid_utf8_does_not_lose_the_line),
        cmocka_unit_test(model_of_any_name),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(out_of_memory_for_labels),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
