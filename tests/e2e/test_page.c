/* The page at "/": what is served, under which headers, and that it asks nobody else for anything.
 * How it behaves is seen in a browser (tests/page). */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "answer/problem.h"
#include "answers.h"
#include "api/page_files.h"
#include "narrow_server.h"
#include "work.h"

static const struct {
    const char *path, *type;
} files[] = {
#define FILE_ROW(name, path, file, type) {path, type},
    PAGE_FILES(FILE_ROW)
#undef FILE_ROW
};

static void get(const char *path, struct answer *answer)
{
    ask(&server, &(struct call){.target = path}, answer);
    assert_int_equal(answer->status, 200);
}

static void check_header(const struct answer *answer, const char *name, const char *value)
{
    const char *found = answer_header(answer, name);

    if (found == NULL || strcmp(found, value) != 0)
        fail_msg("%s: %s", name, found != NULL ? found : "none");
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct answer answer, head;

        get(files[i].path, &answer);
        assert_true(answer.size > 100);
        check_header(&answer, "Content-Type", files[i].type);
        check_header(
            &answer, "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
            "connect-src 'self'; form-action 'none'; base-uri 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; "
            "trusted-types 'none'");
        check_header(&answer, "X-Content-Type-Options", "nosniff");
        check_header(&answer, "Referrer-Policy", "no-referrer");
        check_header(&answer, "Cache-Control", "no-cache");
        assert_non_null(answer_header(&answer, "X-Request-Id"));
        ask(&server, &(struct call){.target = files[i].path, .method = "HEAD"}, &head);
        assert_int_equal(head.status, 200);
        assert_int_equal(head.size, 0);
        check_header(&head, "ETag", answer_header(&answer, "ETag"));
        answer_free(&answer);
        answer_free(&head);
    }
}

/* A browser that has the file is told so; one with another version gets it. */
static void test_etag(void **state)
{
    static const char *const before[] = {"", "W/", "\"x\", "};
    char tags[COUNT_OF(files)][32];
    struct answer other;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct answer answer;

        get(files[i].path, &answer);
        snprintf(tags[i], sizeof tags[i], "%s", answer_header(&answer, "ETag"));
        assert_int_equal(tags[i][0], '"');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tags[i], tags[j]);
        answer_free(&answer);
    }
    for (size_t i = 0; i < COUNT_OF(before); i++) {
        struct answer answer;
        char line[80];

        snprintf(line, sizeof line, "If-None-Match: %s%s", before[i], tags[0]);
        ask(&server, &(struct call){.target = "/", .headers = (const char *[]){line, NULL}},
            &answer);
        assert_int_equal(answer.status, 304);
        assert_int_equal(answer.size, 0);
        check_header(&answer, "ETag", tags[0]);
        answer_free(&answer);
    }
    ask(&server,
        &(struct call){.target = "/",
                       .headers = (const char *[]){"If-None-Match: \"0123456789abcdef\"", NULL}},
        &other);
    assert_int_equal(other.status, 200);
    answer_free(&other);
}

/* "*" is whatever there is. */
static void test_any_etag(void **state)
{
    static const char *const targets[] = {"/", "/page/page.css", "/openapi.json"};
    static const char *const any[] = {"If-None-Match: *", "If-None-Match:   * "};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        for (size_t k = 0; k < COUNT_OF(any); k++) {
            ask(&server,
                &(struct call){.target = targets[i], .headers = (const char *[]){any[k], NULL}},
                &answer);
            assert_int_equal(answer.status, 304);
            assert_int_equal(answer.size, 0);
            answer_free(&answer);
        }
    ask(&server,
        &(struct call){.target = "/", .headers = (const char *[]){"If-None-Match: **", NULL}},
        &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

/* The bytes that a gzip body stands for, malloc'ed. */
static char *unpack(const struct answer *answer, size_t size)
{
    char *bytes = malloc(size);
    z_stream stream = {.next_in = (Bytef *)answer->body,
                       .avail_in = (uInt)answer->size,
                       .next_out = (Bytef *)bytes,
                       .avail_out = (uInt)size};

    assert_non_null(bytes);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_out, 0);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return bytes;
}

static void get_as(const char *target, const char *method, const char *header,
                   struct answer *answer)
{
    ask(&server,
        &(struct call){
            .target = target, .method = method, .headers = (const char *[]){header, NULL}},
        answer);
}

/* Compressed for whom that asks for it: the same bytes in fewer, under a tag of their own. */
static void check_gzip(const char *target)
{
    struct answer plain, packed, head, again;
    char line[64], *bytes;

    get_as(target, NULL, "Accept: */*", &plain);
    assert_null(answer_header(&plain, "Content-Encoding"));
    check_header(&plain, "Vary", "Accept-Encoding");
    get_as(target, NULL, "Accept-Encoding: deflate, gzip;q=0.9, br", &packed);
    check_header(&packed, "Content-Encoding", "gzip");
    check_header(&packed, "Vary", "Accept-Encoding");
    check_header(&packed, "Content-Type", answer_header(&plain, "Content-Type"));
    assert_true(packed.size < plain.size);
    bytes = unpack(&packed, plain.size);
    assert_memory_equal(bytes, plain.body, plain.size);
    free(bytes);
    snprintf(line, sizeof line, "%s", answer_header(&packed, "ETag"));
    assert_string_not_equal(line, answer_header(&plain, "ETag"));
    get_as(target, "HEAD", "Accept-Encoding: gzip", &head);
    check_header(&head, "Content-Encoding", "gzip");
    check_header(&head, "ETag", line);
    snprintf(line, sizeof line, "%zu", packed.size);
    check_header(&head, "Content-Length", line);

    snprintf(line, sizeof line, "If-None-Match: %s", answer_header(&packed, "ETag"));
    ask(&server,
        &(struct call){.target = target,
                       .headers = (const char *[]){line, "Accept-Encoding: gzip", NULL}},
        &again);
    assert_int_equal(again.status, 304);
    check_header(&again, "Vary", "Accept-Encoding");
    answer_free(&again);
    get_as(target, NULL, line, &again); /* the other form is not known by it */
    assert_int_equal(again.status, 200);
    answer_free(&again);
    answer_free(&plain);
    answer_free(&packed);
    answer_free(&head);
}

static void test_gzip(void **state)
{
    static const char *const refusals[] = {"Accept-Encoding: gzip;q=0", "Accept-Encoding: br",
                                           "Accept-Encoding: *;q=0, identity",
                                           "Accept-Encoding: identity"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        check_gzip(files[i].path);
    check_gzip("/openapi.json");
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        get_as("/", NULL, refusals[i], &answer);
        assert_null(answer_header(&answer, "Content-Encoding"));
        assert_non_null(strstr(answer.body, "<html"));
        answer_free(&answer);
    }
    get_as("/", NULL, "Accept-Encoding: *", &answer);
    check_header(&answer, "Content-Encoding", "gzip");
    answer_free(&answer);
}

static void test_only_there_and_only_so(void **state)
{
    struct answer answer;

    (void)state;
    ask(&server, &(struct call){.target = "/", .admin = true}, &answer);
    check_problem(&answer, 404, "not-found");
    ask(&server, &(struct call){.target = "/page/"}, &answer);
    check_problem(&answer, 404, "not-found");
    ask(&server, &(struct call){.target = "/", .body = "x", .size = 1}, &answer);
    assert_string_equal(answer_header(&answer, "Allow"), "GET, HEAD");
    check_problem(&answer, 405, "method-not-allowed");
    assert_true(server_metric(&server, "vgg_http_requests_total{route=\"/\",code=\"200\"}") > 0);
}

/* It loads without the token, so that one can be entered. */
static void test_no_token_needed(void **state)
{
    struct server guarded;
    struct answer answer;

    (void)state;
    work_write(work_file("token"), "secret-enough", 13);
    server_start(&guarded, (const char *[]){"--model", model_narrow(), "--api-token-file",
                                            work_file("token"), NULL});
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        ask(&guarded, &(struct call){.target = files[i].path}, &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    ask(&guarded, &(struct call){.target = "/model"}, &answer);
    check_problem(&answer, 401, "unauthorized");
    server_stop(&guarded);
}

/* ---------------------------------------------------------------- the bytes ------------------ */

static void refuse_text(const char *path, const char *body, const char *text)
{
    const char *found = strstr(body, text);

    if (found != NULL)
        fail_msg("%s holds %s: %.60s", path, text, found);
}

/* No address of anybody else, and nothing that the policy would have to allow. */
static void test_nothing_from_outside(void **state)
{
    static const char *const everywhere[] = {"https:", "ws:",          "wss:",    "innerHTML",
                                             "eval(",  "localStorage", "@import", "document.write"};
    static const char *const in_html[] = {"<style",   " style=",   "<iframe",
                                          "<base",    " onclick=", " onload=",
                                          "href=\"/", "src=\"/",   "javascript:"};
    static const char namespace[] = "http://www.w3.org/2000/svg";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct answer answer;

        get(files[i].path, &answer);
        for (size_t j = 0; j < COUNT_OF(everywhere); j++)
            refuse_text(files[i].path, answer.body, everywhere[j]);
        for (size_t j = 0; i == 0 && j < COUNT_OF(in_html); j++)
            refuse_text(files[i].path, answer.body, in_html[j]);
        for (const char *at = answer.body; (at = strstr(at, "http:")) != NULL; at++)
            assert_int_equal(strncmp(at, namespace, sizeof namespace - 1), 0);
        for (const char *at = answer.body; i == 0 && (at = strstr(at, "<script")) != NULL; at++)
            assert_int_equal(strncmp(at, "<script type=\"module\" src=\"page/", 32), 0);
        answer_free(&answer);
    }
}

/* Every kind of problem has its advice in problem.js. */
static void test_every_problem_is_known(void **state)
{
    static const char *const slugs[] = {
#define SLUG(name, slug, status, title) slug,
        PROBLEM_MAP(SLUG)
#undef SLUG
    };
    struct answer answer;

    (void)state;
    get("/page/problem.js", &answer);
    for (size_t i = 0; i < COUNT_OF(slugs); i++) {
        char quoted[64], plain[64];

        snprintf(quoted, sizeof quoted, "\n  \"%s\": \"", slugs[i]);
        snprintf(plain, sizeof plain, "\n  %s: \"", slugs[i]);
        if (strstr(answer.body, quoted) == NULL && strstr(answer.body, plain) == NULL)
            fail_msg("server/api/page/problem.js has no advice for \"%s\"", slugs[i]);
    }
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_etag),
        cmocka_unit_test(test_any_etag),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_only_there_and_only_so),
        cmocka_unit_test(test_no_token_needed),
        cmocka_unit_test(test_nothing_from_outside),
        cmocka_unit_test(test_every_problem_is_known),
    };

    return cmocka_run_group_tests_name("page", tests, setup, teardown);
}
