/* What Triton's statistics say of requests that were counted. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "fault.h"
#include "ops/statistics.h"

enum { MODEL = 7, BATCH_MAX = 4 };

/* GET's answer about a model "m", read; free it with json_decref. */
static json_t *read_stats(struct statistics *statistics)
{
    size_t size;
    char *text = statistics_json(statistics, "m \"1\"", "1", &size);
    json_t *root = text != NULL ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

    assert_non_null(root);
    free(text);
    return root;
}

static const json_t *model_of(const json_t *root)
{
    const json_t *models = json_object_get(root, "model_stats");

    assert_int_equal(json_array_size(models), 1);
    return json_array_get(models, 0);
}

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Member `name` of an object of durations. */
static void check_duration(const json_t *object, const char *name, json_int_t count, json_int_t ns)
{
    const json_t *duration = json_object_get(object, name);

    assert_int_equal(json_object_size(duration), 2);
    assert_int_equal(number(duration, "count"), count);
    assert_int_equal(number(duration, "ns"), ns);
}

static void count(struct statistics *statistics, uint64_t model, size_t pictures)
{
    const struct statistics_sample sample = {.model = model,
                                             .pictures = pictures,
                                             .total_ns = 1000,
                                             .queue_ns = 1,
                                             .input_ns = 20,
                                             .infer_ns = 300,
                                             .output_ns = 40};

    statistics_count(statistics, &sample);
}

static void check_nothing(struct statistics *statistics)
{
    json_t *root = read_stats(statistics);
    const json_t *model = model_of(root), *ends = json_object_get(model, "inference_stats");

    assert_string_equal(json_string_value(json_object_get(model, "name")), "m \"1\"");
    assert_string_equal(json_string_value(json_object_get(model, "version")), "1");
    assert_int_equal(number(model, "last_inference"), 0);
    assert_int_equal(number(model, "inference_count"), 0);
    assert_int_equal(number(model, "execution_count"), 0);
    assert_int_equal(json_array_size(json_object_get(model, "batch_stats")), 0);
    assert_int_equal(json_object_size(ends), 8);
    check_duration(ends, "success", 0, 0);
    check_duration(ends, "queue", 0, 0);
    check_duration(ends, "cache_miss", 0, 0);
    json_decref(root);
}

static void requests_by_their_end(void **state)
{
    struct statistics *statistics = statistics_create(BATCH_MAX, MODEL);
    const json_t *model, *ends, *batches;
    json_t *root;

    (void)state;
    assert_non_null(statistics);
    check_nothing(statistics);
    count(statistics, MODEL, 1);
    count(statistics, MODEL, 4);
    count(statistics, MODEL, 4);
    count(statistics, MODEL, 0);     /* failed */
    count(statistics, MODEL + 1, 1); /* the model before */
    root = read_stats(statistics);
    model = model_of(root);
    ends = json_object_get(model, "inference_stats");
    assert_true(number(model, "last_inference") > 1600000000000);
    assert_int_equal(number(model, "inference_count"), 9);
    assert_int_equal(number(model, "execution_count"), 3);
    check_duration(ends, "success", 3, 3000);
    check_duration(ends, "fail", 1, 1000);
    check_duration(ends, "queue", 3, 3);
    check_duration(ends, "compute_input", 3, 60);
    check_duration(ends, "compute_infer", 3, 900);
    check_duration(ends, "compute_output", 3, 120);
    batches = json_object_get(model, "batch_stats");
    assert_int_equal(json_array_size(batches), 2);
    assert_int_equal(number(json_array_get(batches, 0), "batch_size"), 1);
    assert_int_equal(number(json_array_get(batches, 1), "batch_size"), 4);
    check_duration(json_array_get(batches, 1), "compute_infer", 2, 600);
    json_decref(root);
    statistics_destroy(statistics);
}

static void another_model(void **state)
{
    struct statistics *statistics = statistics_create(BATCH_MAX, MODEL);

    (void)state;
    assert_non_null(statistics);
    count(statistics, MODEL, 2);
    statistics_restart(statistics, MODEL + 1);
    check_nothing(statistics);
    count(statistics, MODEL, 2);
    check_nothing(statistics);
    statistics_destroy(statistics);
}

static void without_memory(void **state)
{
    struct statistics *statistics = statistics_create(BATCH_MAX, MODEL);
    size_t size;

    (void)state;
    statistics_destroy(NULL);
    assert_non_null(statistics);
    count(statistics, MODEL, 2);
    if (fault_available()) {
        fault_arm(1);
        assert_null(statistics_json(statistics, "m", "1", &size));
        assert_true(fault_disarm());
        fault_arm(1);
        assert_null(statistics_create(BATCH_MAX, MODEL));
        assert_true(fault_disarm());
    }
    statistics_destroy(statistics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_by_their_end),
        cmocka_unit_test(another_model),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
