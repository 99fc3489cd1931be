/* Probes, /model, /metrics and the admin listener. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "narrow_server.h"
#include "process.h"
#include "work.h"

/* ---------------------------------------------------------------- small routes --------------- */

static void test_probes(void **state)
{
    static const char *const probes[] = {"/livez", "/readyz", "/healthz"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(probes); i++) {
        ask(&server, &(struct call){.target = probes[i]}, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/json");
        assert_non_null(answer_header(&answer, "X-Request-Id"));
        assert_true(strlen(string_member(answer.json, "status")) > 0);
        answer_free(&answer);
    }
}

static void test_head(void **state)
{
    static const char *const routes[] = {"/livez", "/readyz", "/healthz", "/model", "/metrics"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        ask(&server, &(struct call){.target = routes[i], .method = "HEAD"}, &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.size, 0);
        assert_true(atoi(answer_header(&answer, "Content-Length")) > 0);
        answer_free(&answer);
    }
}

static void check_triple(const json_t *preprocessing, const char *key)
{
    const json_t *triple = member(preprocessing, key);

    assert_int_equal(json_array_size(triple), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(json_is_number(json_array_get(triple, i)));
}

static void check_model(bool admin)
{
    struct answer answer;
    const json_t *preprocessing;

    ask(&server, &(struct call){.target = admin ? "/admin/model" : "/model", .admin = admin},
        &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(string_member(answer.json, "name"), "untrained-D-4");
    assert_string_equal(string_member(answer.json, "arch"), "D");
    assert_int_equal(strncmp(string_member(answer.json, "version"), "sha256:", 7), 0);
    assert_false(bool_member(answer.json, "trained"));
    assert_int_equal(integer_member(answer.json, "classes"), 10);
    assert_int_equal(integer_member(answer.json, "features"), 16);
    assert_true(integer_member(answer.json, "parameters") > 0);
    check_scales(answer.json, (const int[]){64, 96}, 2);
    assert_true(bool_member(answer.json, "flip"));
    preprocessing = member(answer.json, "preprocessing");
    check_triple(preprocessing, "mean");
    check_triple(preprocessing, "std");
    assert_string_equal(string_member(preprocessing, "channels"), "RGB");
    assert_true(strlen(string_member(answer.json, "kernel")) > 0);
    assert_string_equal(string_member(answer.json, "precision"), "f32");
    assert_string_equal(string_member(answer.json, "fc_weights"), "f32");
    answer_free(&answer);
}

static void test_model(void **state)
{
    (void)state;
    check_model(false);
}

static void test_admin_model(void **state)
{
    (void)state;
    check_model(true);
}

/* The model named in an answer is the one that serves. */
static void test_versions_agree(void **state)
{
    struct blob image = picture(64, 64);
    struct answer model, answer;

    (void)state;
    ask(&server, &(struct call){.target = "/model"}, &model);
    classify(&server, "", &image, &answer);
    assert_string_equal(string_member(member(answer.json, "model"), "version"),
                        string_member(model.json, "version"));
    assert_string_equal(string_member(member(answer.json, "model"), "kernel"),
                        string_member(model.json, "kernel"));
    assert_string_equal(string_member(member(answer.json, "model"), "precision"),
                        string_member(model.json, "precision"));
    answer_free(&answer);
    answer_free(&model);
    blob_free(&image);
}

static void test_listeners_are_apart(void **state)
{
    static const char *const main_routes[] = {"/classify", "/livez",   "/readyz",
                                              "/healthz",  "/metrics", "/model"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(main_routes); i++) {
        ask(&server, &(struct call){.target = main_routes[i], .admin = true}, &answer);
        check_problem(&answer, 404, "not-found");
    }
    ask(&server, &(struct call){.target = "/admin/model"}, &answer);
    check_problem(&answer, 404, "not-found");
}

/* ---------------------------------------------------------------- metrics -------------------- */

static void check_zero(const char *text, const char *series)
{
    if (metrics_value(text, series) != 0)
        fail_msg("%s is not zero at the start", series);
}

static void check_histogram(const char *text, const char *name, const char *label)
{
    char series[160];

    snprintf(series, sizeof series, "%s_count%s%s%s", name, *label ? "{" : "", label,
             *label ? "}" : "");
    check_zero(text, series);
    snprintf(series, sizeof series, "%s_sum%s%s%s", name, *label ? "{" : "", label,
             *label ? "}" : "");
    check_zero(text, series);
    snprintf(series, sizeof series, "%s_bucket{%s%sle=\"+Inf\"}", name, label, *label ? "," : "");
    check_zero(text, series);
}

static void check_counters(const char *text)
{
    static const char *const routes[] = {"/classify", "/livez", "/readyz",     "/healthz",
                                         "/metrics",  "/model", "/admin/model"};
    static const int codes[] = {200, 204, 400, 401, 403, 404, 405, 413, 414,
                                415, 417, 422, 431, 500, 501, 503, 504, 505};
    static const char *const stages[] = {"queue", "decode", "rescale", "infer", "encode"};
    static const char *const others[] = {
        "vgg_requests_shed_total{reason=\"queue_full\"}",
        "vgg_requests_shed_total{reason=\"draining\"}",
        "vgg_requests_cancelled_total{stage=\"body\"}",
        "vgg_connections_refused_total{reason=\"limit\"}",
        "vgg_connections_refused_total{reason=\"address_limit\"}",
        "vgg_connections_refused_total{reason=\"out_of_memory\"}",
        "vgg_connections_cut_total{reason=\"headers\"}",
        "vgg_connections_cut_total{reason=\"body\"}",
        "vgg_connections_cut_total{reason=\"idle\"}",
        "vgg_connections_cut_total{reason=\"answer\"}",
        "vgg_connections_cut_total{reason=\"malformed\"}",
        "vgg_connections_cut_total{reason=\"handshake\"}",
        "vgg_secrets_reloads_total{result=\"ok\"}",
        "vgg_secrets_reloads_total{result=\"failed\"}",
        "vgg_tls_certificate_expiry_seconds",
        "vgg_log_lines_dropped_total",
        "vgg_queue_depth",
        "vgg_queue_cost_seconds",
        "vgg_model_reloads_total{result=\"ok\"}",
        "vgg_model_reloads_total{result=\"failed\"}",
    };
    static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};
    char series[128];

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        for (size_t j = 0; j < COUNT_OF(codes); j++) {
            snprintf(series, sizeof series, "vgg_http_requests_total{route=\"%s\",code=\"%d\"}",
                     routes[i], codes[j]);
            check_zero(text, series);
        }
        for (size_t j = 0; j < COUNT_OF(classes); j++) {
            snprintf(series, sizeof series, "route=\"%s\",code=\"%s\"", routes[i], classes[j]);
            check_histogram(text, "vgg_http_request_duration_seconds", series);
        }
    }
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        snprintf(series, sizeof series, "stage=\"%s\"", stages[i]);
        check_histogram(text, "vgg_stage_duration_seconds", series);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        check_zero(text, others[i]);
}

static void check_gauges(const char *text)
{
    static const char *const positive[] = {
        "vgg_requests_in_flight",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    };

    for (size_t i = 0; i < COUNT_OF(positive); i++)
        assert_true(metrics_value(text, positive[i]) > 0);
    assert_int_equal(metrics_value(text, "vgg_requests_in_flight"), 1);
    assert_true(metrics_value(text, "vgg_model_load_seconds") >= 0);
    (void)metrics_value(text, "vgg_batch_views_count"); /* the canary was a batch */
    assert_non_null(strstr(text, "\nvgg_model_info{name=\"untrained-D-4\",arch=\"D\",version=\""));
    assert_non_null(strstr(text, "\nvgg_build_info{"));
}

static void test_every_series_exists_from_the_start(void **state)
{
    struct server fresh;
    struct answer answer;

    (void)state;
    server_start_model(&fresh, model_narrow());
    ask(&fresh, &(struct call){.target = "/metrics"}, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strncmp(answer_header(&answer, "Content-Type"), "text/plain", 10), 0);
    check_counters(answer.body);
    check_gauges(answer.body);
    answer_free(&answer);
    server_stop(&fresh);
}

/* Each line is a comment or NAME[{LABELS}] VALUE, and each series is there once. */
static void test_text_format(void **state)
{
    char *text = metrics_read(&server), *rest = text, *line;

    (void)state;
    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
        char *space = strrchr(line, ' '), *end;

        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        assert_non_null(space);
        (void)strtod(space + 1, &end);
        assert_true(end != space + 1 && *end == '\0');
        assert_int_equal(strspn(line, "abcdefghijklmnopqrstuvwxyz_"), strcspn(line, "{ "));
        space[1] = '\0';
        assert_null(strstr(rest, line));
    }
    free(text);
}

/* Buckets never fall towards +Inf, whose value is the count. */
static void check_buckets(const char *text, const char *prefix, double count)
{
    double last = 0;
    size_t n = 0;

    for (const char *at = strstr(text, prefix); at != NULL; at = strstr(at + 1, prefix)) {
        double value = strtod(strchr(at, ' ') + 1, NULL);

        assert_true(value >= last);
        last = value;
        n++;
    }
    assert_true(n >= 5);
    assert_true(last == count);
}

#define DURATION "vgg_http_request_duration_seconds_"

static void test_counters_add_up(void **state)
{
    struct blob image = picture(64, 64), cut = {image.bytes, image.size / 2};
    struct server fresh;
    struct answer answer;
    char *text;

    (void)state;
    server_start_model(&fresh, model_narrow());
    for (int i = 0; i < 5; i++) {
        classify(&fresh, "", &image, &answer);
        check_answer(&answer, 64, 64);
        answer_free(&answer);
    }
    check_refused(&fresh, "?top_k=0", &image, 400, "bad-parameter");
    check_refused(&fresh, "", &cut, 422, "bad-image");
    check_refused(&fresh, "", &cut, 422, "bad-image");
    ask(&fresh, &(struct call){.target = "/nowhere"}, &answer);
    check_problem(&answer, 404, "not-found");
    /* A request is counted once its answer has been sent, which its client may see earlier. */
    server_wait_metric(&fresh, "vgg_http_requests_total{route=\"other\",code=\"404\"}", 1);
    server_wait_metric(&fresh, CLASSIFIED, 5);
    server_wait_metric(&fresh, DURATION "count{route=\"/classify\",code=\"4xx\"}", 3);
    text = metrics_read(&fresh);
    assert_int_equal(metrics_value(text, CLASSIFIED), 5);
    assert_int_equal(
        metrics_value(text, "vgg_http_requests_total{route=\"/classify\",code=\"400\"}"), 1);
    assert_int_equal(
        metrics_value(text, "vgg_http_requests_total{route=\"/classify\",code=\"422\"}"), 2);
    assert_int_equal(
        metrics_value(text, "vgg_http_requests_total{route=\"/classify\",code=\"500\"}"), 0);
    check_buckets(text, DURATION "bucket{route=\"/classify\",code=\"2xx\"", 5);
    check_buckets(text, DURATION "bucket{route=\"/classify\",code=\"4xx\"", 3);
    check_buckets(text, "vgg_stage_duration_seconds_bucket{stage=\"infer\"", 5);
    check_buckets(text, "vgg_stage_duration_seconds_bucket{stage=\"rescale\"", 5);
    assert_true(metrics_value(text, "vgg_stage_duration_seconds_sum{stage=\"infer\"}") > 0);
    assert_true(metrics_value(text, "vgg_batch_views_sum") >= 5 * 2 * 2);
    free(text);
    server_stop(&fresh);
    blob_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_admin_model),
        cmocka_unit_test(test_versions_agree),
        cmocka_unit_test(test_listeners_are_apart),
        cmocka_unit_test(test_every_series_exists_from_the_start),
        cmocka_unit_test(test_text_format),
        cmocka_unit_test(test_counters_add_up),
    };

    return cmocka_run_group_tests_name("probes", tests, setup, teardown);
}
