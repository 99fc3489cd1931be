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

    ask(&server,
        &(struct call){.target = "/classify",
                       .body = body,
                       .size = size,
                       .headers = (const char *[]){type, NULL}},
        &answer);
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
    check_problem(&answer, 400, "bad-multipart");
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

/* One part whose framing is written out, around the picture. */
static void check_framing(const char *type, const char *before, const char *after, long status)
{
    struct blob image = picture(80, 60), body;
    size_t head = strlen(before), tail = strlen(after);
    struct answer answer;

    body.size = head + image.size + tail;
    body.bytes = malloc(body.size);
    assert_non_null(body.bytes);
    memcpy(body.bytes, before, head);
    memcpy(body.bytes + head, image.bytes, image.size);
    memcpy(body.bytes + head + image.size, after, tail);
    ask(&server,
        &(struct call){.target = "/classify",
                       .body = body.bytes,
                       .size = body.size,
                       .headers = (const char *[]){type, NULL}},
        &answer);
    if (status == 200)
        check_answer(&answer, 80, 60);
    else
        check_problem(&answer, status, "bad-multipart");
    answer_free(&answer);
    blob_free(&body);
    blob_free(&image);
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
    check_framing(MULTIPART_TYPE, BOUNDARY_LINE "Content-Type: image/jpeg\r\n\r\n", LAST_LINE, 400);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_no_parts),
        cmocka_unit_test(test_part_without_filename),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_forms_of_framing),
        cmocka_unit_test(test_long_header_of_a_part),
    };

    return cmocka_run_group_tests_name("multipart_forms", tests, setup, teardown);
}
