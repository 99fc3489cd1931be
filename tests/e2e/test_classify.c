/* Good requests: what an answer holds, by every way of sending a picture. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "work.h"

static struct server narrow, labelled;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start_model(&narrow, model_narrow());
    server_start_model(&labelled, model_labelled());
    return 0;
}

static int teardown(void **state)
{
    server_stop(&narrow);
    server_stop(&labelled);
    return work_teardown(state);
}

/* ---------------------------------------------------------------- the answer ----------------- */

static void test_raw_body(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    (void)state;
    classify(&narrow, "", &image, &answer);
    check_answer(&answer, 80, 60);
    check_scales(answer.json, (const int[]){64, 96}, 2);
    assert_true(bool_member(answer.json, "flip"));
    check_top(member(answer.json, "top"), 5, 10, false);
    assert_int_equal(json_object_size(answer.json), 7);
    assert_int_equal(answer.body[answer.size - 1], '\n');
    answer_free(&answer);
    blob_free(&image);
}

static void test_labels_of_a_thousand_classes(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;
    bool seen = false;

    (void)state;
    classify(&labelled, "?top_k=1000", &image, &answer);
    check_answer(&answer, 80, 60);
    check_top(member(answer.json, "top"), 1000, 1000, true);
    for (size_t i = 0; i < 1000; i++) {
        const json_t *entry = json_array_get(member(answer.json, "top"), i);

        if (integer_member(entry, "index") != 281)
            continue;
        assert_string_equal(string_member(entry, "id"), "n02123045");
        assert_non_null(strstr(string_member(entry, "label"), "tabby"));
        seen = true;
    }
    assert_true(seen);
    answer_free(&answer);
    blob_free(&image);
}

static void test_orientation(void **state)
{
    struct answer answer;

    (void)state;
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        const struct jpeg_spec spec = {.width = 80, .height = 48, .orientation = orientation};
        struct blob image = picture_of(&spec);

        classify(&narrow, "?scales=64", &image, &answer);
        check_answer(&answer, orientation >= 5 ? 48 : 80, orientation >= 5 ? 80 : 48);
        answer_free(&answer);
        blob_free(&image);
    }
}

static void test_kinds_of_jpeg(void **state)
{
    static const struct jpeg_spec specs[] = {
        {.width = 40, .height = 50, .color = JPEG_GREY},
        {.width = 40, .height = 50, .color = JPEG_RGB},
        {.width = 40, .height = 50, .color = JPEG_CMYK},
        {.width = 40, .height = 50, .color = JPEG_YCCK},
        {.width = 40, .height = 50, .progressive = true},
        {.width = 40, .height = 50, .arithmetic = true},
        {.width = 40, .height = 50, .luma_h = 2, .luma_v = 2},
    };
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct blob image = picture_of(&specs[i]);

        classify(&narrow, "?scales=64", &image, &answer);
        check_answer(&answer, 40, 50);
        answer_free(&answer);
        blob_free(&image);
    }
}

static void test_smallest_picture(void **state)
{
    struct blob image = picture(1, 1);
    struct answer answer;

    (void)state;
    classify(&narrow, "", &image, &answer);
    check_answer(&answer, 1, 1);
    answer_free(&answer);
    blob_free(&image);
}

/* ---------------------------------------------------------------- ways of sending ------------ */

/* The same picture with other headers gives the same bytes. */
static void check_same_with(const char *const *headers)
{
    struct blob image = picture(80, 60);
    struct answer plain, other;
    char *expected, *got;

    classify(&narrow, "", &image, &plain);
    ask(&narrow,
        &(struct call){
            .target = "/classify", .body = image.bytes, .size = image.size, .headers = headers},
        &other);
    check_answer(&other, 80, 60);
    expected = top_bytes(&plain, 0);
    got = top_bytes(&other, 0);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&plain);
    answer_free(&other);
    blob_free(&image);
}

static void test_any_content_type(void **state)
{
    (void)state;
    check_same_with((const char *[]){"Content-Type:", NULL});
    check_same_with((const char *[]){"Content-Type: image/jpeg", NULL});
    check_same_with((const char *[]){"Content-Type: image/png", NULL});
    check_same_with((const char *[]){"Content-Type: application/x-www-form-urlencoded", NULL});
    check_same_with((const char *[]){"Content-Type: text/plain; charset=utf-8", NULL});
}

static void test_chunked_body(void **state)
{
    (void)state;
    check_same_with((const char *[]){"Transfer-Encoding: chunked", NULL});
}

static void test_expect_continue(void **state)
{
    (void)state;
    check_same_with((const char *[]){"Expect: 100-continue", NULL});
    check_continued(&narrow, "", 80, 60);
}

static void test_kept_alive(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;
    struct raw raw;

    (void)state;
    raw_open(&raw, &narrow);
    for (int i = 0; i < 5; i++) {
        assert_true(raw_post(&raw, "", &image, image.size));
        assert_true(raw_answer(&raw, &answer));
        check_answer(&answer, 80, 60);
        assert_null(answer_header(&answer, "Connection"));
        answer_free(&answer);
    }
    raw_close(&raw);
    blob_free(&image);
}

/* ---------------------------------------------------------------- request ids ---------------- */

static void check_id(const char *header, const char *expected)
{
    struct blob image = picture(40, 40);
    struct answer answer;
    const char *id;

    ask(&narrow,
        &(struct call){.target = "/classify?scales=64",
                       .body = image.bytes,
                       .size = image.size,
                       .headers = (const char *[]){header, NULL}},
        &answer);
    check_answer(&answer, 40, 40);
    id = string_member(answer.json, "request_id");
    if (expected != NULL)
        assert_string_equal(id, expected);
    else {
        assert_true(strlen(id) >= 8);
        assert_int_equal(strspn(id, "0123456789abcdef"), strlen(id));
    }
    answer_free(&answer);
    blob_free(&image);
}

static void test_request_id(void **state)
{
    char longest[160] = "X-Request-Id: ", too_long[200];

    (void)state;
    memset(longest + 14, 'a', 128);
    snprintf(too_long, sizeof too_long, "%sa", longest);
    check_id("X-Request-Id: Abc-1_2.3", "Abc-1_2.3");
    check_id(longest, longest + 14);
    check_id(too_long, NULL);
    check_id("X-Request-Id: two words", NULL);
    check_id("X-Request-Id: semi;colon", NULL);
    check_id("X-Request-Id: \"quoted\"", NULL);
    check_id("X-Request-Id: caf\xc3\xa9", NULL);
    check_id("X-Request-Id;", NULL); /* empty */
    check_id("X-Other: none", NULL);
}

static void test_made_ids_differ(void **state)
{
    struct answer first, second;

    (void)state;
    ask(&narrow, &(struct call){.target = "/livez"}, &first);
    ask(&narrow, &(struct call){.target = "/livez"}, &second);
    assert_string_not_equal(strstr(first.headers, "X-Request-Id"),
                            strstr(second.headers, "X-Request-Id"));
    answer_free(&first);
    answer_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_body),
        cmocka_unit_test(test_labels_of_a_thousand_classes),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_kinds_of_jpeg),
        cmocka_unit_test(test_smallest_picture),
        cmocka_unit_test(test_any_content_type),
        cmocka_unit_test(test_chunked_body),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_kept_alive),
        cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_made_ids_differ),
    };

    return cmocka_run_group_tests_name("classify", tests, setup, teardown);
}
