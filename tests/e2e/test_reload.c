/*
 * Hot reload and rollback of a running server: what serves afterwards, and what it means for
 * requests that are under way, for probes and for the end.
 */
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "background.h"
#include "process.h"
#include "reloads.h"
#include "work.h"

enum { REQUESTS = 6, RELOADS = 8, ATTEMPTS = 200 };

/* Copy a model to a file of the test's own and serve it. */
static const char *start(struct server *server, const char *name)
{
    const char *path = work_file(name);

    put_in_place(path, model_narrow());
    server_start(server, (const char *[]){"--model", path, "--max-queue", "1000s", "--deadline",
                                          "1000s", "--drain-timeout", "1000s", NULL});
    return path;
}

/* The number of classes and the version in an answer are of one model. */
static size_t check_one_model(const struct answer *answer)
{
    size_t classes = json_array_size(member(answer->json, "top"));

    assert_int_equal(answer->status, 200);
    assert_string_equal(string_member(member(answer->json, "model"), "arch"),
                        classes == OTHER_CLASSES ? "B" : "D");
    return classes;
}

static void ask_all_classes(const struct server *server, size_t classes)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    classify(server, "?top_k=100&scales=64&flip=off", &image, &answer);
    assert_int_equal(check_one_model(&answer), classes);
    answer_free(&answer);
    blob_free(&image);
}

/* ---------------------------------------------------------------- what serves ---------------- */

static void test_reload_of_another_architecture(void **state)
{
    struct server server;
    char series[256];

    (void)state;
    start(&server, "a.safetensors");
    ask_all_classes(&server, 10);
    assert_true(server_metric(&server, RELOADS_OK) == 0);
    check_reload(&server, model_other());
    ask_all_classes(&server, OTHER_CLASSES);
    assert_true(server_metric(&server, RELOADS_OK) == 1);
    assert_true(server_metric(&server, RELOADS_FAILED) == 0);
    assert_true(server_metric(&server, "vgg_model_load_seconds") > 0);
    snprintf(series, sizeof series,
             "vgg_model_info{name=\"untrained-B-6\",arch=\"B\",version=\"%s\",precision=\"f32\"}",
             serving(&server, "version"));
    assert_true(server_metric(&server, series) == 1);
    server_stop(&server);
}

/* Without a body: the path in use, whatever lies there now. A rollback goes to the old inode. */
static void test_rollback_after_rename(void **state)
{
    struct server server;
    const char *path = start(&server, "renamed.safetensors");
    char first[128], second[128];

    (void)state;
    snprintf(first, sizeof first, "%s", serving(&server, "version"));
    put_in_place(path, model_other());
    assert_string_equal(serving(&server, "version"), first);
    check_reload(&server, NULL);
    snprintf(second, sizeof second, "%s", serving(&server, "version"));
    assert_string_not_equal(first, second);
    check_rollback(&server);
    assert_string_equal(serving(&server, "version"), first);
    ask_all_classes(&server, 10);
    check_rollback(&server); /* of the rollback */
    assert_string_equal(serving(&server, "version"), second);
    /* The same version again is not what to go back to. */
    check_reload(&server, NULL);
    check_reload(&server, path);
    assert_string_equal(serving(&server, "version"), second);
    check_rollback(&server);
    assert_string_equal(serving(&server, "version"), first);
    /* The path in use has the newer file: a reload takes that one. */
    check_reload(&server, NULL);
    assert_string_equal(serving(&server, "version"), second);
    assert_true(server_metric(&server, RELOADS_OK) == 7);
    server_stop(&server);
}

/* The previous file may have lost its name altogether, but not its bytes. */
static void test_rollback_to_a_file_that_was_changed(void **state)
{
    struct server server;
    const char *path = start(&server, "written.safetensors");
    char serves[128];
    struct blob blob;
    struct answer answer;

    (void)state;
    check_reload(&server, model_other());
    snprintf(serves, sizeof serves, "%s", serving(&server, "version"));
    blob = work_read(path);
    blob.bytes[blob.size - 1] ^= 1; /* another finite bias */
    work_write(path, blob.bytes, blob.size);
    rollback(&server, &answer);
    assert_non_null(strstr(answer.body, "is not what it was"));
    check_problem(&answer, 422, "bad-model");
    assert_string_equal(serving(&server, "version"), serves);
    assert_true(server_metric(&server, RELOADS_FAILED) == 1);
    blob.bytes[blob.size - 1] ^= 1;
    work_write(path, blob.bytes, blob.size);
    check_rollback(&server);
    ask_all_classes(&server, 10);
    blob_free(&blob);
    server_stop(&server);
}

static void test_embedded_model(void **state)
{
    struct server server;
    char embedded[128];
    struct answer answer;

    (void)state;
    server_start(&server, (const char *[]){NULL});
    snprintf(embedded, sizeof embedded, "%s", serving(&server, "version"));
    check_reload(&server, NULL);
    assert_string_equal(serving(&server, "version"), embedded);
    reload(&server, work_file("missing"), &answer);
    check_problem(&answer, 422, "bad-model");
    check_reload(&server, model_narrow());
    ask_all_classes(&server, 10);
    check_rollback(&server);
    assert_string_equal(serving(&server, "version"), embedded);
    server_stop(&server);
}

/* ---------------------------------------------------------------- SIGHUP --------------------- */

static void test_hangup(void **state)
{
    struct server server;
    const char *path = start(&server, "hangup.safetensors");
    char first[128];

    (void)state;
    snprintf(first, sizeof first, "%s", serving(&server, "version"));
    server_signal(&server, SIGHUP);
    server_wait_log(&server, "is unchanged");
    assert_true(server_metric(&server, RELOADS_OK) == 0);
    put_in_place(path, model_other());
    server_signal(&server, SIGHUP);
    server_wait_metric(&server, RELOADS_OK, 1);
    ask_all_classes(&server, OTHER_CLASSES);
    work_write(path, "nothing", 7);
    server_signal(&server, SIGHUP);
    server_wait_metric(&server, RELOADS_FAILED, 1);
    server_wait_log(&server, "reload failed, the old model serves on");
    ask_all_classes(&server, OTHER_CLASSES);
    check_rollback(&server);
    assert_string_equal(serving(&server, "version"), first);
    server_stop(&server);
}

/* ---------------------------------------------------------------- under way ------------------ */

/* Requests that were admitted keep the model they began with; /readyz is 200 throughout. */
static void test_requests_under_way(void **state)
{
    struct background requests[REQUESTS];
    struct server server;
    struct answer answer;

    (void)state;
    start(&server, "under-way.safetensors");
    for (size_t round = 0; round < RELOADS; round++) {
        for (size_t i = 0; i < REQUESTS; i++)
            background_start(&requests[i], &server, "/classify?top_k=100&scales=64,128,256");
        server_wait_begun(&server, 3, (double)(round * REQUESTS));
        check_reload(&server, round % 2 == 0 ? model_other() : model_narrow());
        ask(&server, &(struct call){.target = "/readyz"}, &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
        ask_all_classes(&server, round % 2 == 0 ? OTHER_CLASSES : 10);
        for (size_t i = 0; i < REQUESTS; i++) {
            background_end(&requests[i]);
            assert_true(requests[i].answered);
            check_one_model(&requests[i].answer);
            answer_free(&requests[i].answer);
        }
    }
    check_at_rest(&server, 64);
    server_stop(&server);
}

static bool send_reload(struct raw *raw, const char *model)
{
    char text[1024];

    snprintf(text, sizeof text,
             "POST /admin/reload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n{\"model\":\"%s\"}",
             strlen(model) + 12, model);
    return raw_text(raw, text);
}

static void open_admin(struct raw *raw, const struct server *server)
{
    struct server admin = *server;

    admin.ports[0] = server->ports[1];
    raw_open(raw, &admin);
}

/* Of two at a time one is told to wait; which one, and whether they meet, is for them to say. */
static void test_one_at_a_time(void **state)
{
    struct raw raws[2];
    struct server server;
    bool met = false;
    double good = 0;

    (void)state;
    start(&server, "one.safetensors");
    for (size_t i = 0; i < 2; i++)
        open_admin(&raws[i], &server);
    for (int attempt = 0; attempt < ATTEMPTS && !met; attempt++) {
        for (size_t i = 0; i < 2; i++)
            assert_true(send_reload(&raws[i], model_wide()));
        for (size_t i = 0; i < 2; i++) {
            struct answer answer;

            assert_true(raw_answer(&raws[i], &answer));
            good += answer.status == 200;
            met = met || answer.status == 409;
            if (answer.status == 409)
                check_problem(&answer, 409, "reload-in-progress");
            else
                assert_int_equal(answer.status, 200);
            answer_free(&answer);
        }
    }
    assert_true(met);
    assert_true(server_metric(&server, RELOADS_OK) == good);
    assert_true(server_metric(&server, RELOADS_FAILED) == 0);
    for (size_t i = 0; i < 2; i++)
        raw_close(&raws[i]);
    server_stop(&server);
}

/* A reload does not keep a server from ending; it is answered all the same. */
static void test_drain_during_a_reload(void **state)
{
    struct raw raw;
    struct server server;
    struct answer answer;

    (void)state;
    start(&server, "drained.safetensors");
    open_admin(&raw, &server);
    assert_true(send_reload(&raw, model_wide()));
    server_wait_begun(&server, 2, 0);
    server_signal(&server, SIGTERM);
    assert_true(raw_answer(&raw, &answer));
    if (answer.status != 200)
        check_problem(&answer, 503, "draining");
    answer_free(&answer);
    raw_close(&raw);
    assert_int_equal(server_wait(&server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload_of_another_architecture),
        cmocka_unit_test(test_rollback_after_rename),
        cmocka_unit_test(test_rollback_to_a_file_that_was_changed),
        cmocka_unit_test(test_embedded_model),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_requests_under_way),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_drain_during_a_reload),
    };

    return cmocka_run_group_tests_name("reload", tests, work_setup, work_teardown);
}
