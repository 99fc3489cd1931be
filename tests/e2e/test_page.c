/* The page at "/": what is served, under which headers, and that it asks nobody else for anything.
 * How it behaves is seen in a browser (tests/page). */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "narrow_server.h"
#include "page.h"
#include "problem.h"
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
            fail_msg("server/page/problem.js has no advice for \"%s\"", slugs[i]);
    }
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_etag),
        cmocka_unit_test(test_only_there_and_only_so),
        cmocka_unit_test(test_no_token_needed),
        cmocka_unit_test(test_nothing_from_outside),
        cmocka_unit_test(test_every_problem_is_known),
    };

    return cmocka_run_group_tests_name("page", tests, setup, teardown);
}
