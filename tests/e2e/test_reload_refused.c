/* Reloads that must not happen: the reason is in the answer, and the old model serves on. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "reloads.h"
#include "work.h"

static struct server server;
static char version[128];
static double failures;

static int begin(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--scales", "32,48", NULL});
    snprintf(version, sizeof version, "%s", serving(&server, "version"));
    return 0;
}

static int end(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

/* Nothing has changed, but for the counter where a reload was begun. */
static void check_unchanged(bool begun)
{
    struct answer answer;

    failures += begun;
    assert_string_equal(serving(&server, "version"), version);
    assert_true(server_metric(&server, RELOADS_FAILED) == failures);
    assert_true(server_metric(&server, RELOADS_OK) == 0);
    rollback(&server, &answer);
    check_problem(&answer, 409, "no-previous-model");
    check_alive(&server);
}

static void check_failed(const char *model, long status, const char *slug, const char *reason)
{
    struct answer answer;

    reload(&server, model, &answer);
    if (strstr(answer.body, reason) == NULL)
        fail_msg("\"%s\" is not in %ld: %s", reason, answer.status, answer.body);
    check_problem(&answer, status, slug);
    check_unchanged(true);
}

/* ---------------------------------------------------------------- files ---------------------- */

static void test_what_is_no_file(void **state)
{
    const char *fifo = work_file("fifo"), *loop = work_file("loop");
    char below[512];

    (void)state;
    check_failed(work_file("missing"), 422, "bad-model", "No such file");
    snprintf(below, sizeof below, "%s/below", model_narrow());
    check_failed(below, 422, "bad-model", "Not a directory");
    check_failed("/", 422, "bad-model", "a directory");
    check_failed("/dev/null", 422, "bad-model", "not a regular file");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    check_failed(fifo, 422, "bad-model", "not a regular file");
    assert_int_equal(symlink(loop, loop), 0);
    check_failed(loop, 422, "bad-model", "symbolic links");
}

static void test_unreadable(void **state)
{
    const char *path = work_file("secret.safetensors");

    (void)state;
    if (geteuid() == 0) {
        print_message("SKIPPED: root may read everything\n");
        skip();
    }
    put_in_place(path, model_narrow());
    assert_int_equal(chmod(path, 0), 0);
    check_failed(path, 422, "bad-model", "Permission denied");
}

static void put_nan(struct model_parts *parts)
{
    json_t *offsets =
        json_object_get(json_object_get(parts->header, "classifier.3.weight"), "data_offsets");
    const uint8_t nan[4] = {0, 0, 0xC0, 0x7F};

    memcpy(parts->data + json_integer_value(json_array_get(offsets, 0)), nan, sizeof nan);
}

static void huge_scores(struct model_parts *parts)
{
    json_t *offsets =
        json_object_get(json_object_get(parts->header, "classifier.6.bias"), "data_offsets");
    const uint8_t huge[4] = {0xFF, 0xFF, 0x7F, 0x7F};

    for (size_t i = 0; i < 10; i++)
        memcpy(parts->data + (size_t)json_integer_value(json_array_get(offsets, 0)) + 4 * i, huge,
               sizeof huge);
    offsets =
        json_object_get(json_object_get(parts->header, "classifier.6.weight"), "data_offsets");
    for (size_t i = 0; i < 160; i++)
        memcpy(parts->data + (size_t)json_integer_value(json_array_get(offsets, 0)) + 4 * i, huge,
               sizeof huge);
}

static void without_a_layer(struct model_parts *parts)
{
    parts_drop(parts, "features.5.weight");
}

static void test_damaged(void **state)
{
    const char *path = work_file("damaged.safetensors");
    struct blob whole = work_read(model_narrow());

    (void)state;
    work_write(path, "", 0);
    check_failed(path, 422, "bad-model", "empty");
    work_write(path, "<html>404 Not Found</html>", 26);
    check_failed(path, 422, "bad-model", "not a safetensors file");
    work_write(path, whole.bytes, whole.size / 2);
    check_failed(path, 422, "bad-model", path);
    work_write(path, whole.bytes, whole.size - 1);
    check_failed(path, 422, "bad-model", path);
    check_failed(model_edited("nan.safetensors", put_nan), 422, "bad-model", "NaN");
    check_failed(model_edited("layer.safetensors", without_a_layer), 422, "bad-model", "features");
    /* Every weight is finite, the scores of the canary are not. */
    check_failed(model_edited("huge.safetensors", huge_scores), 422, "bad-model", "not finite");
    blob_free(&whole);
}

/* ---------------------------------------------------------------- being written -------------- */

static atomic_bool writing;

/* Touch a file again and again, each time with another date. */
static void *writer_main(void *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    for (long second = 1; writing; second++) {
        const struct timespec times[2] = {{second, 0}, {second, 0}};

        futimens(fd, times);
    }
    close(fd);
    return NULL;
}

static void test_being_written(void **state)
{
    const char *path = work_file("moving.safetensors");
    pthread_t writer;

    (void)state;
    put_in_place(path, model_wide());
    writing = true;
    assert_int_equal(pthread_create(&writer, NULL, writer_main, (void *)(uintptr_t)path), 0);
    check_failed(path, 422, "bad-model", "changed while it was read");
    writing = false;
    pthread_join(writer, NULL);
}

/* ---------------------------------------------------------------- what does not fit ---------- */

static void test_scales_of_the_command_line(void **state)
{
    (void)state;
    check_failed(model_other(), 422, "bad-model", "--scales");
}

/* Both sizes, and by which limit. */
static void test_memory(void **state)
{
    struct rlimit limit, old;
    struct answer answer;
    double used = server_metric(&server, "process_virtual_memory_bytes");

    (void)state;
    assert_int_equal(prlimit(server.pid, RLIMIT_AS, NULL, &old), 0);
    limit = (struct rlimit){(rlim_t)used + (12 << 20), old.rlim_max};
    assert_int_equal(prlimit(server.pid, RLIMIT_AS, &limit, NULL), 0);
    reload(&server, model_wide(), &answer);
    assert_int_equal(prlimit(server.pid, RLIMIT_AS, &old, NULL), 0);
    if (strstr(answer.body, "MiB of memory, and") == NULL ||
        strstr(answer.body, "beside the") == NULL || strstr(answer.body, "RLIMIT_AS") == NULL)
        fail_msg("%ld: %s", answer.status, answer.body);
    check_problem(&answer, 503, "out-of-memory");
    check_unchanged(true);
}

/* ---------------------------------------------------------------- requests ------------------- */

static void check_request(const char *target, const char *type, const char *body, long status,
                          const char *slug)
{
    const char *headers[] = {type, NULL};
    struct answer answer;

    ask(&server,
        &(struct call){.target = target,
                       .method = "POST",
                       .body = body,
                       .size = strlen(body),
                       .headers = headers,
                       .admin = true},
        &answer);
    check_problem(&answer, status, slug);
    check_unchanged(false);
}

static void test_bodies(void **state)
{
    static const char *const bad[] = {"{",
                                      "[]",
                                      "\"model\"",
                                      "null",
                                      "{\"model\":1}",
                                      "{\"model\":null}",
                                      "{\"model\":\"\"}",
                                      "{\"model\":[\"x\"]}",
                                      "{\"models\":\"x\"}",
                                      "{\"model\":\"x\",\"force\":true}",
                                      "{\"model\":\"x\",\"model\":\"y\"}",
                                      "{\"model\":\"x\\u0000y\"}",
                                      "{\"model\":\"x\"} more",
                                      "\xff\xfe"};
    static const char json[] = "Content-Type: application/json";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_request("/admin/reload", json, bad[i], 400, "bad-parameter");
    check_request("/admin/rollback", json, "{\"model\":\"x\"}", 400, "bad-parameter");
    check_request("/admin/rollback", json, "{}", 409, "no-previous-model");
}

static void test_media_types(void **state)
{
    static const char *const types[] = {
        "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/jsonp", "Content-Type: multipart/form-data; boundary=x",
        "Content-Type:"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        check_request("/admin/reload", types[i], "{\"model\":\"x\"}", 415,
                      "unsupported-media-type");
        check_request("/admin/rollback", types[i], "{}", 415, "unsupported-media-type");
    }
    check_request("/admin/reload", "Content-Type: Application/JSON; charset=utf-8", "[]", 400,
                  "bad-parameter");
}

static void test_long_body(void **state)
{
    static char body[64 << 10];

    (void)state;
    memset(body, ' ', sizeof body - 1);
    check_request("/admin/reload", "Content-Type: application/json", body, 413, "body-too-large");
}

static void test_who_may(void **state)
{
    static const char *const paths[] = {"/admin/reload", "/admin/rollback"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        check_request(paths[i], "Origin: http://localhost", "", 403, "cross-origin");
        ask(&server, &(struct call){.target = paths[i], .admin = true}, &answer);
        assert_string_equal(answer_header(&answer, "Allow"), "POST");
        check_problem(&answer, 405, "method-not-allowed");
        ask(&server, &(struct call){.target = paths[i], .method = "POST"}, &answer);
        check_problem(&answer, 404, "not-found"); /* on the main listener */
    }
    check_unchanged(false);
}

static void test_token(void **state)
{
    static const char *const wrong[] = {"Authorization: Bearer sesam", NULL};
    static const char *const right[] = {"Authorization: Bearer sesame", NULL};
    const char *token = work_file("token");
    struct server closed;
    struct answer answer;

    (void)state;
    work_write(token, "sesame\n", 7);
    server_start(&closed,
                 (const char *[]){"--model", model_narrow(), "--admin-token-file", token, NULL});
    for (size_t i = 0; i < 2; i++) {
        ask(&closed,
            &(struct call){.target = "/admin/reload",
                           .method = "POST",
                           .headers = i == 0 ? NULL : wrong,
                           .admin = true},
            &answer);
        check_problem(&answer, 401, "unauthorized");
    }
    assert_true(server_metric(&closed, RELOADS_OK) == 0);
    ask(&closed,
        &(struct call){
            .target = "/admin/reload", .method = "POST", .headers = right, .admin = true},
        &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    server_stop(&closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_being_written),
        cmocka_unit_test(test_scales_of_the_command_line),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_long_body),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_token),
    };

    return cmocka_run_group_tests_name("reload refused", tests, begin, end);
}
