/* How a multipart body may be written, and how it may not. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "narrow_server.h"
#include "work.h"

/* ---------------------------------------------------------------- malformed ------------------ */

static void check_malformed(const char *type, const void *body, size_t size)
{
    struct answer answer;

    classify_body(&server, "", type, body, size, &answer);
    check_problem(&answer, 400, "bad-multipart");
}

static void check_malformed_text(const char *body)
{
    check_malformed(MULTIPART_TYPE, body, strlen(body));
}

static void test_boundary(void **state)
{
    struct blob image = picture(80, 60);
    struct part part = {"a.jpg", image.bytes, image.size};
    struct blob body = multipart(&part, 1);

    (void)state;
    check_malformed("Content-Type: multipart/form-data", body.bytes, body.size);
    check_malformed("Content-Type: multipart/form-data; boundary=", body.bytes, body.size);
    check_malformed("Content-Type: multipart/form-data; boundary=Another", body.bytes, body.size);
    check_malformed("Content-Type: multipart/mixed; boundary=" MULTIPART_BOUNDARY, body.bytes,
                    body.size);
    check_alive(&server);
    blob_free(&body);
    blob_free(&image);
}

static void test_no_parts(void **state)
{
    (void)state;
    check_malformed_text("--VggTestBoundary--\r\n");
    check_malformed_text("");
    check_malformed_text("no boundary at all");
    check_malformed_text("--VggTestBoundary\r\n");
}

static void test_part_without_filename(void **state)
{
    struct blob image = picture(80, 60);
    const struct part parts[] = {{"a.jpg", image.bytes, image.size},
                                 {NULL, image.bytes, image.size}};
    struct answer answer;

    (void)state;
    classify_parts(&server, "", &parts[1], 1, &answer);
    assert_non_null(strstr(string_member(answer.json, "detail"), "filename"));
    check_problem(&answer, 400, "bad-multipart");
    classify_parts(&server, "", parts, 2, &answer);
    assert_non_null(strstr(string_member(answer.json, "detail"), "filename"));
    check_problem(&answer, 400, "bad-parameter");
    blob_free(&image);
}

/* However much of it is missing. */
static void test_truncated(void **state)
{
    struct blob image = picture(40, 40);
    struct part part = {"a.jpg", image.bytes, image.size};
    struct blob body = multipart(&part, 1);
    size_t end = body.size - strlen("--VggTestBoundary--\r\n");

    (void)state;
    for (size_t size = 1; size < end; size += 41)
        check_malformed(MULTIPART_TYPE, body.bytes, size);
    for (size_t size = end; size < body.size - strlen("--\r\n"); size++)
        check_malformed(MULTIPART_TYPE, body.bytes, size);
    check_alive(&server);
    blob_free(&body);
    blob_free(&image);
}

/* ---------------------------------------------------------------- forms of it ---------------- */

/* POST text, the picture, text. */
static void ask_form(const char *type, const char *query, const char *before, const char *after,
                     struct answer *answer)
{
    struct blob image = picture(80, 60), body;
    size_t head = strlen(before), tail = strlen(after);

    body.size = head + image.size + tail;
    body.bytes = malloc(body.size);
    assert_non_null(body.bytes);
    memcpy(body.bytes, before, head);
    memcpy(body.bytes + head, image.bytes, image.size);
    memcpy(body.bytes + head + image.size, after, tail);
    classify_body(&server, query, type, body.bytes, body.size, answer);
    blob_free(&body);
    blob_free(&image);
}

/* One part whose framing is written out, around the picture. */
static void check_framing(const char *type, const char *before, const char *after, long status)
{
    struct answer answer;

    ask_form(type, "", before, after, &answer);
    if (status == 200)
        check_answer(&answer, 80, 60);
    else
        check_problem(&answer, status, "bad-multipart");
    answer_free(&answer);
}

#define BOUNDARY_LINE "--VggTestBoundary\r\n"
#define LAST_LINE "\r\n--VggTestBoundary--\r\n"

static void test_forms_of_framing(void **state)
{
    (void)state;
    check_framing("Content-Type: Multipart/Form-Data; charset=utf-8; Boundary=\"VggTestBoundary\"",
                  BOUNDARY_LINE "Content-Disposition: form-data; name=a; filename=b\r\n\r\n",
                  LAST_LINE, 200);
    check_framing(MULTIPART_TYPE,
                  "a preamble\r\n" BOUNDARY_LINE "Content-Type: image/jpeg\r\n"
                  "content-disposition: form-data; FileName=\"a \\\" b\"; name=\"a\"\r\n\r\n",
                  "\r\n--VggTestBoundary--\r\nan epilogue\r\n", 200);
    check_framing(MULTIPART_TYPE,
                  BOUNDARY_LINE
                  "Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''%c3%a9\r\n\r\n",
                  "\r\n--VggTestBoundary--", 200);
    check_framing(MULTIPART_TYPE,
                  BOUNDARY_LINE "Content-Disposition: form-data; name=\"a; filename=b\"\r\n\r\n",
                  LAST_LINE, 400);
    check_framing(MULTIPART_TYPE, BOUNDARY_LINE "Content-Type: image/jpeg\r\n\r\n", LAST_LINE, 200);
    check_framing(MULTIPART_TYPE,
                  BOUNDARY_LINE "Content-Disposition: form-data; name=\"image\"\r\n"
                                "Content-Type: Image/JPEG\r\n\r\n",
                  LAST_LINE, 200);
    check_framing(MULTIPART_TYPE,
                  BOUNDARY_LINE "Content-Type: application/octet-stream\r\n"
                                "Content-Disposition: form-data; name=image\r\n\r\n",
                  LAST_LINE, 200);
    check_framing(MULTIPART_TYPE, BOUNDARY_LINE "Content-Type: text/plain\r\n\r\n", LAST_LINE, 400);
}

static void test_long_header_of_a_part(void **state)
{
    static char before[20000 + 512], filename[20000];

    (void)state;
    memset(filename, 'a', sizeof filename - 1);
    snprintf(before, sizeof before,
             BOUNDARY_LINE "Content-Disposition: form-data; name=\"a\"; filename=\"%s\"\r\n\r\n",
             filename);
    check_framing(MULTIPART_TYPE, before, LAST_LINE, 200);
}

/* ---------------------------------------------------------------- fields --------------------- */

#define FIELD(name, value)                                                                         \
    BOUNDARY_LINE "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_LINES                                                                                 \
    BOUNDARY_LINE "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n"
#define UNSELECTED                                                                                 \
    BOUNDARY_LINE "Content-Disposition: form-data; name=\"more\"; filename=\"\"\r\n"               \
                  "Content-Type: application/octet-stream\r\n\r\n\r\n"

/* A field is a parameter, wherever it stands. */
static void test_fields(void **state)
{
    static const struct {
        const char *query, *before, *after;
    } cases[] = {
        {"?flip=False", FIELD("top_k", "3") FILE_LINES,
         "\r\n" FIELD("scales", "64,96") "--VggTestBoundary--"},
        {"",
         FIELD("flip", "off") FIELD("scales", "96") FIELD("top_k", "3") FIELD("scales", "64")
             FILE_LINES,
         LAST_LINE},
        {"?top_k=3&scales=96&scales=64", FILE_LINES,
         "\r\n" FIELD("flip", "FALSE") "--VggTestBoundary--"},
        {"?top_k=3",
         BOUNDARY_LINE "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Disposition: form-data; name=scales\r\n\r\n64,96\r\n" FILE_LINES,
         "\r\n" FIELD("flip", "0") UNSELECTED "--VggTestBoundary--"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer;

        ask_form(MULTIPART_TYPE, cases[i].query, cases[i].before, cases[i].after, &answer);
        assert_int_equal(answer.status, 200);
        check_scales(answer.json, (const int[]){64, 96}, 2);
        assert_false(bool_member(answer.json, "flip"));
        assert_int_equal(json_array_size(member(answer.json, "top")), 3);
        answer_free(&answer);
    }
}

static void test_bad_fields(void **state)
{
    static const struct {
        const char *query, *before, *slug, *detail;
    } cases[] = {
        {"?top_k=3", FIELD("top_k", "3") FILE_LINES, "bad-parameter", "both in the query and in"},
        {"?scales=64", FIELD("scales", "64") FILE_LINES, "bad-parameter", "both in the query"},
        {"", FIELD("top_k", "3") FIELD("top_k", "3") FILE_LINES, "bad-parameter", "repeated"},
        {"", FIELD("top_k", "0") FILE_LINES, "bad-parameter", "top_k=0: expected"},
        {"", FIELD("top_k", "") FILE_LINES, "bad-parameter", "expected"},
        {"", FIELD("top_k", "3\r\n") FILE_LINES, "bad-parameter", "expected"},
        {"", FIELD("topk", "3") FILE_LINES, "bad-parameter", "unknown field \"topk\""},
        {"", FIELD("image", "a.jpg") FILE_LINES, "bad-parameter", "filename"},
        {"", FIELD("", "3") FILE_LINES, "bad-parameter", "unknown field"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer;
        const char *detail;

        ask_form(MULTIPART_TYPE, cases[i].query, cases[i].before, LAST_LINE, &answer);
        detail = string_member(answer.json, "detail");
        if (strstr(detail, cases[i].detail) == NULL)
            fail_msg("case %zu: %s", i, detail);
        check_problem(&answer, 400, cases[i].slug);
    }
}

/* File inputs in which nothing was chosen are no pictures; empty files with a name are. */
static void test_unselected(void **state)
{
    struct answer answer;

    (void)state;
    ask_form(MULTIPART_TYPE, "", UNSELECTED FILE_LINES, "\r\n" UNSELECTED "--VggTestBoundary--",
             &answer);
    check_answer(&answer, 80, 60); /* one, not several */
    answer_free(&answer);
    ask_form(MULTIPART_TYPE, "", FILE_LINES,
             "\r\n" BOUNDARY_LINE
             "Content-Disposition: form-data; name=\"more\"; filename=\"b.jpg\"\r\n\r\n" LAST_LINE,
             &answer);
    assert_int_equal(json_array_size(member(answer.json, "results")), 2);
    answer_free(&answer);
    check_malformed_text(UNSELECTED "--VggTestBoundary--\r\n");
    check_malformed_text(FIELD("top_k", "3") "--VggTestBoundary--\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_no_parts),
        cmocka_unit_test(test_part_without_filename),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_forms_of_framing),
        cmocka_unit_test(test_long_header_of_a_part),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_unselected),
    };

    return cmocka_run_group_tests_name("multipart_forms", tests, setup, teardown);
}
