/* vgg classify, inspect and init, and what every command understands. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

static struct output run(const char *const *args)
{
    return command_run(args, NULL, NULL);
}

static void check_succeeds(const char *const *args, const char *needle)
{
    struct output output = run(args);

    if (output.status != 0 || output.err_size != 0 || strstr(output.out, needle) == NULL)
        fail_msg("%s %s: status %d, without \"%s\": %s%s", args[0], args[1] != NULL ? args[1] : "",
                 output.status, needle, output.out, output.err);
    output_free(&output);
}

static void check_fails(const char *const *args, const char *needle)
{
    struct output output = run(args);

    if (output.status != 2 || count_lines(output.err) != 1 || strstr(output.err, needle) == NULL)
        fail_msg("status %d, without \"%s\" or not one line: %s", output.status, needle,
                 output.err);
    assert_int_equal(output.out_size, 0);
    output_free(&output);
}

/* Write the picture that the tests of `classify` share. */
static const char *picture_file(const char *name, uint32_t width, uint32_t height)
{
    struct blob image = picture(width, height);

    work_write(work_file(name), image.bytes, image.size);
    blob_free(&image);
    return work_file(name);
}

/* ---------------------------------------------------------------- all of them ---------------- */

static void test_help_and_version(void **state)
{
    static const char *const commands[] = {"serve", "classify", "eval",  "inspect",
                                           "bench", "init",     "health"};

    (void)state;
    check_succeeds((const char *[]){"--help", NULL}, "usage: vgg");
    check_succeeds((const char *[]){"-h", NULL}, "classify");
    check_succeeds((const char *[]){"--version", NULL}, "vgg 0.");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        check_succeeds((const char *[]){commands[i], "--help", NULL}, commands[i]);
        check_succeeds((const char *[]){commands[i], "--help", NULL}, "VGG_");
    }
}

static void test_version_of_every_command(void **state)
{
    static const char *const commands[] = {"serve", "classify", "eval",  "inspect",
                                           "bench", "init",     "health"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        check_succeeds((const char *[]){commands[i], "--version", NULL}, "vgg 0.");
}

static void test_no_command(void **state)
{
    struct output output = run((const char *[]){NULL});

    (void)state;
    assert_int_equal(output.status, 2);
    assert_non_null(strstr(output.err, "usage"));
    output_free(&output);
}

static void test_missing_operands(void **state)
{
    (void)state;
    check_fails((const char *[]){"classify", NULL}, "file");
    check_fails((const char *[]){"classify", "--json", "--model", model_narrow(), NULL}, "file");
    check_fails((const char *[]){"init", NULL}, "-o");
    check_fails((const char *[]){"init", "extra", "-o", work_file("x"), NULL}, "extra");
    check_fails((const char *[]){"inspect", "a", "b", NULL}, "one");
}

/* ---------------------------------------------------------------- classify ------------------- */

static void test_classify_table(void **state)
{
    const char *file = picture_file("photo.jpg", 80, 60);
    struct output output = run((const char *[]){"classify", "--model", model_labelled(), "--scales",
                                                "64", "--top-k", "3", file, NULL});

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(output.err_size, 0);
    assert_int_equal(count_lines(output.out), 4);
    assert_int_equal(strncmp(output.out, file, strlen(file)), 0);
    assert_non_null(strchr(output.out, '%'));
    assert_non_null(strstr(output.out, "  n0"));
    output_free(&output);
}

/* One line of --json is what the server answers, and the file. */
static void check_same_as_server(const char *line, const char *file)
{
    struct blob image = work_read(file);
    struct server server;
    struct answer answer, own = {.body = strdup(line)};
    char *expected, *got;

    server_start_model(&server, model_narrow());
    classify(&server, "?top_k=10", &image, &answer);
    expected = top_bytes(&answer, 0);
    got = top_bytes(&own, 0);
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    free(own.body);
    answer_free(&answer);
    server_stop(&server);
    blob_free(&image);
}

static void test_classify_json(void **state)
{
    const char *file = picture_file("photo.jpg", 80, 60);
    struct output output = run((const char *[]){"classify", "--json", "--model", model_narrow(),
                                                "--scales", "64,96", "--top-k", "10", file, NULL});
    json_t *line = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(count_lines(output.out), 1);
    assert_non_null(line);
    assert_string_equal(string_member(line, "file"), file);
    check_result(line, 80, 60);
    check_top(member(line, "top"), 10, 10, false);
    check_same_as_server(output.out, file);
    json_decref(line);
    output_free(&output);
}

/* Weights in half precision are named in the answer, and change the scores by little. */
static void test_classify_fc_weights(void **state)
{
    const char *file = picture_file("photo.jpg", 80, 60);
    static const char *const formats[] = {"f32", "f16"};
    double scores[2];
    struct output output;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        json_t *line, *name;

        output = run((const char *[]){"classify", "--json", "--model", model_narrow(), "--scales",
                                      "64", "--fc-weights", formats[i], file, NULL});
        line = json_loads(output.out, 0, NULL);
        assert_int_equal(output.status, 0);
        name = json_object_get(member(line, "model"), "fc_weights");
        assert_int_equal(name != NULL, i == 1);
        if (name != NULL)
            assert_string_equal(json_string_value(name), "f16");
        scores[i] = json_number_value(member(json_array_get(member(line, "top"), 0), "score"));
        json_decref(line);
        output_free(&output);
    }
    assert_true(scores[0] != scores[1] && fabs(scores[0] - scores[1]) < 1e-3);
    output = run((const char *[]){"classify", "--fc-weights", "f8", file, NULL});
    assert_int_equal(output.status, 2);
    assert_non_null(strstr(output.err, "--fc-weights"));
    output_free(&output);
}

/* Views, maps and features as the server gives them. */
static void test_classify_all(void **state)
{
    const char *file = picture_file("photo.jpg", 80, 60);
    struct output output =
        run((const char *[]){"classify", "--json", "--views", "--map", "--features", "--model",
                             model_narrow(), "--scales", "64,96", "--top-k", "10", file, NULL});
    json_t *line = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);
    struct blob image = work_read(file);
    struct server server;
    struct answer answer;

    (void)state;
    assert_int_equal(output.status, 0);
    server_start_model(&server, model_narrow());
    classify(&server, "?top_k=10&views=1&map=1&features=1", &image, &answer);
    assert_true(json_equal(member(line, "map"), member(answer.json, "map")));
    assert_true(json_equal(member(line, "views"), member(answer.json, "views")));
    assert_true(json_equal(member(line, "features"), member(answer.json, "features")));
    answer_free(&answer);
    server_stop(&server);
    blob_free(&image);
    json_decref(line);
    output_free(&output);
}

/* Line `n` of a text as JSON. */
static json_t *nth_line(const char *text, size_t n)
{
    for (; n > 0; n--)
        text = strchr(text, '\n') + 1;
    return json_loadb(text, strcspn(text, "\n"), 0, NULL);
}

static void test_classify_bad_file_among_good_ones(void **state)
{
    const char *good = picture_file("good.jpg", 80, 60), *text = work_file("text.jpg");
    const char *missing = work_file("missing.jpg");
    struct output output;
    static const int statuses[] = {0, 415, 404, 0};

    (void)state;
    work_write(text, "not a picture", 13);
    output = run((const char *[]){"classify", "--json", "--model", model_narrow(), "--scales", "64",
                                  good, text, missing, good, NULL});
    assert_int_equal(output.status, 1);
    assert_int_equal(count_lines(output.out), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *line = nth_line(output.out, i);

        assert_non_null(line);
        if (statuses[i] == 0)
            check_result(line, 80, 60);
        else {
            assert_int_equal(integer_member(line, "status"), statuses[i]);
            assert_int_equal(strncmp(string_member(line, "type"), "urn:vgg:problem:", 16), 0);
            assert_string_equal(string_member(line, "file"), i == 1 ? text : missing);
        }
        json_decref(line);
    }
    output_free(&output);
    output = run((const char *[]){"classify", "--model", model_narrow(), "--scales", "64", good,
                                  missing, NULL});
    assert_int_equal(output.status, 1);
    assert_int_equal(count_lines(output.err), 1);
    assert_non_null(strstr(output.err, missing));
    assert_non_null(strstr(output.out, good));
    output_free(&output);
}

static void test_classify_standard_input(void **state)
{
    const char *file = picture_file("photo.jpg", 80, 60);
    struct output output =
        command_run((const char *[]){"classify", "--json", "--model", model_narrow(), "--scales",
                                     "64,96", "--top-k", "10", "-", NULL},
                    NULL, file);

    (void)state;
    assert_int_equal(output.status, 0);
    check_same_as_server(output.out, file);
    output_free(&output);
}

static void test_classify_refuses_bad_scales(void **state)
{
    (void)state;
    check_fails(
        (const char *[]){"classify", "--model", model_narrow(), "--scales", "16", "x.jpg", NULL},
        "16");
}

/* ---------------------------------------------------------------- inspect -------------------- */

static void test_inspect_text(void **state)
{
    struct output output = run((const char *[]){"inspect", model_labelled(), NULL});

    (void)state;
    assert_int_equal(output.status, 0);
    assert_non_null(strstr(output.out, "sha256:"));
    assert_non_null(strstr(output.out, "conv5_3"));
    assert_non_null(strstr(output.out, "fc8"));
    assert_non_null(strstr(output.out, "n01440764"));
    assert_non_null(strstr(output.out, "untrained"));
    output_free(&output);
    check_succeeds((const char *[]){"inspect", NULL}, "parameters"); /* the embedded model */
}

/* Weights and biases of a convolution. */
static json_int_t conv_parameters(json_int_t in, json_int_t out, json_int_t kernel)
{
    return in * out * kernel * kernel + out;
}

static void test_inspect_json(void **state)
{
    struct output output = run((const char *[]){"inspect", "--json", model_narrow(), NULL});
    json_t *model = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL), *layer;
    json_int_t sum = 0;
    size_t i;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_non_null(model);
    assert_string_equal(string_member(model, "arch"), "D");
    assert_false(bool_member(model, "trained"));
    assert_int_equal(integer_member(model, "classes"), 10);
    assert_int_equal(integer_member(model, "crop"), 32);
    assert_int_equal(json_array_size(member(model, "layers")), 16);
    json_array_foreach(member(model, "layers"), i, layer)
    {
        json_int_t parameters = integer_member(layer, "parameters");

        assert_int_equal(parameters,
                         conv_parameters(integer_member(layer, "in"), integer_member(layer, "out"),
                                         integer_member(layer, "kernel")));
        sum += parameters;
    }
    assert_int_equal(integer_member(model, "parameters"), sum);
    json_decref(model);
    output_free(&output);
}

/* All six columns of table 1: layers with weights, and narrow parameter counts by hand. */
static void test_inspect_every_configuration(void **state)
{
    static const struct {
        const char *arch;
        size_t layers;
    } cases[] = {{"A", 11}, {"A-LRN", 11}, {"B", 13}, {"C", 16}, {"D", 16}, {"E", 19}};
    const char *path = work_file("arch.safetensors");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct output output;
        json_t *model;

        check_succeeds((const char *[]){"init", "--arch", cases[i].arch, "--width", "2", "--fc",
                                        "8", "--classes", "5", "--crop", "32", "-o", path, NULL},
                       "");
        output = run((const char *[]){"inspect", "--json", path, NULL});
        model = json_loads(output.out, 0, NULL);
        assert_non_null(model);
        assert_string_equal(string_member(model, "arch"), cases[i].arch);
        assert_int_equal(json_array_size(member(model, "layers")), cases[i].layers);
        json_decref(model);
        output_free(&output);
    }
}

/* ---------------------------------------------------------------- init ----------------------- */

static struct blob init_bytes(const char *seed)
{
    const char *path = work_file("seeded.safetensors");

    check_succeeds((const char *[]){"init", "--width", "2", "--fc", "8", "--classes", "5", "--crop",
                                    "32", "--seed", seed, "-o", path, NULL},
                   "");
    return work_read(path);
}

static void test_init_is_seeded(void **state)
{
    struct blob first = init_bytes("7"), again = init_bytes("7"), other = init_bytes("8");

    (void)state;
    assert_int_equal(first.size, again.size);
    assert_memory_equal(first.bytes, again.bytes, first.size);
    assert_true(first.size != other.size || memcmp(first.bytes, other.bytes, first.size) != 0);
    blob_free(&first);
    blob_free(&again);
    blob_free(&other);
}

static void test_init_refuses_bad_options(void **state)
{
    static const char *const bad[][2] = {{"--arch", "F"}, {"--width", "0"},       {"--crop", "100"},
                                         {"--crop", "0"}, {"--classes", "0"},     {"--fc", "-1"},
                                         {"--seed", "x"}, {"--width", "99999999"}};
    const char *path = work_file("never.safetensors");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_fails((const char *[]){"init", bad[i][0], bad[i][1], "-o", path, NULL},
                    bad[i][0] + 2);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void check_init_fails(const char *path)
{
    check_fails((const char *[]){"init", "--width", "2", "--fc", "8", "--classes", "5", "--crop",
                                 "32", "-o", path, NULL},
                path);
}

static void test_init_refuses_bad_targets(void **state)
{
    struct stat info;

    (void)state;
    check_init_fails(work_file("nowhere/model.safetensors"));
    check_init_fails(work_file("narrow.safetensors/model")); /* below a file */
    check_init_fails("/proc/model.safetensors");
    check_init_fails(work_file(""));
    assert_int_equal(mkfifo(work_file("pipe"), 0600), 0);
    check_init_fails(work_file("pipe"));
    assert_int_equal(lstat(work_file("pipe"), &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
}

/* A file that is there is replaced whole, through its temporary name. */
static void test_init_replaces(void **state)
{
    const char *path = work_file("seeded.safetensors");
    struct blob made;

    (void)state;
    work_write(path, "old", 3);
    made = init_bytes("7");
    assert_true(made.size > 3);
    check_succeeds((const char *[]){"inspect", path, NULL}, "parameters");
    blob_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_version_of_every_command),
        cmocka_unit_test(test_no_command),
        cmocka_unit_test(test_missing_operands),
        cmocka_unit_test(test_classify_table),
        cmocka_unit_test(test_classify_json),
        cmocka_unit_test(test_classify_fc_weights),
        cmocka_unit_test(test_classify_all),
        cmocka_unit_test(test_classify_bad_file_among_good_ones),
        cmocka_unit_test(test_classify_standard_input),
        cmocka_unit_test(test_classify_refuses_bad_scales),
        cmocka_unit_test(test_inspect_text),
        cmocka_unit_test(test_inspect_json),
        cmocka_unit_test(test_inspect_every_configuration),
        cmocka_unit_test(test_init_is_seeded),
        cmocka_unit_test(test_init_refuses_bad_options),
        cmocka_unit_test(test_init_refuses_bad_targets),
        cmocka_unit_test(test_init_replaces),
    };

    return cmocka_run_group_tests_name("commands", tests, work_setup, work_teardown);
}
