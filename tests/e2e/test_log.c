/* The log: one line a request, in JSON or as text, that no client can forge. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "work.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void start(struct server *server, const char *format)
{
    server_start(server, (const char *[]){"--model", model_narrow(), "--scales", "64", "--log",
                                          format, NULL});
}

/* Send requests of all kinds; the last one has the id "last". */
static void make_traffic(const struct server *server)
{
    static const char *const ids[] = {"X-Request-Id: good-1", "traceparent: " TRACE, NULL};
    struct blob image = picture(80, 60);
    struct answer answer;

    ask(server,
        &(struct call){
            .target = "/classify?top_k=3", .body = image.bytes, .size = image.size, .headers = ids},
        &answer);
    check_answer(&answer, 80, 60);
    answer_free(&answer);
    check_refused(server, "?top_k=0", &image, 400, "bad-parameter");
    ask(server, &(struct call){.target = "/%22%5c%0a%1b%5b2J%ff%c3%a9"}, &answer);
    check_problem(&answer, 404, "not-found");
    ask(server,
        &(struct call){.target = "/livez", .headers = (const char *[]){"X-Request-Id: last", NULL}},
        &answer);
    answer_free(&answer);
    server_wait_log(server, "last");
    blob_free(&image);
}

/* ---------------------------------------------------------------- JSON ----------------------- */

/* The line of a request by its id. */
static json_t *find_line(const char *log, const char *id)
{
    char *copy = strdup(log), *rest = copy, *text;
    json_t *found = NULL;

    while ((text = strsep(&rest, "\n")) != NULL && *text != '\0') {
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        const char *own = json_string_value(json_object_get(line, "id"));

        if (line == NULL)
            fail_msg("not JSON: %s", text);
        assert_true(strlen(string_member(line, "time")) >= strlen("2000-01-01T00:00:00Z"));
        if (own != NULL && strcmp(own, id) == 0) {
            assert_null(found);
            found = json_incref(line);
        }
        json_decref(line);
    }
    free(copy);
    return found;
}

static void check_request_line(const json_t *line)
{
    static const char *const stages[] = {"queue", "decode", "infer", "total"};

    assert_string_equal(string_member(line, "traceparent"), TRACE);
    assert_string_equal(string_member(line, "client"), "127.0.0.1");
    assert_string_equal(string_member(line, "method"), "POST");
    assert_string_equal(string_member(line, "path"), "/classify");
    assert_string_equal(string_member(line, "route"), "/classify");
    assert_int_equal(integer_member(line, "status"), 200);
    assert_true(integer_member(line, "bytes_in") > 100);
    assert_true(integer_member(line, "bytes_out") > 100);
    assert_int_equal(strncmp(string_member(line, "model"), "sha256:", 7), 0);
    for (size_t i = 0; i < COUNT_OF(stages); i++)
        assert_true(number_member(member(line, "ms"), stages[i]) >= 0);
}

static void test_json(void **state)
{
    struct server server;
    json_t *line;
    char *log;

    (void)state;
    start(&server, "json");
    make_traffic(&server);
    server_stop(&server);
    log = server_log(&server);
    line = find_line(log, "good-1");
    assert_non_null(line);
    check_request_line(line);
    json_decref(line);
    line = find_line(log, "last");
    assert_non_null(line);
    assert_null(json_object_get(line, "traceparent"));
    assert_string_equal(string_member(line, "route"), "/livez");
    json_decref(line);
    free(log);
}

/* Why a request was refused is in its line, in both forms. */
static void test_problems(void **state)
{
    static const struct {
        const char *target, *type, *detail;
    } cases[] = {
        {"/classify?top_k=%22x%22%0a", "urn:vgg:problem:bad-parameter", "top_k=\"x\""},
        {"/classify", "urn:vgg:problem:unsupported-format", "look like plain text"},
        {"/v2/models/nobody/infer", "urn:vgg:problem:not-found", "there is no model \"nobody\""},
    };
    static const char *const formats[] = {"json", "text"};

    (void)state;
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        struct server server;
        char *log;

        start(&server, formats[f]);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct answer answer;
            char header[64];

            snprintf(header, sizeof header, "X-Request-Id: problem-%zu", i);
            ask(&server,
                &(struct call){.target = cases[i].target,
                               .body = "hello",
                               .size = 5,
                               .headers = (const char *[]){header, NULL}},
                &answer);
            answer_free(&answer);
        }
        server_stop(&server);
        log = server_log(&server);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            char id[32], text[256];

            if (f == 0) {
                json_t *line;

                snprintf(id, sizeof id, "problem-%zu", i);
                line = find_line(log, id);
                assert_string_equal(string_member(line, "type"), cases[i].type);
                assert_non_null(strstr(string_member(line, "detail"), cases[i].detail));
                json_decref(line);
                continue;
            }
            snprintf(text, sizeof text, "id=problem-%zu type=%s detail=\"", i, cases[i].type);
            assert_non_null(strstr(log, text));
            assert_null(strstr(log, "\"x\"")); /* its quotes are escaped */
        }
        free(log);
    }
}

static void test_bad_traceparents_are_left_out(void **state)
{
    static const char *const bad[] = {
        "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "traceparent: ff",
        "traceparent: \"forged\"",
    };
    struct server server;
    struct answer answer;
    char id[32], header[64];
    char *log;

    (void)state;
    start(&server, "json");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(header, sizeof header, "X-Request-Id: bad-%zu", i);
        ask(&server,
            &(struct call){.target = "/livez", .headers = (const char *[]){header, bad[i], NULL}},
            &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    server_stop(&server);
    log = server_log(&server);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        json_t *line;

        snprintf(id, sizeof id, "bad-%zu", i);
        line = find_line(log, id);
        assert_non_null(line);
        assert_null(json_object_get(line, "traceparent"));
        json_decref(line);
    }
    free(log);
}

/* A body that was cut has its line too; its status 0 says that no answer was sent. */
static void test_cut_request_has_a_line(void **state)
{
    struct blob image = picture(80, 60);
    struct server server;
    struct raw raw;
    json_t *line;
    char *log;

    (void)state;
    server_start(&server, (const char *[]){"--model", model_narrow(), "--deadline", "300ms",
                                           "--log", "json", NULL});
    raw_open(&raw, &server);
    assert_true(raw_text(&raw, "POST /classify HTTP/1.1\r\nHost: x\r\nX-Request-Id: cut\r\n"
                               "Content-Length: 1000\r\n\r\n"));
    assert_true(raw_send(&raw, image.bytes, 100));
    assert_true(raw_ends(&raw));
    raw_close(&raw);
    server_wait_log(&server, "\"cut\"");
    server_stop(&server);
    log = server_log(&server);
    line = find_line(log, "cut");
    assert_non_null(line);
    assert_int_equal(integer_member(line, "status"), 0);
    assert_int_equal(integer_member(line, "bytes_in"), 100);
    json_decref(line);
    free(log);
    blob_free(&image);
}

/* ---------------------------------------------------------------- text ----------------------- */

/* Begins with a time such as 2026-01-02T03:04:05.678Z. */
static bool has_time(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";

    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? strchr("0123456789", line[i]) == NULL || line[i] == '\0'
                           : line[i] != form[i])
            return false;
    return true;
}

/* Lines of the log that hold a text. */
static size_t count_lines_with(const char *log, const char *needle)
{
    char *copy = strdup(log), *rest = copy, *line;
    size_t count = 0;

    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        if (!has_time(line))
            fail_msg("a line without a time: %s", line);
        for (const char *c = line; *c != '\0'; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
        count += strstr(line, needle) != NULL;
    }
    free(copy);
    return count;
}

static void test_text(void **state)
{
    struct server server;
    char *log;

    (void)state;
    start(&server, "text");
    make_traffic(&server);
    server_stop(&server);
    log = server_log(&server);
    assert_int_equal(count_lines_with(log, "good-1"), 1);
    assert_int_equal(count_lines_with(log, "/classify"), 2);
    assert_int_equal(count_lines_with(log, "last"), 1);
    assert_non_null(strstr(log, "127.0.0.1"));
    free(log);
}

static void test_no_client_can_forge_a_line(void **state)
{
    static const char *const targets[] = {
        "/x%0a2026-01-01T00:00:00.000Z%20FORGED%20line",
        "/x%0d%0aFORGED",
        "/FORGED%20200%20id=evil",
        "/FORGED%1b%5b31m",
        "/v2/models/x%20FORGED%20id=evil/ready",
        "/v2/models/x/versions/1%0aFORGED/ready",
    };
    static const char *const queries[] = {
        "/classify?top_k=3%20FORGED%20id=evil",
        "/classify?x%0aFORGED%22%20id=evil",
    };
    struct server server;
    struct answer answer;
    char *log;

    (void)state;
    start(&server, "text");
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        ask(&server,
            &(struct call){.target = targets[i],
                           .headers = (const char *[]){"X-Request-Id: a b FORGED", NULL}},
            &answer);
        assert_int_equal(answer.status, 404);
        answer_free(&answer);
    }
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        ask(&server, &(struct call){.target = queries[i], .body = "x", .size = 1}, &answer);
        check_problem(&answer, 400, "bad-parameter");
    }
    server_stop(&server);
    log = server_log(&server);
    /* Each is within the line of its own request, without a space of its own. */
    assert_int_equal(count_lines_with(log, "FORGED"), COUNT_OF(targets) + COUNT_OF(queries));
    assert_int_equal(count_lines_with(log, " 404 "), COUNT_OF(targets));
    assert_null(strstr(log, " FORGED"));
    assert_null(strstr(log, " id=evil"));
    free(log);
}

static void rename_model(struct model_parts *parts)
{
    json_object_set_new(json_object_get(parts->header, "__metadata__"), "vgg.name",
                        json_string("name\n2026-01-01T00:00:00.000Z FORGED \"line\""));
}

/* A model file's author is not to be trusted with the log or the metrics either. */
static void test_no_model_can_forge_a_line(void **state)
{
    const char *model = model_edited("forged.safetensors", rename_model);
    struct server server;
    char *log, *metrics;

    (void)state;
    server_start(&server, (const char *[]){"--model", model, NULL});
    metrics = metrics_read(&server);
    assert_non_null(strstr(metrics, "vgg_model_info{name=\"name\\n2026"));
    server_stop(&server);
    log = server_log(&server);
    (void)count_lines_with(log, "FORGED");
    assert_null(strstr(log, "\n2026-01-01T00:00:00.000Z FORGED"));
    free(metrics);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_bad_traceparents_are_left_out),
        cmocka_unit_test(test_cut_request_has_a_line),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_no_client_can_forge_a_line),
        cmocka_unit_test(test_no_model_can_forge_a_line),
    };

    return cmocka_run_group_tests_name("log", tests, work_setup, work_teardown);
}
