/* Compressed bodies: read as if they had come plain, or refused for what is wrong with them. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "answers.h"
#include "client.h"
#include "narrow_server.h"

enum { GZIP = 31, ZLIB = 15, RAW = -15 }; /* as deflateInit2 has it */

/* Append `bytes` compressed. */
static void pack(struct blob *out, int window_bits, const void *bytes, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
    size_t room;

    assert_int_equal(
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY),
        Z_OK);
    room = deflateBound(&stream, size);
    out->bytes = realloc(out->bytes, out->size + room);
    assert_non_null(out->bytes);
    stream.next_out = out->bytes + out->size;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->size += room - stream.avail_out;
    deflateEnd(&stream);
}

static struct blob packed(int window_bits, const struct blob *body)
{
    struct blob out = {0};

    pack(&out, window_bits, body->bytes, body->size);
    return out;
}

static void post(const char *target, const struct blob *body, const char *const *headers,
                 struct answer *answer)
{
    ask(&server,
        &(struct call){.target = target,
                       .method = "POST",
                       .body = body->size != 0 ? (void *)body->bytes : "",
                       .size = body->size,
                       .headers = headers,
                       .admin = strncmp(target, "/admin", 6) == 0},
        answer);
}

/* POST to /classify what must be a problem. */
static void check_bad(const struct blob *body, const char *coding, long status, const char *slug)
{
    struct answer answer;

    post("/classify", body, (const char *[]){coding, NULL}, &answer);
    check_problem(&answer, status, slug);
}

/* ---------------------------------------------------------------- read ----------------------- */

/* The same picture gives the same bytes, whatever it came in. */
static void test_codings(void **state)
{
    static const struct {
        const char *header;
        int window_bits; /* 0: as it is */
    } cases[] = {
        {"Content-Encoding: gzip", GZIP},
        {"content-encoding: GZip", GZIP},
        {"Content-Encoding: x-gzip", GZIP},
        {"Content-Encoding: identity, gzip", GZIP},
        {"Content-Encoding: deflate", ZLIB},
        {"Content-Encoding: deflate", RAW},
        {"Content-Encoding: Deflate, identity,", RAW},
        {"Content-Encoding: Identity", 0},
        {"Content-Encoding;", 0}, /* libcurl's way to send an empty one */
    };
    struct blob image = picture(80, 60);
    struct answer answer;
    char *expected;

    (void)state;
    classify(&server, "?top_k=10", &image, &answer);
    expected = top_bytes(&answer, 0);
    answer_free(&answer);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct blob body = cases[i].window_bits != 0 ? packed(cases[i].window_bits, &image)
                                                     : blob_copy(image.bytes, image.size);
        char *got;

        post("/classify?top_k=10", &body, (const char *[]){cases[i].header, NULL}, &answer);
        check_answer(&answer, 80, 60);
        got = top_bytes(&answer, 0);
        assert_string_equal(got, expected);
        free(got);
        answer_free(&answer);
        blob_free(&body);
    }
    free(expected);
    blob_free(&image);
}

static void test_members(void **state)
{
    struct blob image = picture(80, 60), body = {0};
    struct answer answer;

    (void)state;
    pack(&body, GZIP, image.bytes, 10);
    pack(&body, GZIP, "", 0);
    pack(&body, GZIP, image.bytes + 10, image.size - 10);
    post("/classify", &body, (const char *[]){"Content-Encoding: gzip", NULL}, &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    blob_free(&body);
    blob_free(&image);
}

static void test_form(void **state)
{
    struct blob image = picture(80, 60);
    const struct part parts[] = {{"a.jpg", image.bytes, image.size}};
    struct blob form = multipart(parts, 1), body = packed(GZIP, &form);
    struct answer answer;

    (void)state;
    post("/classify", &body, (const char *[]){"Content-Encoding: gzip", MULTIPART_TYPE, NULL},
         &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    blob_free(&body);
    blob_free(&form);
    blob_free(&image);
}

static void test_other_routes(void **state)
{
    static char json[] = "{}", infer[64 << 10];
    struct blob image = picture(80, 60), body;
    struct answer answer;
    char target[128], head[64];
    size_t length;

    (void)state;
    body = packed(GZIP, &(struct blob){(uint8_t *)json, 2});
    post("/admin/reload", &body,
         (const char *[]){"Content-Encoding: gzip", "Content-Type: application/json", NULL},
         &answer);
    assert_int_equal(answer.status, 200);
    snprintf(target, sizeof target, "/v2/models/%s/infer", string_member(answer.json, "name"));
    answer_free(&answer);
    blob_free(&body);

    /* As Triton's clients send it: the length of the JSON is that before compression. */
    length = (size_t)snprintf(infer, sizeof infer,
                              "{\"inputs\":[{\"name\":\"image\",\"shape\":[1],\"datatype\":"
                              "\"BYTES\",\"parameters\":{\"binary_data_size\":%zu}}]}",
                              image.size + 4);
    snprintf(head, sizeof head, "Inference-Header-Content-Length: %zu", length);
    for (size_t i = 0; i < 4; i++)
        infer[length++] = (char)(image.size >> 8 * i & 0xFF);
    memcpy(infer + length, image.bytes, image.size);
    body = packed(ZLIB, &(struct blob){(uint8_t *)infer, length + image.size});
    post(target, &body, (const char *[]){"Content-Encoding: deflate", head, NULL}, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(json_object_get(answer.json, "outputs"));
    answer_free(&answer);
    blob_free(&body);
    blob_free(&image);
}

/* ---------------------------------------------------------------- refused -------------------- */

static void test_415(void **state)
{
    static const char *const headers[] = {
        "Content-Encoding: br",         "Content-Encoding: zstd",
        "Content-Encoding: gzip, gzip", "Content-Encoding: deflate, gzip",
        "Content-Encoding: compress",   "Content-Encoding: gzip;q=1",
    };
    static const char *const targets[] = {"/classify", "/admin/reload", "/admin/rollback"};
    struct blob image = picture(80, 60);
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        for (size_t k = 0; k < COUNT_OF(targets); k++) {
            post(targets[k], &image, (const char *[]){headers[i], NULL}, &answer);
            assert_string_equal(answer_header(&answer, "Accept-Encoding"), "gzip, deflate");
            check_problem(&answer, 415, "unsupported-media-type");
        }
    post("/classify", &image,
         (const char *[]){"Content-Encoding: gzip", "Content-Encoding: gzip", NULL}, &answer);
    check_problem(&answer, 415, "unsupported-media-type");
    ask(&server,
        &(struct call){.target = "/livez",
                       .headers = (const char *[]){"Content-Encoding: br", NULL}},
        &answer);
    assert_int_equal(answer.status, 200); /* it has no body to read */
    answer_free(&answer);
    blob_free(&image);
}

static void test_bad_streams(void **state)
{
    struct blob image = picture(80, 60), body = packed(GZIP, &image), longer;

    (void)state;
    for (size_t size = 1; size < body.size; size += 97)
        check_bad(&(struct blob){body.bytes, size}, "Content-Encoding: gzip", 400, "bad-encoding");
    check_bad(&(struct blob){body.bytes, body.size - 1}, "Content-Encoding: gzip", 400,
              "bad-encoding");
    check_bad(&body, "Content-Encoding: deflate", 400, "bad-encoding");
    check_bad(&image, "Content-Encoding: gzip", 400, "bad-encoding");
    body.bytes[body.size / 2] ^= 0x55;
    check_bad(&body, "Content-Encoding: gzip", 400, "bad-encoding");
    blob_free(&body);
    longer = packed(GZIP, &image);
    longer.bytes = realloc(longer.bytes, longer.size + 1);
    assert_non_null(longer.bytes);
    longer.bytes[longer.size++] = 0;
    check_bad(&longer, "Content-Encoding: gzip", 400, "bad-encoding");
    check_alive(&server);
    blob_free(&longer);
    blob_free(&image);
}

static void test_nothing(void **state)
{
    struct blob nothing = {0}, body = packed(GZIP, &nothing);

    (void)state;
    check_bad(&nothing, "Content-Encoding: gzip", 400, "empty-body");
    check_bad(&body, "Content-Encoding: gzip", 400, "empty-body");
    blob_free(&body);
}

/* ---------------------------------------------------------------- bounds --------------------- */

/* --max-body holds for what comes and for what it inflates to. */
static void test_limits(void **state)
{
    enum { MAX = 64 << 10 };
    static uint8_t zeros[MAX + 1], noise[MAX + 4096];
    struct blob image = picture(80, 60), body;
    struct server saved = server;
    struct answer answer;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--max-body", "64K", NULL});
    memcpy(zeros, image.bytes, image.size); /* a JPEG may have zeros behind it */
    body = packed(GZIP, &(struct blob){zeros, MAX});
    post("/classify", &body, (const char *[]){"Content-Encoding: gzip", NULL}, &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    blob_free(&body);
    body = packed(GZIP, &(struct blob){zeros, MAX + 1});
    check_bad(&body, "Content-Encoding: gzip", 413, "body-too-large");
    blob_free(&body);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 2654435761u >> 13);
    check_bad(&(struct blob){noise, sizeof noise}, "Content-Encoding: gzip", 413, "body-too-large");
    check_alive(&server);
    server_stop(&server);
    server = saved;
    blob_free(&image);
}

/* Many at once: each is answered, nothing is left of them, and others are served. */
static void test_bombs(void **state)
{
    enum { BOMBS = 12, BYTES = 64 << 20 };
    struct blob zeros = {calloc(1, BYTES), BYTES}, bomb;
    struct raw raws[BOMBS];
    struct answer answer;
    char head[160];
    double fds = server_metric(&server, "process_open_fds");

    (void)state;
    assert_non_null(zeros.bytes);
    bomb = packed(GZIP, &zeros);
    blob_free(&zeros);
    snprintf(head, sizeof head,
             "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
             "Content-Length: %zu\r\n\r\n",
             bomb.size);
    for (size_t i = 0; i < BOMBS; i++) {
        raw_open(&raws[i], &server);
        assert_true(raw_text(&raws[i], head));
        assert_true(raw_send(&raws[i], bomb.bytes, bomb.size));
    }
    check_alive(&server);
    for (size_t i = 0; i < BOMBS; i++) {
        assert_true(raw_answer(&raws[i], &answer));
        check_problem(&answer, 413, "body-too-large");
        raw_close(&raws[i]);
    }
    check_at_rest(&server, fds);
    blob_free(&bomb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codings), cmocka_unit_test(test_members),
        cmocka_unit_test(test_form),    cmocka_unit_test(test_other_routes),
        cmocka_unit_test(test_415),     cmocka_unit_test(test_bad_streams),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bombs),
    };

    return cmocka_run_group_tests_name("compressed", tests, setup, teardown);
}
