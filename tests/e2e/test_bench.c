/* vgg bench: the fields of its JSON, that they agree with each other, and what it refuses. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "process.h"
#include "work.h"

static double number(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    if (!json_is_number(value))
        fail_msg("%s is missing or no number", name);
    return json_number_value(value);
}

static void check_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 2e-3 * fabs(expected)))
        fail_msg("%g instead of %g", value, expected);
}

/* Layers of configuration D at crop 32 with 10 classes: the convolutions, then the FC layers. */
static void check_layers(const json_t *run, double fma_gflops)
{
    static const char *const names[] = {
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1",
        "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "fc6",     "fc7",     "fc8"};
    json_t *layers = json_object_get(run, "layers"), *layer;
    double conv_gflop = 0, fc_gflop = 0, conv_ms = 0;
    size_t i;

    assert_int_equal(json_array_size(layers), COUNT_OF(names));
    json_array_foreach(layers, i, layer)
    {
        double ms = number(layer, "ms"), gflop = number(layer, "effective_gflops") * ms / 1e3;

        assert_true(ms > 0 && gflop > 0);
        assert_true(json_string_length(json_object_get(layer, "algorithm")) > 0);
        assert_string_equal(json_string_value(json_object_get(layer, "name")), names[i]);
        *(i < 13 ? &conv_gflop : &fc_gflop) += gflop;
        conv_ms += i < 13 ? ms : 0;
    }
    /* Each layer's best and the best of a whole pass need not be of the same pass. */
    assert_true(number(run, "conv_ms") >= 0.999 * conv_ms);
    assert_true(number(run, "total_ms") >= number(run, "conv_ms"));
    check_near(number(run, "conv_effective_gflops"), conv_gflop / number(run, "conv_ms") * 1e3);
    check_near(number(run, "conv_vs_peak"), number(run, "conv_effective_gflops") / fma_gflops);
    check_near(number(run, "fc_vs_peak"), fc_gflop / number(run, "fc_ms") * 1e3 / fma_gflops);
    assert_true(number(run, "fc_vs_bandwidth") > 0);
}

static void test_json(void **state)
{
    static const char *const sizes[] = {"64x48", "96x96"};
    struct output output = command_run(
        (const char *[]){"bench", "--model", model_narrow(), "--sizes", "64x48,96x96", "--batch",
                         "2", "--threads", "2", "--repeats", "3", "--json", NULL},
        NULL, NULL);
    json_t *bench = json_loads(output.out, 0, NULL), *machine = member(bench, "machine"), *run;
    size_t i;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(output.err_size, 0);
    assert_true(json_string_length(member(machine, "isa")) > 0);
    assert_int_equal(number(machine, "threads"), 2);
    assert_true(number(machine, "fma_gflops") > 0 && number(machine, "read_gbps") > 0);
    assert_int_equal(json_array_size(member(bench, "runs")), 2);
    json_array_foreach(member(bench, "runs"), i, run)
    {
        assert_string_equal(json_string_value(member(run, "arch")), "D");
        assert_string_equal(json_string_value(member(run, "precision")), "f32");
        assert_string_equal(json_string_value(member(run, "size")), sizes[i]);
        assert_int_equal(number(run, "batch"), 2);
        check_layers(run, number(machine, "fma_gflops"));
    }
    json_decref(bench);
    output_free(&output);
}

static void test_refuses(void **state)
{
    const char *const cases[][4] = {
        {"--sizes", "31x64", "below the model's crop"},
        {"--sizes", "64", "--sizes 64"},
        {"--sizes", "64x", "--sizes 64x"},
        {"--sizes", "64x64,", "--sizes 64x64,"},
        {"--batch", "0", "--batch"},
        {"--batch", "17", "--batch"},
        {"--threads", "0", "--threads"},
        {"--arch", "D", "--arch or --model"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct output output =
            command_run((const char *[]){"bench", "--model", model_narrow(), cases[i][0],
                                         cases[i][1], "--json", NULL},
                        NULL, NULL);

        if (output.status != 2 || count_lines(output.err) != 1 ||
            strstr(output.err, cases[i][2]) == NULL || output.out_size != 0)
            fail_msg("%s %s: status %d: %s", cases[i][0], cases[i][1], output.status, output.err);
        output_free(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests_name("bench", tests, work_setup, work_teardown);
}
