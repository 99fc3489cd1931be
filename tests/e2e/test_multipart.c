/* Multipart bodies: one file, several, bad ones among good, too many. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "answers.h"
#include "work.h"

enum { IMAGES_MAX = 16 };

static struct server server;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                           "--max-cost", "1000", "--max-body", "2M", NULL});
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

/* ---------------------------------------------------------------- good ones ------------------ */

static void test_one_file(void **state)
{
    struct blob image = picture(80, 60);
    struct answer raw, part;
    char *expected, *got;

    (void)state;
    classify(&server, "", &image, &raw);
    classify_parts(&server, "", &(struct part){"cat.jpg", image.bytes, image.size}, 1, &part);
    check_answer(&part, 80, 60);
    expected = top_bytes(&raw, 0);
    got = top_bytes(&part, 0);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    answer_free(&raw);
    answer_free(&part);
    blob_free(&image);
}

/* As curl -F sends it. */
static void test_as_curl_sends_it(void **state)
{
    struct blob image = picture(80, 60);
    CURL *curl = curl_easy_init();
    curl_mime *mime = curl_mime_init(curl);
    curl_mimepart *part = curl_mime_addpart(mime);
    char url[64];
    long status = 0;
    FILE *sink = fopen("/dev/null", "w");

    (void)state;
    assert_non_null(sink);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/classify", server.ports[0]);
    curl_mime_name(part, "image");
    curl_mime_filename(part, "photo.jpg");
    curl_mime_type(part, "image/jpeg");
    curl_mime_data(part, (const char *)image.bytes, image.size);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    assert_int_equal(status, 200);
    curl_mime_free(mime);
    curl_easy_cleanup(curl);
    fclose(sink);
    blob_free(&image);
}

static void check_element(const json_t *element, size_t width, size_t height)
{
    assert_null(json_object_get(element, "request_id"));
    assert_null(json_object_get(element, "status"));
    check_result(element, width, height);
    check_top(member(element, "top"), 5, 10, false);
}

static void test_several_files_in_order(void **state)
{
    struct blob images[3] = {picture(80, 60), picture(50, 70), picture(64, 64)};
    struct part parts[3];
    struct answer answer;
    const json_t *results;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        parts[i] = (struct part){"a.jpg", images[i].bytes, images[i].size};
    classify_parts(&server, "", parts, 3, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_object_size(answer.json), 2);
    assert_string_equal(string_member(answer.json, "request_id"),
                        answer_header(&answer, "X-Request-Id"));
    results = member(answer.json, "results");
    assert_int_equal(json_array_size(results), 3);
    check_element(json_array_get(results, 0), 80, 60);
    check_element(json_array_get(results, 1), 50, 70);
    check_element(json_array_get(results, 2), 64, 64);
    answer_free(&answer);
    for (size_t i = 0; i < 3; i++)
        blob_free(&images[i]);
}

static void check_bad_element(const json_t *element, long status, const char *type)
{
    assert_int_equal(integer_member(element, "status"), status);
    assert_string_equal(string_member(element, "type"), type);
    assert_true(strlen(string_member(element, "title")) > 0);
    assert_true(strlen(string_member(element, "detail")) > 0);
    assert_int_equal(json_object_size(element), 4);
}

static void test_bad_images_among_good_ones(void **state)
{
    struct blob image = picture(80, 60);
    struct blob panorama = picture(2000, 2);
    const struct part parts[] = {
        {"good.jpg", image.bytes, image.size}, {"cut.jpg", image.bytes, image.size / 2},
        {"text.txt", "not a picture", 13},     {"empty.jpg", "", 0},
        {"good.jpg", image.bytes, image.size}, {"wide.jpg", panorama.bytes, panorama.size},
    };
    struct answer answer;
    const json_t *results;

    (void)state;
    classify_parts(&server, "", parts, COUNT_OF(parts), &answer);
    assert_int_equal(answer.status, 200);
    results = member(answer.json, "results");
    assert_int_equal(json_array_size(results), COUNT_OF(parts));
    check_element(json_array_get(results, 0), 80, 60);
    check_bad_element(json_array_get(results, 1), 422, "urn:vgg:problem:bad-image");
    check_bad_element(json_array_get(results, 2), 415, "urn:vgg:problem:unsupported-format");
    check_bad_element(json_array_get(results, 3), 400, "urn:vgg:problem:empty-body");
    check_element(json_array_get(results, 4), 80, 60);
    check_bad_element(json_array_get(results, 5), 413, "urn:vgg:problem:image-too-large");
    answer_free(&answer);
    blob_free(&image);
    blob_free(&panorama);
}

/* One file is one answer, so its problem is the answer's status. */
static void test_one_bad_file(void **state)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    (void)state;
    classify_parts(&server, "", &(struct part){"cut.jpg", image.bytes, image.size / 2}, 1, &answer);
    check_problem(&answer, 422, "bad-image");
    classify_parts(&server, "", &(struct part){"empty.jpg", "", 0}, 1, &answer);
    check_problem(&answer, 400, "empty-body");
    blob_free(&image);
}

/* A picture with a comment, which is harmless, that looks nearly like the boundary. */
static struct blob picture_with_boundary(void)
{
    static const char piece[] = "\xff\xfe\x00\x29\r\n--VggTestBoundar\r\n\r\n--\r\n--VggTestBoun";
    struct blob plain = picture(80, 60), image;

    image.size = plain.size + sizeof piece - 1;
    image.bytes = jpeg_insert(plain.bytes, plain.size, 2, piece, sizeof piece - 1);
    assert_non_null(image.bytes);
    blob_free(&plain);
    return image;
}

/* Wherever the network cuts the body, the parts are the same. */
static void test_body_in_small_pieces(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 61, 1021, 4095, 4097};
    struct blob image = picture_with_boundary(), plain = picture(80, 60);
    const struct part parts[] = {{"a.jpg", image.bytes, image.size},
                                 {"b.jpg", plain.bytes, 7},
                                 {"c.jpg", plain.bytes, plain.size},
                                 {"d.jpg", "", 0}};
    struct blob body = multipart(parts, COUNT_OF(parts));
    struct answer answer;
    char head[256], *expected, *got;

    (void)state;
    classify(&server, "", &plain, &answer);
    expected = top_bytes(&answer, 0);
    answer_free(&answer);
    snprintf(head, sizeof head,
             "POST /classify HTTP/1.1\r\nHost: x\r\n" MULTIPART_TYPE
             "\r\nContent-Length: %zu\r\n\r\n",
             body.size);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct raw raw;

        raw_open(&raw, &server);
        assert_true(raw_text(&raw, head));
        for (size_t at = 0; at < body.size; at += steps[i])
            assert_true(raw_send(&raw, body.bytes + at,
                                 at + steps[i] < body.size ? steps[i] : body.size - at));
        assert_true(raw_answer(&raw, &answer));
        assert_int_equal(answer.status, 200);
        assert_int_equal(json_array_size(member(answer.json, "results")), COUNT_OF(parts));
        for (size_t nth = 0; nth < 2; nth++) {
            got = top_bytes(&answer, nth);
            assert_non_null(got);
            assert_string_equal(got, expected);
            free(got);
        }
        answer_free(&answer);
        raw_close(&raw);
    }
    free(expected);
    blob_free(&body);
    blob_free(&plain);
    blob_free(&image);
}

/* ---------------------------------------------------------------- limits --------------------- */

static void test_too_many_files(void **state)
{
    struct blob image = picture(32, 32);
    struct part parts[50];
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = (struct part){"a.jpg", image.bytes, image.size};
    classify_parts(&server, "?scales=32", parts, IMAGES_MAX, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_array_size(member(answer.json, "results")), IMAGES_MAX);
    answer_free(&answer);
    classify_parts(&server, "?scales=32", parts, IMAGES_MAX + 1, &answer);
    check_problem(&answer, 413, "too-many-images");
    classify_parts(&server, "?scales=32", parts, COUNT_OF(parts), &answer);
    check_problem(&answer, 413, "too-many-images");
    check_alive(&server);
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_as_curl_sends_it),
        cmocka_unit_test(test_several_files_in_order),
        cmocka_unit_test(test_bad_images_among_good_ones),
        cmocka_unit_test(test_one_bad_file),
        cmocka_unit_test(test_body_in_small_pieces),
        cmocka_unit_test(test_too_many_files),
    };

    return cmocka_run_group_tests_name("multipart", tests, setup, teardown);
}
