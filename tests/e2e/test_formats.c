/* Formats of pictures: told by the bytes, never by a name or a type; each with the same statuses.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "png_maker.h"
#include "webp_maker.h"
#include "work.h"

static struct server server;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                           "--max-pixels", "10000", NULL});
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

static struct blob png_of(const struct png_spec *spec)
{
    struct blob blob = {0};

    assert_true(png_make(spec, &blob.bytes, &blob.size));
    return blob;
}

static struct blob webp_of(const struct webp_spec *spec)
{
    struct blob blob = {0};

    assert_true(webp_make(spec, &blob.bytes, &blob.size));
    return blob;
}

static void check_format(const json_t *result, const char *format)
{
    assert_string_equal(string_member(member(result, "image"), "format"), format);
}

/* ---------------------------------------------------------------- good ones ------------------ */

static void check_classified(const struct blob *image, const char *format, size_t width,
                             size_t height)
{
    static const char *const types[] = {"Content-Type: image/jpeg", "Content-Type: text/plain",
                                        "Content-Type: image/webp"};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct answer answer;

        ask(&server,
            &(struct call){.target = "/classify",
                           .body = image->bytes,
                           .size = image->size,
                           .headers = (const char *[]){types[i], NULL}},
            &answer);
        check_answer(&answer, width, height);
        check_format(answer.json, format);
        check_top(member(answer.json, "top"), 5, 10, false);
        answer_free(&answer);
    }
}

static void test_png(void **state)
{
    static const struct png_spec specs[] = {
        {.width = 80, .height = 60, .colour = PNG_COLOUR},
        {.width = 80, .height = 60, .colour = PNG_INDEXED, .depth = 4, .interlaced = true},
        {.width = 60, .height = 80, .colour = PNG_COLOUR_ALPHA, .depth = 16, .orientation = 6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct blob image = png_of(&specs[i]);

        check_classified(&image, "png", 80, 60);
        blob_free(&image);
    }
}

static void test_webp(void **state)
{
    static const struct webp_spec specs[] = {
        {.width = 80, .height = 60},
        {.width = 60, .height = 80, .lossless = true, .alpha = true, .orientation = 8},
        {.width = 40, .height = 40, .frames = 3, .canvas_width = 80, .canvas_height = 60},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct blob image = webp_of(&specs[i]);

        check_classified(&image, "webp", 80, 60);
        blob_free(&image);
    }
}

/* The same pixels, packed in another way, have the same scores. */
static void test_same_pixels_same_bytes(void **state)
{
    struct png_spec spec = {.width = 80, .height = 60, .colour = PNG_COLOUR};
    struct blob plain = png_of(&spec), interlaced;
    struct answer answers[2];
    char *tops[2];

    (void)state;
    spec.interlaced = true;
    interlaced = png_of(&spec);
    classify(&server, "", &plain, &answers[0]);
    classify(&server, "", &interlaced, &answers[1]);
    for (size_t i = 0; i < 2; i++) {
        check_answer(&answers[i], 80, 60);
        tops[i] = top_bytes(&answers[i], 0);
        answer_free(&answers[i]);
    }
    assert_string_equal(tops[0], tops[1]);
    free(tops[0]);
    free(tops[1]);
    blob_free(&plain);
    blob_free(&interlaced);
}

static void test_all_in_one_request(void **state)
{
    struct blob images[] = {picture(80, 60), png_of(&(struct png_spec){.width = 80, .height = 60}),
                            webp_of(&(struct webp_spec){.width = 80, .height = 60})};
    static const char *const formats[] = {"jpeg", "png", "webp"};
    struct part parts[3];
    struct answer answer;
    const json_t *results;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        parts[i] = (struct part){"photo.gif", images[i].bytes, images[i].size};
    classify_parts(&server, "", parts, 3, &answer);
    results = member(answer.json, "results");
    for (size_t i = 0; i < 3; i++) {
        check_result(json_array_get(results, i), 80, 60);
        check_format(json_array_get(results, i), formats[i]);
        blob_free(&images[i]);
    }
    answer_free(&answer);
}

/* ---------------------------------------------------------------- bad ones ------------------- */

static void test_413_over_the_limit(void **state)
{
    struct blob png = png_of(&(struct png_spec){.width = 101, .height = 100});
    struct blob webp = webp_of(&(struct webp_spec){.width = 101, .height = 100});

    (void)state;
    check_refused(&server, "", &png, 413, "image-too-large");
    check_refused(&server, "", &webp, 413, "image-too-large");
    check_alive(&server);
    blob_free(&png);
    blob_free(&webp);
}

static void test_422_damaged(void **state)
{
    struct blob images[] = {png_of(&(struct png_spec){.width = 80, .height = 60}),
                            webp_of(&(struct webp_spec){.width = 80, .height = 60})};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(images); i++) {
        size_t whole = images[i].size;

        for (size_t size = 12; size < whole; size += whole / 7) {
            images[i].size = size;
            check_refused(&server, "", &images[i], 422, "bad-image");
        }
        images[i].size = whole;
        blob_free(&images[i]);
    }
    check_alive(&server);
}

static void test_415_says_what_it_is(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
    } others[] = {
        {"GIF", "GIF89a\1\0\1\0\0\0\0;", 14},
        {"TIFF", "II*\0\x08\0\0\0", 8},
        {"BMP", "BM\x36\0\0\0\0\0\0\0", 10},
        {"AVIF",
         "\0\0\0\x20"
         "ftypavif\0\0\0\0",
         16},
        {"HEIC",
         "\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct answer answer;
        const char *detail;

        ask(&server,
            &(struct call){.target = "/classify", .body = others[i].bytes, .size = others[i].size},
            &answer);
        detail = string_member(answer.json, "detail");
        if (strstr(detail, "JPEG, PNG, WebP") == NULL || strstr(detail, others[i].name) == NULL)
            fail_msg("%s: %s", others[i].name, detail);
        check_problem(&answer, 415, "unsupported-format");
    }
    check_alive(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_webp),
        cmocka_unit_test(test_same_pixels_same_bytes),
        cmocka_unit_test(test_all_in_one_request),
        cmocka_unit_test(test_413_over_the_limit),
        cmocka_unit_test(test_422_damaged),
        cmocka_unit_test(test_415_says_what_it_is),
    };

    return cmocka_run_group_tests_name("formats", tests, setup, teardown);
}
