/* Every status of the error table, and that a good request is answered after it. */
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "process.h"
#include "work.h"

static struct server server;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                           "--max-body", "1M", NULL});
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

static void check_refused_bytes(const void *bytes, size_t size, long status, const char *slug)
{
    struct answer answer;

    ask(&server, &(struct call){.target = "/classify", .body = bytes, .size = size}, &answer);
    check_problem(&answer, status, slug);
}

/* ---------------------------------------------------------------- 400 ------------------------ */

static void test_400_empty_body(void **state)
{
    struct answer answer;

    (void)state;
    check_refused_bytes("", 0, 400, "empty-body");
    ask(&server,
        &(struct call){.target = "/classify",
                       .body = "",
                       .headers = (const char *[]){"Transfer-Encoding: chunked", NULL}},
        &answer);
    check_problem(&answer, 400, "empty-body");
    check_alive(&server);
}

/* ---------------------------------------------------------------- 401 ------------------------ */

/* The status of a GET with an Authorization header, or none. */
static long status_with(const struct server *guarded, const char *target, const char *header,
                        bool admin)
{
    struct answer answer;
    long status;

    ask(guarded,
        &(struct call){.target = target, .headers = (const char *[]){header, NULL}, .admin = admin},
        &answer);
    status = answer.status;
    if (status == 401) {
        assert_non_null(answer_header(&answer, "WWW-Authenticate"));
        assert_int_equal(strncmp(answer_header(&answer, "WWW-Authenticate"), "Bearer", 6), 0);
        check_problem(&answer, 401, "unauthorized");
    }
    answer_free(&answer);
    return status;
}

static void check_token(const struct server *guarded, const char *target, const char *good,
                        bool admin)
{
    static const char *const bad[] = {
        "X-None: 1",
        "Authorization;",
        "Authorization: Bearer",
        "Authorization: Bearer ",
        "Authorization: Bearer wrong",
        "Authorization: Bearer secret-api-tokenx",
        "Authorization: Bearer secret-api-toke",
        "Authorization: Basic secret-api-token",
        "Authorization: secret-api-token",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(status_with(guarded, target, bad[i], admin), 401);
    assert_int_equal(status_with(guarded, target, good, admin), 200);
}

static void test_401_tokens(void **state)
{
    static const char api[] = "Authorization: Bearer secret-api-token";
    static const char admin[] = "Authorization: bearer secret-admin-token";
    static const char *const probes[] = {"/livez", "/readyz", "/healthz"};
    struct blob image = picture(80, 60);
    struct server guarded;
    struct answer answer;

    (void)state;
    work_write(work_file("api"), "secret-api-token\nnot this line\n", 31);
    work_write(work_file("admin"), "secret-admin-token", 18);
    server_start(&guarded, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                            "--api-token-file", work_file("api"),
                                            "--admin-token-file", work_file("admin"), NULL});
    check_token(&guarded, "/model", api, false);
    check_token(&guarded, "/metrics", api, false);
    check_token(&guarded, "/admin/model", admin, true);
    assert_int_equal(status_with(&guarded, "/model", admin, false), 401);
    assert_int_equal(status_with(&guarded, "/admin/model", api, true), 401);
    for (size_t i = 0; i < COUNT_OF(probes); i++)
        assert_int_equal(status_with(&guarded, probes[i], "X-None: 1", false), 200);
    check_refused(&guarded, "", &image, 401, "unauthorized");
    ask(&guarded,
        &(struct call){.target = "/classify",
                       .body = image.bytes,
                       .size = image.size,
                       .headers = (const char *[]){api, NULL}},
        &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    server_stop(&guarded);
    blob_free(&image);
}

/* SIGHUP reads the files again; one that opens nothing changes nothing. */
static void test_tokens_are_read_again(void **state)
{
    static const char first[] = "Authorization: Bearer first";
    static const char second[] = "Authorization: Bearer second";
    struct server guarded;

    (void)state;
    work_write(work_file("rotated"), "first\n", 6);
    server_start(&guarded, (const char *[]){"--model", model_narrow(), "--scales", "64",
                                            "--api-token-file", work_file("rotated"), NULL});
    assert_int_equal(status_with(&guarded, "/model", first, false), 200);
    work_write(work_file("rotated"), "second\n", 7);
    assert_int_equal(status_with(&guarded, "/model", first, false), 200);
    server_signal(&guarded, SIGHUP);
    for (int i = 0; i < NAPS_MAX && status_with(&guarded, "/model", second, false) != 200; i++)
        nap();
    assert_int_equal(status_with(&guarded, "/model", second, false), 200);
    assert_int_equal(status_with(&guarded, "/model", first, false), 401);
    work_write(work_file("rotated"), "\n", 1);
    server_signal(&guarded, SIGHUP);
    server_wait_log(&guarded, "the old token stays: --api-token-file");
    assert_int_equal(status_with(&guarded, "/model", second, false), 200);
    assert_int_equal(status_with(&guarded, "/model", "Authorization: Bearer ", false), 401);
    server_stop(&guarded);
}

/* ---------------------------------------------------------------- 403 ------------------------ */

/* Web pages cannot reach the admin listener, whatever their origin; with or without a route. */
static void test_403_origin(void **state)
{
    static const char *const origins[] = {"Origin: https://example.org", "Origin: null",
                                          "Origin: http://127.0.0.1", "origin: x"};
    static const char *const targets[] = {"/admin/model", "/admin/reload", "/nothing"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(origins) * COUNT_OF(targets); i++) {
        ask(&server,
            &(struct call){.target = targets[i % COUNT_OF(targets)],
                           .headers = (const char *[]){origins[i / COUNT_OF(targets)], NULL},
                           .admin = true},
            &answer);
        check_problem(&answer, 403, "cross-origin");
    }
    ask(&server, &(struct call){.target = "/admin/model", .admin = true}, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

/* ---------------------------------------------------------------- 404, 405 ------------------- */

static void test_404(void **state)
{
    static const char *const targets[] = {"/classify//", "/Classify",    "/admin/model",
                                          "/metrics2",   "/%c3%a9%ff",   "/../model",
                                          "//livez",     "/admin/reload"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        ask(&server, &(struct call){.target = targets[i]}, &answer);
        check_problem(&answer, 404, "not-found");
    }
    ask(&server, &(struct call){.target = "/model", .admin = true}, &answer);
    check_problem(&answer, 404, "not-found");
    check_alive(&server);
}

/* A zero byte does not hide what follows it. */
static void test_404_zero_byte(void **state)
{
    struct answer answer;

    (void)state;
    ask(&server, &(struct call){.target = "/livez%00x"}, &answer);
    check_problem(&answer, 404, "not-found");
}

static void test_405(void **state)
{
    static const struct {
        const char *method, *target, *allow;
    } cases[] = {
        {"GET", "/classify", "POST"},      {"PUT", "/classify/", "POST"},
        {"DELETE", "/classify", "POST"},   {"OPTIONS", "/classify", "POST"},
        {"POST", "/livez", "GET, HEAD"},   {"POST", "/readyz", "GET, HEAD"},
        {"PUT", "/healthz", "GET, HEAD"},  {"POST", "/metrics", "GET, HEAD"},
        {"DELETE", "/model", "GET, HEAD"}, {"PATCH", "/model", "GET, HEAD"},
        {"post", "/classify", "POST"},     {"BREW", "/livez", "GET, HEAD"},
    };
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ask(&server, &(struct call){.target = cases[i].target, .method = cases[i].method}, &answer);
        assert_non_null(answer_header(&answer, "Allow"));
        assert_string_equal(answer_header(&answer, "Allow"), cases[i].allow);
        check_problem(&answer, 405, "method-not-allowed");
    }
    ask(&server, &(struct call){.target = "/classify", .method = "HEAD"}, &answer);
    assert_int_equal(answer.status, 405);
    assert_int_equal(answer.size, 0);
    answer_free(&answer);
    check_alive(&server);
}

/* ---------------------------------------------------------------- 413 ------------------------ */

/* The headers alone are enough to be refused, and nothing is asked for. */
static void check_declared(const char *length, const char *more)
{
    struct answer answer;
    struct raw raw;
    char head[256];

    raw_open(&raw, &server);
    snprintf(head, sizeof head,
             "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n%s\r\n", length, more);
    assert_true(raw_text(&raw, head));
    assert_true(raw_answer(&raw, &answer));
    check_problem(&answer, 413, "body-too-large");
    assert_true(raw_ends(&raw));
    raw_close(&raw);
}

/* ---------------------------------------------------------------- what people send instead --- */

static void check_detail(const char *type, const void *body, size_t size, long status,
                         const char *slug, const char *detail)
{
    struct answer answer;

    classify_body(&server, "", type, body, size, &answer);
    if (strstr(string_member(answer.json, "detail"), detail) == NULL)
        fail_msg("%s, not %s", string_member(answer.json, "detail"), detail);
    check_problem(&answer, status, slug);
}

static void test_strangers(void **state)
{
    static const struct {
        const char *body, *detail;
    } cases[] = {
        {"/9j/4AAQSkZJRgABAQEASABIAAD/2wBD", "base64 text (JPEG): decode it first"},
        {"<!DOCTYPE html><p>Not found", "HTML: send the bytes"},
        {"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG: render it"},
        {"%PDF-1.4", "PDF: render it"},
        {"photo.jpg", "plain text: send the bytes"},
        {"{\"image\":\"x\"}", "JSON: send the bytes"},
        {"\x1f\x8b\x08", "gzip data: unpack it"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_detail("Content-Type: application/octet-stream", cases[i].body, strlen(cases[i].body),
                     415, "unsupported-format", cases[i].detail);
}

/* What is left of a picture after `curl -d @FILE`, which also names this type. */
static void test_stripped_by_curl(void **state)
{
    static const char form[] = "Content-Type: application/x-www-form-urlencoded";
    struct blob image = picture(300, 200);
    struct answer answer;
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < image.size; i++)
        if (strchr("\r\n", image.bytes[i]) == NULL) /* which finds the zero too */
            image.bytes[size++] = image.bytes[i];
    check_detail(form, image.bytes, size, 422, "bad-image", "--data-binary");
    check_detail(form, "\x89PNG\x1aIHDR", 9, 422, "bad-image", "--data-binary");
    check_detail(form, "RIFF\x10WEBPVP8 ", 13, 415, "unsupported-format", "--data-binary");
    check_detail("Content-Type: application/x-www-form-urlencoded; charset=utf-8", "image=%2F9j",
                 11, 415, "unsupported-format", "-d strips newlines");
    blob_free(&image);
    /* It is no fault in itself: what can be read is. */
    image = picture(40, 40);
    ask(&server,
        &(struct call){.target = "/classify",
                       .body = image.bytes,
                       .size = image.size,
                       .headers = (const char *[]){form, NULL}},
        &answer);
    check_answer(&answer, 40, 40);
    answer_free(&answer);
    blob_free(&image);
}

static void test_413_declared_body(void **state)
{
    struct blob body = {calloc(1, 1 << 20), 1 << 20};

    (void)state;
    assert_non_null(body.bytes);
    check_declared("1048577", "");
    check_declared("1048577", "Expect: 100-continue\r\n");
    check_declared("999999999999", "");
    check_declared("18446744073709551614", "");
    check_refused(&server, "", &body, 415, "unsupported-format"); /* just within the limit */
    check_alive(&server);
    blob_free(&body);
}

static void test_413_picture(void **state)
{
    struct blob image = picture(80, 60);

    (void)state;
    assert_true(jpeg_patch_dimensions(image.bytes, image.size, 65500, 65500));
    check_refused(&server, "", &image, 413, "image-too-large");
    assert_true(jpeg_patch_dimensions(image.bytes, image.size, 8193, 8192)); /* 64 Mi and a row */
    check_refused(&server, "", &image, 413, "image-too-large");
    check_alive(&server);
    blob_free(&image);
}

static void test_413_view(void **state)
{
    struct blob wide = picture(2000, 2), high = picture(2, 2000), square = picture(64, 64);
    struct answer answer;

    (void)state;
    check_refused(&server, "", &wide, 413, "image-too-large");
    check_refused(&server, "", &high, 413, "image-too-large");
    classify(&server, "?scales=1024&flip=off", &square, &answer); /* as large as a view may be */
    assert_int_equal(answer.status, 413); /* but four times the default cost */
    check_problem(&answer, 413, "too-costly");
    check_alive(&server);
    blob_free(&wide);
    blob_free(&high);
    blob_free(&square);
}

static void test_413_cost(void **state)
{
    struct blob image = picture(64, 64);
    const struct part parts[] = {{"a", image.bytes, image.size}, {"b", image.bytes, image.size}};
    struct server cheap;
    struct answer answer;

    (void)state;
    server_start(&cheap, (const char *[]){"--model", model_narrow(), "--max-cost", "0.015", NULL});
    check_alive(&cheap);
    check_refused(&cheap, "?scales=256", &image, 413, "too-costly");
    classify(&cheap, "?scales=64", &image, &answer);
    check_answer(&answer, 64, 64);
    answer_free(&answer);
    classify_parts(&cheap, "?scales=64", parts, 2, &answer); /* each of them alone is allowed */
    check_problem(&answer, 413, "too-costly");
    check_alive(&cheap);
    server_stop(&cheap);
    blob_free(&image);
}

/* ---------------------------------------------------------------- 415, 422 ------------------- */

static void test_415(void **state)
{
    static const char bmp[] = "BM\x3a\0\0\0\0\0\0\0\x36\0\0\0";
    static const char gif[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0";
    static const char wave[] = "RIFF\x1a\0\0\0WAVEfmt ";

    (void)state;
    check_refused_bytes("hello", 5, 415, "unsupported-format");
    check_refused_bytes("x", 1, 415, "unsupported-format");
    check_refused_bytes("\0\0\0\0", 4, 415, "unsupported-format");
    check_refused_bytes(bmp, sizeof bmp, 415, "unsupported-format");
    check_refused_bytes(gif, sizeof gif, 415, "unsupported-format");
    check_refused_bytes(wave, sizeof wave, 415, "unsupported-format");
    check_refused_bytes("image=photo.jpg", 15, 415, "unsupported-format");
    check_alive(&server);
}

/* Wherever it ends too early. */
static void check_truncated(const struct jpeg_spec *spec)
{
    struct blob image = picture_of(spec);

    for (size_t size = 4; size < image.size - 1; size += image.size / 40 + 1)
        check_refused_bytes(image.bytes, size, 422, "bad-image");
    check_refused_bytes(image.bytes, image.size - 2, 422, "bad-image"); /* only EOI is missing */
    check_refused_bytes(image.bytes, image.size - 1, 422, "bad-image");
    blob_free(&image);
}

static void test_422_truncated(void **state)
{
    (void)state;
    check_truncated(&(struct jpeg_spec){.width = 80, .height = 60});
    check_truncated(&(struct jpeg_spec){.width = 80, .height = 60, .progressive = true});
    check_truncated(&(struct jpeg_spec){.width = 80, .height = 60, .arithmetic = true});
    check_alive(&server);
}

static void test_422_kinds_we_do_not_decode(void **state)
{
    struct blob image = picture(80, 60);

    (void)state;
    assert_true(jpeg_patch_precision(image.bytes, image.size, 12));
    check_refused(&server, "", &image, 422, "bad-image");
    assert_true(jpeg_patch_precision(image.bytes, image.size, 8));
    assert_true(jpeg_patch_process(image.bytes, image.size, 0xc3)); /* lossless */
    check_refused(&server, "", &image, 422, "bad-image");
    assert_true(jpeg_patch_process(image.bytes, image.size, 0xc5)); /* hierarchical */
    check_refused(&server, "", &image, 422, "bad-image");
    check_alive(&server);
    blob_free(&image);
}

static void test_422_corrupt(void **state)
{
    struct blob image = picture(80, 60);

    (void)state;
    assert_true(jpeg_patch_dimensions(image.bytes, image.size, 0, 60));
    check_refused(&server, "", &image, 422, "bad-image");
    assert_true(jpeg_patch_dimensions(image.bytes, image.size, 80, 90)); /* more than there is */
    check_refused(&server, "", &image, 422, "bad-image");
    check_refused_bytes("\xff\xd8\xff\xd9", 4, 422, "bad-image");
    check_refused_bytes("\xff\xd8\xff\xe0", 4, 422, "bad-image");
    check_alive(&server);
    blob_free(&image);
}

static void test_422_twenty_thousand_scans(void **state)
{
    struct blob bomb = {0};

    (void)state;
    assert_true(jpeg_make_bomb(64, 64, 20000, false, &bomb.bytes, &bomb.size));
    assert_true(bomb.size < 1 << 20);
    check_refused(&server, "", &bomb, 422, "bad-image");
    check_alive(&server);
    blob_free(&bomb);
}

/* ---------------------------------------------------------------- ids ------------------------ */

/* Errors echo the id of the request as well; check_problem compares header and body. */
static void test_errors_echo_the_request_id(void **state)
{
    struct answer answer;

    (void)state;
    ask(&server,
        &(struct call){.target = "/nowhere",
                       .headers = (const char *[]){"X-Request-Id: my.id-1", NULL}},
        &answer);
    assert_string_equal(answer_header(&answer, "X-Request-Id"), "my.id-1");
    check_problem(&answer, 404, "not-found");
    ask(&server,
        &(struct call){.target = "/nowhere",
                       .headers = (const char *[]){"X-Request-Id: <script>", NULL}},
        &answer);
    assert_string_not_equal(answer_header(&answer, "X-Request-Id"), "<script>");
    check_problem(&answer, 404, "not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_400_empty_body),
        cmocka_unit_test(test_401_tokens),
        cmocka_unit_test(test_tokens_are_read_again),
        cmocka_unit_test(test_403_origin),
        cmocka_unit_test(test_404),
        cmocka_unit_test(test_404_zero_byte),
        cmocka_unit_test(test_405),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_stripped_by_curl),
        cmocka_unit_test(test_413_declared_body),
        cmocka_unit_test(test_413_picture),
        cmocka_unit_test(test_413_view),
        cmocka_unit_test(test_413_cost),
        cmocka_unit_test(test_415),
        cmocka_unit_test(test_422_truncated),
        cmocka_unit_test(test_422_kinds_we_do_not_decode),
        cmocka_unit_test(test_422_corrupt),
        cmocka_unit_test(test_422_twenty_thousand_scans),
        cmocka_unit_test(test_errors_echo_the_request_id),
    };

    return cmocka_run_group_tests_name("errors", tests, setup, teardown);
}
