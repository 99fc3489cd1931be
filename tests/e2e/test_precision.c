/*
 * --precision: who says in which one a model serves, what of an answer depends on it, that reloads
 * keep it, and what is refused. The scores themselves: tests/accuracy and tests/oracle.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "precision.h"
#include "reloads.h"
#include "work.h"

static void start(struct server *server, const char *model, const char *precision)
{
    server_start_with(server,
                      (const char *[]){"--model", model, "--precision", precision, "--max-cost",
                                       "1000", "--max-queue", "1000s", "--deadline", "1000s", NULL},
                      precision_environment(precision));
}

/* ---------------------------------------------------------------- who says it ---------------- */

/* A member of an answer to GET, found by its path. */
static void check_said(const struct server *server, const char *target, const char *const *path)
{
    struct answer answer;
    const json_t *value;

    ask(server, &(struct call){.target = target}, &answer);
    assert_int_equal(answer.status, 200);
    value = answer.json;
    for (size_t i = 0; path[i] != NULL; i++)
        value = member(value, path[i]);
    assert_string_equal(json_string_value(value), "i8");
    answer_free(&answer);
}

static void check_said_by_v2(const struct server *server)
{
    static const char infer[] = "{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\","
                                "\"shape\":[1,3,32,32],\"data\":[%s]}]}";
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char target[128], data[2 * 3 * 32 * 32], body[sizeof infer + sizeof data];
    struct answer answer;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = i % 2 == 0 ? '1' : ',';
    data[sizeof data - 1] = '\0';
    snprintf(body, sizeof body, infer, data);
    snprintf(target, sizeof target, "/v2/models/%s", serving(server, "name"));
    check_said(server, target, (const char *[]){"parameters", "precision", NULL});
    strcat(target, "/config");
    check_said(server, target, (const char *[]){"parameters", "precision", "string_value", NULL});
    strcpy(strrchr(target, '/'), "/infer");
    ask(server,
        &(struct call){.target = target, .body = body, .size = strlen(body), .headers = headers},
        &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(string_member(member(answer.json, "parameters"), "precision"), "i8");
    answer_free(&answer);
}

static void check_said_by_metrics_and_log(const struct server *server)
{
    char text[256], *log = server_log(server);

    snprintf(text, sizeof text,
             "vgg_model_info{name=\"untrained-D-4\",arch=\"D\",version=\"%s\",precision=\"i8\"}",
             serving(server, "version"));
    assert_true(server_metric(server, text) == 1);
    snprintf(text, sizeof text, "info kernels %s, i8, ", serving(server, "kernel"));
    assert_non_null(strstr(log, text));
    assert_null(strstr(log, "--precision")); /* no warning */
    free(log);
}

static void test_a_server_says_it(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;
    struct server server;

    (void)state;
    start(&server, model_narrow(), "i8");
    check_said(&server, "/model", (const char *[]){"precision", NULL});
    check_said(&server, "/model", (const char *[]){"fc_weights", NULL});
    check_said_by_v2(&server);
    check_said_by_metrics_and_log(&server);
    classify(&server, "", &image, &answer);
    check_answer(&answer, 80, 60);
    assert_string_equal(string_member(member(answer.json, "model"), "precision"), "i8");
    assert_null(json_object_get(member(answer.json, "model"), "fc_weights"));
    answer_free(&answer);
    blob_free(&image);
    server_stop(&server);
}

/* The model of the one line that a command prints. */
static void check_command(const char *const *args, const char *const *environment)
{
    struct output output = command_run(args, environment, NULL);
    json_t *json = json_loads(output.out, 0, NULL), *runs = json_object_get(json, "runs");

    assert_int_equal(output.status, 0);
    assert_int_equal(output.err_size, 0);
    assert_string_equal(
        string_member(runs != NULL ? json_array_get(runs, 0) : member(json, "model"), "precision"),
        "i8");
    json_decref(json);
    output_free(&output);
}

static void test_commands_say_it(void **state)
{
    const char *const *own = precision_environment("i8");
    const char *const by_variable[] = {"VGG_PRECISION=i8", "VGG_KERNELS=portable-i8", NULL};
    const char *model = model_narrow();
    struct blob image = picture(64, 64);
    char folder[256], file[300];

    (void)state;
    snprintf(folder, sizeof folder, "%s", work_file("classes"));
    snprintf(file, sizeof file, "mkdir -p %s/3", folder);
    assert_int_equal(system(file), 0);
    snprintf(file, sizeof file, "%s/3/photo.jpg", folder);
    work_write(file, image.bytes, image.size);
    blob_free(&image);
    check_command((const char *[]){"classify", "--precision", "i8", "--model", model, "--json",
                                   "--scales", "64", file, NULL},
                  own);
    check_command(
        (const char *[]){"classify", "--model", model, "--json", "--scales", "64", file, NULL},
        by_variable);
    check_command((const char *[]){"eval", "--precision", "i8", "--model", model, "--json",
                                   "--scales", "64", folder, NULL},
                  own);
    check_command((const char *[]){"bench", "--precision", "i8", "--model", model, "--json",
                                   "--sizes", "64x64", "--repeats", "1", NULL},
                  own);
}

/* ---------------------------------------------------------------- answers -------------------- */

static double cosine(const json_t *a, const json_t *b)
{
    double ab = 0, aa = 0, bb = 0;

    assert_int_equal(json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        double x = json_number_value(json_array_get(a, i));
        double y = json_number_value(json_array_get(b, i));

        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static void assert_alike(const json_t *a, const json_t *b, double least)
{
    assert_true(cosine(a, b) > least);
    assert_false(json_equal(a, b));
}

/* Maps of two answers: the same views, rows and columns, and values that are alike. */
static void check_maps(const json_t *a, const json_t *b)
{
    static const char *const numbers[] = {"scale", "rows", "columns"};
    const json_t *map;
    size_t i;

    assert_int_equal(json_array_size(a), json_array_size(b));
    json_array_foreach(a, i, map)
    {
        const json_t *other = json_array_get(b, i);

        for (size_t n = 0; n < COUNT_OF(numbers); n++)
            assert_int_equal(integer_member(map, numbers[n]), integer_member(other, numbers[n]));
        assert_alike(member(map, "log_sums"), member(other, "log_sums"), 0.999);
    }
}

/*
 * Views, maps and features are there, and about those of f32, but not the same: the model is wide
 * enough for most of its layers to be in eight bits.
 */
static void test_all_of_an_answer(void **state)
{
    static const char *const precisions[] = {"f32", "i8"};
    struct blob image = picture(120, 80);
    struct answer answers[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct server server;

        start(&server, model_slow(), precisions[i]);
        classify(&server, "?views=1&map=1&features=1&scales=64,96", &image, &answers[i]);
        check_answer(&answers[i], 120, 80);
        server_stop(&server);
    }
    check_maps(member(answers[0].json, "map"), member(answers[1].json, "map"));
    assert_int_equal(json_array_size(member(answers[1].json, "views")), 4);
    assert_alike(member(answers[0].json, "features"), member(answers[1].json, "features"), 0.99);
    for (size_t i = 0; i < 2; i++)
        answer_free(&answers[i]);
    blob_free(&image);
}

/* ---------------------------------------------------------------- reloads -------------------- */

static void test_reloads_keep_it(void **state)
{
    struct blob image = picture(80, 64);
    struct answer before, after;
    struct server server;
    char *tops[2];

    (void)state;
    start(&server, model_narrow(), "i8");
    classify(&server, "?scales=64", &image, &before);
    check_reload(&server, model_other());
    check_said(&server, "/model", (const char *[]){"precision", NULL});
    assert_string_equal(serving(&server, "arch"), "B");
    classify(&server, "?scales=64", &image, &after);
    assert_string_equal(string_member(member(after.json, "model"), "precision"), "i8");
    answer_free(&after);
    check_rollback(&server);
    check_said(&server, "/model", (const char *[]){"precision", NULL});
    classify(&server, "?scales=64", &image, &after);
    tops[0] = top_bytes(&before, 0);
    tops[1] = top_bytes(&after, 0);
    assert_string_equal(tops[0], tops[1]);
    for (size_t i = 0; i < 2; i++)
        free(tops[i]);
    answer_free(&before);
    answer_free(&after);
    blob_free(&image);
    server_stop(&server);
}

/* ---------------------------------------------------------------- what it takes -------------- */

/* A command that ends before it has done anything, with one line. */
static void check_refused_with(const char *const *options, const char *kernels, const char *text)
{
    static const char *const commands[] = {"serve", "classify", "eval", "bench"};
    const char *const environment[] = {kernels, NULL};

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *operand = i == 1 ? "tests/data/glass.jpg" : i == 2 ? "tests/data" : NULL;
        struct output output =
            command_run((const char *[]){commands[i], "--model", model_narrow(), options[0],
                                         options[1], options[2], options[3], operand, NULL},
                        environment, NULL);

        if (output.status != 2 || count_lines(output.err) != 1 ||
            strstr(output.err, text) == NULL || output.out_size != 0)
            fail_msg("%s: status %d: %s", commands[i], output.status, output.err);
        output_free(&output);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    check_refused_with((const char *[]){"--precision", "i8", "--threads", "1"},
                       "VGG_KERNELS=portable", "portable");
    check_refused_with((const char *[]){"--precision", "f32", "--threads", "1"},
                       "VGG_KERNELS=portable-i8", "in i8, not in f32");
    check_refused_with((const char *[]){"--precision", "bf16", "--threads", "1"},
                       "VGG_KERNELS=", "must be one of f32|i8|auto");
    check_refused_with((const char *[]){"--precision", "i8", "--fc-weights", "f16"},
                       "VGG_KERNELS=portable-i8", "f16");
    check_refused_with((const char *[]){"--precision", "auto", "--fc-weights", "f16"},
                       "VGG_KERNELS=portable-i8", "f16");
}

/* Without 8-bit kernels `auto` is f32, which a server logs and a command says. */
static void test_auto_without_kernels(void **state)
{
    static const char *const portable[] = {"VGG_KERNELS=portable", NULL};
    struct output output = command_run(
        (const char *[]){"classify", "--precision", "auto", "--json", "tests/data/glass.jpg", NULL},
        portable, NULL);
    struct server server;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(count_lines(output.err), 1);
    assert_non_null(strstr(output.err, "--precision auto: f32 serves"));
    assert_non_null(strstr(output.out, "\"precision\":\"f32\""));
    output_free(&output);
    server_start_with(&server,
                      (const char *[]){"--model", model_narrow(), "--precision", "auto", NULL},
                      portable);
    server_wait_log(&server, "warning --precision auto: f32 serves");
    assert_string_equal(serving(&server, "precision"), "f32");
    server_stop(&server);
}

static void test_auto_with_kernels(void **state)
{
    struct server server;

    (void)state;
    server_start_with(&server,
                      (const char *[]){"--model", model_narrow(), "--precision", "auto", NULL},
                      precision_environment("i8"));
    check_said(&server, "/model", (const char *[]){"precision", NULL});
    server_stop(&server);
}

/* It goes on as it was, with a warning. */
static void test_half_precision_warns(void **state)
{
    struct output output = command_run(
        (const char *[]){"classify", "--fc-weights", "f16", "--json", "tests/data/glass.jpg", NULL},
        NULL, NULL);
    struct server server;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(count_lines(output.err), 1);
    assert_non_null(strstr(output.err, "--precision i8"));
    assert_non_null(strstr(output.out, "\"precision\":\"f32\",\"fc_weights\":\"f16\""));
    output_free(&output);
    server_start(&server, (const char *[]){"--model", model_narrow(), "--fc-weights", "f16", NULL});
    server_wait_log(&server, "warning --fc-weights f16");
    assert_string_equal(serving(&server, "fc_weights"), "f16");
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_says_it),  cmocka_unit_test(test_commands_say_it),
        cmocka_unit_test(test_all_of_an_answer),  cmocka_unit_test(test_reloads_keep_it),
        cmocka_unit_test(test_what_is_refused),   cmocka_unit_test(test_auto_without_kernels),
        cmocka_unit_test(test_auto_with_kernels), cmocka_unit_test(test_half_precision_warns),
    };

    return cmocka_run_group_tests_name("precision", tests, work_setup, work_teardown);
}
