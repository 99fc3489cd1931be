/* The parameters of /classify: top_k, scales, flip, views, map and features. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "narrow_server.h"
#include "work.h"

enum { CLASSES = 10, FEATURES = 16 };

/* An answer to a query about the same picture. */
static void ask_query(const char *query, struct answer *answer)
{
    struct blob image = picture(80, 60);

    classify(&server, query, &image, answer);
    check_answer(answer, 80, 60);
    blob_free(&image);
}

static void test_top_k(void **state)
{
    static const struct {
        const char *query;
        size_t n;
    } cases[] = {{"?top_k=1", 1},
                 {"?top_k=3", 3},
                 {"?top_k=10", CLASSES},
                 {"?top_k=11", CLASSES},
                 {"?top_k=4294967296", CLASSES},
                 {"?top_k=99999999999999999999999", CLASSES}};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ask_query(cases[i].query, &answer);
        check_top(member(answer.json, "top"), cases[i].n, CLASSES, false);
        answer_free(&answer);
    }
}

static void test_top_k_is_a_prefix(void **state)
{
    struct answer few, all;
    char *few_bytes, *all_bytes;

    (void)state;
    ask_query("?top_k=3", &few);
    ask_query("?top_k=10", &all);
    few_bytes = top_bytes(&few, 0);
    all_bytes = top_bytes(&all, 0);
    assert_non_null(few_bytes);
    assert_non_null(all_bytes);
    assert_int_equal(strncmp(few_bytes, all_bytes, strlen(few_bytes) - 1), 0);
    free(few_bytes);
    free(all_bytes);
    answer_free(&few);
    answer_free(&all);
}

static void test_scales(void **state)
{
    struct answer answer;

    (void)state;
    ask_query("?scales=128", &answer);
    check_scales(answer.json, (const int[]){128}, 1);
    answer_free(&answer);
    ask_query("?scales=128,64,96", &answer);
    check_scales(answer.json, (const int[]){64, 96, 128}, 3);
    answer_free(&answer);
    ask_query("?scales=96,64,96,96,64", &answer);
    check_scales(answer.json, (const int[]){64, 96}, 2);
    answer_free(&answer);
    ask_query("?scales=39,38,37,36,35,34,33,32", &answer);
    check_scales(answer.json, (const int[]){32, 33, 34, 35, 36, 37, 38, 39}, 8);
    answer_free(&answer);
    ask_query("?scales=32,33,32,33,32,33,32,33,32,33", &answer); /* eight distinct ones count */
    check_scales(answer.json, (const int[]){32, 33}, 2);
    answer_free(&answer);
    ask_query("?scales=64%2C128", &answer);
    check_scales(answer.json, (const int[]){64, 128}, 2);
    answer_free(&answer);
    /* As clients spell a list. */
    ask_query("?scales=128&top_k=3&scales=64&scales=96,64", &answer);
    check_scales(answer.json, (const int[]){64, 96, 128}, 3);
    answer_free(&answer);
    ask_query("?scales=64&scales=64", &answer);
    check_scales(answer.json, (const int[]){64}, 1);
    answer_free(&answer);
    ask_query("?scales=39,38,37,36&scales=35,34,33,32,39", &answer);
    check_scales(answer.json, (const int[]){32, 33, 34, 35, 36, 37, 38, 39}, 8);
    answer_free(&answer);
}

static void test_order_of_scales_does_not_matter(void **state)
{
    struct answer first, second;
    char *expected, *got;

    (void)state;
    ask_query("?scales=64,96,128&top_k=10", &first);
    ask_query("?top_k=10&scales=128,64,96,64", &second);
    expected = top_bytes(&first, 0);
    got = top_bytes(&second, 0);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&first);
    answer_free(&second);
}

/* As flags, JSON and Python spell them. */
static void test_switches(void **state)
{
    static const struct {
        const char *word;
        bool on;
    } words[] = {{"on", true},     {"On", true},     {"ON", true},   {"off", false},
                 {"OFF", false},   {"true", true},   {"True", true}, {"TRUE", true},
                 {"false", false}, {"False", false}, {"1", true},    {"0", false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct answer answer;
        char query[64];

        snprintf(query, sizeof query, "?flip=%s&views=%s&features=%s", words[i].word, words[i].word,
                 words[i].word);
        ask_query(query, &answer);
        assert_int_equal(bool_member(answer.json, "flip"), words[i].on);
        assert_int_equal(json_object_get(answer.json, "views") != NULL, words[i].on);
        assert_int_equal(json_object_get(answer.json, "features") != NULL, words[i].on);
        answer_free(&answer);
    }
}

static void test_flip(void **state)
{
    struct answer with, without;
    char *with_bytes, *without_bytes;

    (void)state;
    ask_query("?flip=on", &with);
    ask_query("?flip=off", &without);
    assert_true(bool_member(with.json, "flip"));
    assert_false(bool_member(without.json, "flip"));
    with_bytes = top_bytes(&with, 0);
    without_bytes = top_bytes(&without, 0);
    assert_string_not_equal(with_bytes, without_bytes);
    free(with_bytes);
    free(without_bytes);
    answer_free(&with);
    answer_free(&without);
}

/* ---------------------------------------------------------------- views ---------------------- */

static void add_scores(const json_t *top, double scores[CLASSES])
{
    check_top(top, CLASSES, CLASSES, false);
    for (size_t i = 0; i < CLASSES; i++) {
        const json_t *entry = json_array_get(top, i);

        scores[integer_member(entry, "index")] += number_member(entry, "score");
    }
}

/* Each view in its place; their mean is the answer. */
static void check_views(const char *query, const int *scales, size_t scales_n, bool flip)
{
    size_t mirrors = flip ? 2 : 1;
    double mean[CLASSES] = {0}, scores[CLASSES] = {0};
    const json_t *views;
    struct answer answer;

    ask_query(query, &answer);
    views = member(answer.json, "views");
    assert_int_equal(json_array_size(views), scales_n * mirrors);
    for (size_t i = 0; i < scales_n * mirrors; i++) {
        const json_t *view = json_array_get(views, i);

        assert_int_equal(integer_member(view, "scale"), scales[i / mirrors]);
        assert_int_equal(bool_member(view, "flip"), flip && i % 2 == 1);
        add_scores(member(view, "top"), mean);
    }
    add_scores(member(answer.json, "top"), scores);
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(fabs(mean[c] / (double)(scales_n * mirrors) - scores[c]) <= 1e-6);
    answer_free(&answer);
}

static void test_views(void **state)
{
    (void)state;
    check_views("?views=1&top_k=10&scales=128,64,96", (const int[]){64, 96, 128}, 3, true);
    check_views("?views=1&top_k=10&scales=64,128&flip=off", (const int[]){64, 128}, 2, false);
    check_views("?views=1&top_k=10", (const int[]){64, 96}, 2, true);
}

static void test_no_views_unless_asked(void **state)
{
    struct answer answer;

    (void)state;
    ask_query("", &answer);
    assert_null(json_object_get(answer.json, "views"));
    answer_free(&answer);
    ask_query("?views=0", &answer);
    assert_null(json_object_get(answer.json, "views"));
    answer_free(&answer);
}

/* A view alone is what a request for it alone gives. */
static void test_view_equals_request_of_its_scale(void **state)
{
    struct answer views, alone;
    char *expected, *got;

    (void)state;
    ask_query("?views=1&scales=64,96&flip=off", &views);
    ask_query("?scales=96&flip=off", &alone);
    expected = top_bytes(&alone, 0);
    got = top_bytes(&views, 2); /* the answer, scale 64, scale 96 */
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&views);
    answer_free(&alone);
}

/* ---------------------------------------------------------------- maps ----------------------- */

/* Sizes and places of the maps of an 80x60 picture on a network of crop 32. */
static void check_maps(const json_t *result, const int *scales, size_t scales_n, size_t classes)
{
    const json_t *maps = member(result, "map");

    assert_int_equal(json_array_size(maps), 2 * scales_n);
    for (size_t i = 0; i < 2 * scales_n; i++) {
        const json_t *map = json_array_get(maps, i), *region = member(map, "region");
        int height = scales[i / 2], width = height * 80 / 60;
        size_t rows = (size_t)height / 32, columns = (size_t)width / 32;
        double left = i % 2 == 1 ? width % 32 * 80.0 / width : 0;

        assert_int_equal(integer_member(map, "scale"), height);
        assert_int_equal(bool_member(map, "flip"), i % 2 == 1);
        assert_int_equal(integer_member(map, "rows"), rows);
        assert_int_equal(integer_member(map, "columns"), columns);
        assert_true(fabs(number_member(region, "x") - left) < 1e-5);
        assert_true(fabs(number_member(region, "width") - 32 * 80.0 / width) < 1e-5);
        assert_true(fabs(number_member(region, "step_y") - 32 * 60.0 / height) < 1e-5);
        assert_int_equal(json_array_size(member(map, "log_sums")), rows * columns);
        assert_int_equal(json_array_size(member(map, "classes")), classes);
        for (size_t c = 0; c < classes; c++) {
            const json_t *entry = json_array_get(member(map, "classes"), c);
            const json_t *top = json_array_get(member(result, "top"), c);

            assert_int_equal(integer_member(entry, "index"), integer_member(top, "index"));
            assert_int_equal(json_array_size(member(entry, "values")), rows * columns);
        }
    }
}

static void test_map(void **state)
{
    struct answer plain, map;
    char *expected, *got;

    (void)state;
    ask_query("?top_k=3", &plain);
    ask_query("?top_k=3&map=1", &map);
    assert_null(json_object_get(plain.json, "map"));
    check_maps(map.json, (const int[]){64, 96}, 2, 3);
    expected = top_bytes(&plain, 0);
    got = top_bytes(&map, 0);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&plain);
    answer_free(&map);
    ask_query("?top_k=4294967296&map=1&views=1&scales=160", &map); /* all ten classes */
    check_maps(map.json, (const int[]){160}, 1, CLASSES);
    assert_int_equal(json_array_size(member(map.json, "views")), 2);
    answer_free(&map);
}

/* Of the files of a multipart body each has its own; a bad one has none. */
static void test_map_of_several_files(void **state)
{
    struct blob image = picture(80, 60);
    const struct part parts[] = {
        {"a.jpg", image.bytes, image.size}, {"b.jpg", "no", 2}, {"c.jpg", image.bytes, image.size}};
    const json_t *results;
    struct answer answer;

    (void)state;
    classify_parts(&server, "?map=1", parts, 3, &answer);
    assert_int_equal(answer.status, 200);
    results = member(answer.json, "results");
    check_maps(json_array_get(results, 0), (const int[]){64, 96}, 2, 5);
    assert_int_equal(integer_member(json_array_get(results, 1), "status"), 415);
    assert_null(json_object_get(json_array_get(results, 1), "map"));
    check_maps(json_array_get(results, 2), (const int[]){64, 96}, 2, 5);
    answer_free(&answer);
    blob_free(&image);
}

/* A map of a thousand classes would be megabytes. */
static void test_map_of_many_classes(void **state)
{
    struct blob image = picture(40, 40);
    struct server labelled;
    struct answer answer;

    (void)state;
    server_start_model(&labelled, model_labelled());
    check_refused(&labelled, "?map=1&top_k=101", &image, 400, "bad-parameter");
    classify(&labelled, "?map=1&top_k=100", &image, &answer);
    check_answer(&answer, 40, 40);
    assert_int_equal(
        json_array_size(member(json_array_get(member(answer.json, "map"), 0), "classes")), 100);
    answer_free(&answer);
    classify(&labelled, "?map=0&top_k=101", &image, &answer);
    check_answer(&answer, 40, 40);
    answer_free(&answer);
    server_stop(&labelled);
    blob_free(&image);
}

/* ---------------------------------------------------------------- features ------------------- */

static void read_features(const json_t *result, double features[FEATURES])
{
    const json_t *array = member(result, "features");
    double sum = 0;

    assert_int_equal(json_array_size(array), FEATURES);
    for (size_t i = 0; i < FEATURES; i++) {
        features[i] = json_number_value(json_array_get(array, i));
        assert_true(features[i] >= 0);
        sum += features[i];
    }
    assert_true(sum > 0);
}

static void ask_features(const char *query, double features[FEATURES])
{
    struct answer answer;

    ask_query(query, &answer);
    read_features(answer.json, features);
    answer_free(&answer);
}

/* They are the mean over views, and change nothing else. */
static void test_features(void **state)
{
    double both[FEATURES], small[FEATURES], large[FEATURES];
    struct answer plain, asking;
    char *expected, *got;

    (void)state;
    ask_query("?features=0", &plain);
    ask_query("?features=1", &asking);
    assert_null(json_object_get(plain.json, "features"));
    read_features(asking.json, both);
    expected = top_bytes(&plain, 0);
    got = top_bytes(&asking, 0);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&plain);
    answer_free(&asking);
    ask_features("?features=true&scales=64", small);
    ask_features("?features=on&scales=96&map=1&views=1", large);
    assert_memory_not_equal(small, large, sizeof small);
    for (size_t i = 0; i < FEATURES; i++)
        assert_true(fabs(both[i] - (small[i] + large[i]) / 2) <= 1e-6 * fabs(both[i]));
}

static void test_features_of_several_files(void **state)
{
    struct blob image = picture(80, 60);
    const struct part parts[] = {{"a.jpg", image.bytes, image.size}, {"b.jpg", "no", 2}};
    double alone[FEATURES], features[FEATURES];
    const json_t *results;
    struct answer answer;

    (void)state;
    ask_features("?features=1", alone);
    classify_parts(&server, "?features=1", parts, 2, &answer);
    assert_int_equal(answer.status, 200);
    results = member(answer.json, "results");
    read_features(json_array_get(results, 0), features);
    assert_memory_equal(features, alone, sizeof alone);
    assert_null(json_object_get(json_array_get(results, 1), "features"));
    answer_free(&answer);
    blob_free(&image);
}

/* ---------------------------------------------------------------- bad ones ------------------- */

static void test_bad_parameters(void **state)
{
    static const char *const queries[] = {
        "?unknown=1",
        "?topk=3",
        "?top_k=3&Top_K=3",
        "?=",
        "?map=yes",
        "?top_k=3&top_k=3",
        "?scales=64&scales=x",
        "?scales=64&scales",
        "?scales=64,65,66,67&scales=68,69,70,71&scales=72",
        "?flip=on&top_k=1&flip=on",
        "?views=1&views=1",
        "?scales=0",
        "?scales=100000",
        "?scales=1025",
        "?scales=",
        "?scales",
        "?scales=64,",
        "?scales=,64",
        "?scales=64,,96",
        "?scales=64;96",
        "?scales=64%2096",
        "?scales=64.0",
        "?scales=-64",
        "?scales=+64",
        "?scales=0x40",
        "?scales=64,65,66,67,68,69,70,71,72",
        "?scales=31",
        "?scales=16,64",
        "?scales=18446744073709551680",
        "?top_k=-1",
        "?top_k=0",
        "?top_k=x",
        "?top_k=1e3",
        "?top_k=",
        "?top_k",
        "?top_k=1.0",
        "?top_k=%2B1",
        "?flip=maybe",
        "?flip=",
        "?flip=yes",
        "?flip=2",
        "?map=2",
        "?map=",
        "?map",
        "?map=1&map=1",
        "?features=2",
        "?features=",
        "?features=1&features=0",
        "?views=2",
        "?views=yes",
    };
    struct blob image = picture(40, 40);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        check_refused(&server, queries[i], &image, 400, "bad-parameter");
    check_alive(&server);
    blob_free(&image);
}

/* A zero byte does not hide what follows it. */
static void test_zero_byte_in_parameter(void **state)
{
    struct blob image = picture(40, 40);

    (void)state;
    check_refused(&server, "?top_k=3%00x", &image, 400, "bad-parameter");
    check_refused(&server, "?top_k%00x=3", &image, 400, "bad-parameter");
    blob_free(&image);
}

/* What the client sent comes back in the problem's text, however strange it is. */
static void test_strange_parameters_are_quoted(void **state)
{
    static const char *const queries[] = {"?%22%5c%0a=1", "?%ff%fe=1", "?%00=1",
                                          "?top_k=%f0%9f%90%88",
                                          "?top_k=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%c3%a9"};
    struct blob image = picture(40, 40);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        check_refused(&server, queries[i], &image, 400, "bad-parameter");
    blob_free(&image);
}

/* The text of a problem says which scale is wrong and what the least is. */
static void test_scale_below_crop_is_explained(void **state)
{
    struct blob image = picture(40, 40);
    struct answer answer;

    (void)state;
    classify(&server, "?scales=16,64", &image, &answer);
    assert_non_null(strstr(string_member(answer.json, "detail"), "16"));
    assert_non_null(strstr(string_member(answer.json, "detail"), "32"));
    check_problem(&answer, 400, "bad-parameter");
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_k),
        cmocka_unit_test(test_top_k_is_a_prefix),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_order_of_scales_does_not_matter),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_no_views_unless_asked),
        cmocka_unit_test(test_view_equals_request_of_its_scale),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_of_several_files),
        cmocka_unit_test(test_map_of_many_classes),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_features_of_several_files),
        cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_zero_byte_in_parameter),
        cmocka_unit_test(test_strange_parameters_are_quoted),
        cmocka_unit_test(test_scale_below_crop_is_explained),
    };

    return cmocka_run_group_tests_name("params", tests, setup, teardown);
}
