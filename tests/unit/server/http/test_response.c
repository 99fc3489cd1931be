/* The heads of answers. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "http/response.h"

enum { TEXT_BYTES = 4096 };

static char text[TEXT_BYTES]; /* the headers of the last answer, each with its line end */
static size_t left;           /* how many more are taken */

static bool add(void *context, const char *name, const char *value)
{
    size_t length = strlen(text);

    assert_ptr_equal(context, text);
    if (left == 0)
        return false;
    left--;
    snprintf(text + length, sizeof text - length, "%s: %s\n", name, value);
    return true;
}

static bool write_head(const struct http_request *request, bool closing, size_t most)
{
    text[0] = '\0';
    left = most;
    return response_headers(request, closing, add, text);
}

static void check(const char *line, bool there)
{
    if ((strstr(text, line) != NULL) != there)
        fail_msg("\"%s\" %s in:\n%s", line, there ? "is not" : "is", text);
}

static void what_every_answer_has(void **state)
{
    struct http_request request = {.id = "abc", .response = {.type = "text/plain"}};

    (void)state;
    assert_true(write_head(&request, false, 100));
    assert_string_equal(text, "Content-Type: text/plain\nX-Request-Id: abc\n"
                              "X-Content-Type-Options: nosniff\nCache-Control: no-store\n");
    assert_true(write_head(&request, true, 100));
    check("Connection: close\n", true);
}

static void what_some_have(void **state)
{
    static const struct http_header more[] = {{"X-More", "1"}, {NULL, NULL}};
    struct http_request request = {.id = "abc",
                                   .response = {.type = "text/css",
                                                .etag = "\"a-gz\"",
                                                .content_encoding = "gzip",
                                                .accept_encoding = "gzip, deflate",
                                                .allow = "POST",
                                                .challenge = "Bearer realm=\"x\"",
                                                .retry_after_s = 3,
                                                .number_header = "X-Number",
                                                .number = 77,
                                                .headers = more}};
    size_t n = 0;

    (void)state;
    assert_true(write_head(&request, false, 100));
    check("ETag: \"a-gz\"\n", true);
    check("Cache-Control: no-cache\n", true);
    check("\nContent-Encoding: gzip\n", true);
    check("\nAccept-Encoding: gzip, deflate\n", true);
    check("Allow: POST\n", true);
    check("WWW-Authenticate: Bearer realm=\"x\"\n", true);
    check("Retry-After: 3\n", true);
    check("X-Number: 77\n", true);
    check("X-More: 1\n", true);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    for (size_t most = 0; most < n; most++) /* no memory for the next one */
        assert_false(write_head(&request, false, most));
    assert_true(write_head(&request, false, n));
}

static void the_fewest(void **state)
{
    struct http_request request = {
        .id = "abc",
        .response = {
            .type = "text/plain", .retry_after_s = 1, .allow = "GET", .allow_origin = true}};

    (void)state;
    text[0] = '\0';
    left = 100;
    assert_true(response_headers_bare(&request, add, text));
    assert_string_equal(text, "Content-Type: text/plain\nX-Request-Id: abc\nRetry-After: 1\n");
    for (size_t most = 0; most < 3; most++) {
        left = most;
        assert_false(response_headers_bare(&request, add, text));
    }
}

/* One header names all that an answer depends on. */
static void vary(void **state)
{
    struct http_request request = {.id = "abc"};

    (void)state;
    assert_true(write_head(&request, false, 100));
    check("Vary", false);
    request.response.vary_origin = true;
    assert_true(write_head(&request, false, 100));
    check("Vary: Origin\n", true);
    request.response.vary_encoding = true;
    assert_true(write_head(&request, false, 100));
    check("Vary: Accept-Encoding, Origin\n", true);
    request.response.vary_origin = false;
    assert_true(write_head(&request, false, 100));
    check("Vary: Accept-Encoding\n", true);
}

static void other_origins(void **state)
{
    struct http_request request = {.id = "abc", .origin = "https://a.example"};

    (void)state;
    assert_true(write_head(&request, false, 100));
    check("Access-Control", false);
    request.response.allow_origin = true;
    request.response.exposed = "X-Request-Id, X-Number";
    assert_true(write_head(&request, false, 100));
    check("Access-Control-Allow-Origin: https://a.example\n", true);
    check("Access-Control-Expose-Headers: X-Request-Id, X-Number\n", true);
    request.response.preflight_methods = "POST";
    request.response.preflight_headers = "Content-Type, Content-Encoding";
    assert_true(write_head(&request, false, 100));
    check("Access-Control-Allow-Methods: POST\n", true);
    check("Access-Control-Allow-Headers: Content-Type, Content-Encoding\n", true);
    check("Access-Control-Expose-Headers", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_answer_has),
        cmocka_unit_test(what_some_have),
        cmocka_unit_test(the_fewest),
        cmocka_unit_test(vary),
        cmocka_unit_test(other_origins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
