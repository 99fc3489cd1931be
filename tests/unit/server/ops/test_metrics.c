/* The exposition: well-formed, complete from the start, and counted right. */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "fault.h"
#include "http/http.h"
#include "ops/metrics.h"
#include "process/clock.h"
#include "server/exposition.h"

static const struct vgg_model_info model = {
    .name = "tiny", .arch = "D", .version = "sha256:00ff", .kernel = "portable", .precision = "i8"};

static const struct http_counts counts;

static struct exposition exposition;

/* What is exposed now. */
static const struct exposition *expose_of(struct metrics *metrics,
                                          const struct vgg_model_info *info)
{
    const struct metrics_gauges gauges = {.in_flight = 3,
                                          .queue_depth = 2,
                                          .queue_cost_s = 0.25,
                                          .model_load_s = 1.5,
                                          .threads = 4,
                                          .model = info,
                                          .http = &counts};
    size_t size = 0;
    char *text = metrics_render(metrics, &gauges, &size);

    assert_non_null(text);
    assert_int_equal(strlen(text), size);
    if (!exposition_parse(&exposition, text))
        fail_msg("%s", exposition.error);
    free(text);
    return &exposition;
}

static const struct exposition *expose(struct metrics *metrics)
{
    return expose_of(metrics, &model);
}

static double value(const char *name, const char *labels)
{
    const struct series *series = exposition_find(&exposition, name, labels);

    if (series == NULL)
        fail_msg("%s{%s} is missing", name, labels);
    return series->value;
}

static void check_zero(const char *name, const char *labels)
{
    if (value(name, labels) != 0)
        fail_msg("%s{%s} is not 0", name, labels);
}

/* ---------------------------------------------------------------- at the start --------------- */

static const char *const routes[] = {"/classify", "/livez", "/readyz",      "/healthz",
                                     "/metrics",  "/model", "/admin/model", "other"};
static const char *const codes[] = {"200", "204", "304", "400", "401", "403", "404",
                                    "405", "409", "413", "414", "415", "417", "422",
                                    "431", "500", "501", "503", "504", "505", "other"};
static const char *const stages[] = {"queue", "decode", "rescale", "infer", "encode"};

/* A histogram of which nothing has been observed. */
static void check_empty_histogram(const char *family, const char *label)
{
    char name[NAME_BYTES], labels[LABELS_BYTES];

    snprintf(name, sizeof name, "%s_bucket", family);
    snprintf(labels, sizeof labels, "%s%sle=\"+Inf\"", label, label[0] != '\0' ? "," : "");
    check_zero(name, labels);
    snprintf(name, sizeof name, "%s_sum", family);
    check_zero(name, label);
    snprintf(name, sizeof name, "%s_count", family);
    check_zero(name, label);
}

static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};

static void all_series_exist_at_zero(void **state)
{
    struct metrics *metrics = metrics_create();
    char labels[LABELS_BYTES];

    (void)state;
    expose(metrics);
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        for (size_t k = 0; k < COUNT_OF(codes); k++) {
            snprintf(labels, sizeof labels, "route=\"%s\",code=\"%s\"", routes[i], codes[k]);
            check_zero("vgg_http_requests_total", labels);
        }
        for (size_t k = 0; k < COUNT_OF(classes); k++) {
            snprintf(labels, sizeof labels, "route=\"%s\",code=\"%s\"", routes[i], classes[k]);
            check_empty_histogram("vgg_http_request_duration_seconds", labels);
        }
    }
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        snprintf(labels, sizeof labels, "stage=\"%s\"", stages[i]);
        check_empty_histogram("vgg_stage_duration_seconds", labels);
    }
    check_empty_histogram("vgg_batch_views", "");
    check_zero("vgg_typicality_answers_total", "");
    check_zero("vgg_unknown_answers_total", "");
    check_zero("vgg_requests_shed_total", "reason=\"queue_full\"");
    check_zero("vgg_requests_shed_total", "reason=\"draining\"");
    check_zero("vgg_requests_shed_total", "reason=\"out_of_memory\"");
    check_zero("vgg_requests_cancelled_total", "stage=\"body\"");
    check_zero("vgg_requests_cancelled_total", "stage=\"answer\"");
    check_zero("vgg_model_reloads_total", "result=\"ok\"");
    check_zero("vgg_model_reloads_total", "result=\"failed\"");
    metrics_destroy(metrics);
    metrics_destroy(NULL);
}

static void gauges_show_what_they_are_given(void **state)
{
    struct metrics *metrics = metrics_create();

    (void)state;
    expose(metrics);
    assert_true(value("vgg_requests_in_flight", "") == 3);
    assert_true(value("vgg_queue_depth", "") == 2);
    assert_true(value("vgg_queue_cost_seconds", "") == 0.25);
    assert_true(value("vgg_model_load_seconds", "") == 1.5);
    assert_true(value("vgg_model_info", "name=\"tiny\",arch=\"D\",version=\"sha256:00ff\","
                                        "precision=\"i8\"") == 1);
    assert_true(value("vgg_build_info",
                      "version=\"" VGG_VERSION "\",kernel=\"portable\",threads=\"4\"") == 1);
    metrics_destroy(metrics);
}

static void types_fit_the_names(void **state)
{
    struct metrics *metrics = metrics_create();

    (void)state;
    expose(metrics);
    for (size_t i = 0; i < exposition.families_n; i++) {
        const struct family *family = &exposition.families[i];
        size_t length = strlen(family->name);
        bool total = length > 6 && strcmp(family->name + length - 6, "_total") == 0;

        if (total != (strcmp(family->type, "counter") == 0))
            fail_msg("%s is a %s", family->name, family->type);
    }
    metrics_destroy(metrics);
}

static void process_metrics_are_plausible(void **state)
{
    struct metrics *metrics = metrics_create();
    double resident;

    (void)state;
    expose(metrics);
    resident = value("process_resident_memory_bytes", "");
    assert_true(resident > 4096 && value("process_virtual_memory_bytes", "") > resident);
    assert_true(value("process_open_fds", "") >= 3);
    assert_true(value("process_max_fds", "") >= value("process_open_fds", ""));
    assert_true(value("process_cpu_seconds_total", "") >= 0);
    assert_true(value("process_start_time_seconds", "") > 1.6e9);
    metrics_destroy(metrics);
}

/* ---------------------------------------------------------------- counting ------------------- */

/* Buckets never fall, the bounds rise, and the last bucket is the count. */
static void check_histograms(void)
{
    const struct series *last = NULL;
    double bound = -INFINITY;

    for (size_t i = 0; i < exposition.series_n; i++) {
        const struct series *series = &exposition.series[i];
        const char *suffix = strrchr(series->name, '_'), *le = strstr(series->labels, "le=\"");

        if (strcmp(exposition.families[series->family].type, "histogram") != 0)
            continue;
        if (strcmp(suffix, "_bucket") == 0) {
            assert_non_null(le);
            assert_true(strtod(le + 4, NULL) > bound);
            assert_true(last == NULL || series->value >= last->value);
            bound = strtod(le + 4, NULL);
            last = series;
        } else if (strcmp(suffix, "_count") == 0) {
            assert_non_null(last);
            assert_true(isinf(bound));
            assert_true(series->value == last->value);
            last = NULL;
            bound = -INFINITY;
        }
    }
}

static void observations_fall_into_their_buckets(void **state)
{
    static const char count[] = "vgg_http_request_duration_seconds_count";
    static const char bucket[] = "vgg_http_request_duration_seconds_bucket";
    struct metrics *metrics = metrics_create();

    (void)state;
    metrics_request(metrics, ROUTE_MODEL, 200, 5 * NS_PER_MS); /* a bound itself is inside */
    metrics_request(metrics, ROUTE_MODEL, 200, 5 * NS_PER_MS + 1);
    metrics_request(metrics, ROUTE_MODEL, 503, 3600 * NS_PER_S);
    metrics_request(metrics, ROUTE_MODEL, 304, 1);
    metrics_request(metrics, ROUTE_MODEL, 400, 1);
    metrics_request(metrics, ROUTE_MODEL, 499, 1);
    metrics_stage(metrics, STAGE_INFER, NS_PER_S / 2);
    metrics_shed(metrics, SHED_QUEUE_FULL);
    metrics_shed(metrics, SHED_QUEUE_FULL);
    metrics_shed(metrics, SHED_NO_MEMORY);
    metrics_cancelled(metrics, CANCELLED_BODY);
    metrics_batch(metrics, 2);
    metrics_batch(metrics, 17);
    metrics_typicality(metrics, true);
    metrics_typicality(metrics, false);
    metrics_typicality(metrics, true);
    expose(metrics);
    check_histograms();
    assert_true(value("vgg_http_requests_total", "route=\"/model\",code=\"200\"") == 2);
    assert_true(value("vgg_http_requests_total", "route=\"/model\",code=\"503\"") == 1);
    assert_true(value("vgg_http_requests_total", "route=\"/model\",code=\"304\"") == 1);
    assert_true(value("vgg_http_requests_total", "route=\"/model\",code=\"other\"") == 1);
    assert_true(value("vgg_http_requests_total", "route=\"/classify\",code=\"200\"") == 0);
    assert_true(value(bucket, "route=\"/model\",code=\"2xx\",le=\"0.0025\"") == 0);
    assert_true(value(bucket, "route=\"/model\",code=\"2xx\",le=\"0.005\"") == 1);
    assert_true(value(bucket, "route=\"/model\",code=\"2xx\",le=\"0.01\"") == 2);
    assert_true(value(bucket, "route=\"/model\",code=\"2xx\",le=\"30\"") == 2);
    assert_true(value(bucket, "route=\"/model\",code=\"2xx\",le=\"+Inf\"") == 2);
    assert_true(value(bucket, "route=\"/model\",code=\"5xx\",le=\"30\"") == 0);
    assert_true(value(bucket, "route=\"/model\",code=\"5xx\",le=\"+Inf\"") == 1);
    assert_true(value(count, "route=\"/model\",code=\"2xx\"") == 2);
    assert_true(value(count, "route=\"/model\",code=\"3xx\"") == 1);
    assert_true(value(count, "route=\"/model\",code=\"4xx\"") == 2);
    assert_true(value(count, "route=\"/model\",code=\"5xx\"") == 1);
    assert_true(value(count, "route=\"/livez\",code=\"2xx\"") == 0);
    assert_true(value("vgg_stage_duration_seconds_sum", "stage=\"infer\"") == 0.5);
    assert_true(value("vgg_stage_duration_seconds_sum", "stage=\"queue\"") == 0);
    assert_true(value("vgg_requests_shed_total", "reason=\"queue_full\"") == 2);
    assert_true(value("vgg_requests_shed_total", "reason=\"draining\"") == 0);
    assert_true(value("vgg_requests_shed_total", "reason=\"out_of_memory\"") == 1);
    assert_true(value("vgg_requests_cancelled_total", "stage=\"body\"") == 1);
    assert_true(value("vgg_requests_cancelled_total", "stage=\"answer\"") == 0);
    assert_true(value("vgg_batch_views_bucket", "le=\"1\"") == 0);
    assert_true(value("vgg_batch_views_bucket", "le=\"2\"") == 1);
    assert_true(value("vgg_batch_views_bucket", "le=\"16\"") == 1);
    assert_true(value("vgg_batch_views_count", "") == 2);
    assert_true(value("vgg_batch_views_sum", "") == 19);
    assert_true(value("vgg_typicality_answers_total", "") == 3);
    assert_true(value("vgg_unknown_answers_total", "") == 1);
    metrics_destroy(metrics);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *count_main(void *argument)
{
    struct metrics *metrics = argument;

    for (int i = 0; i < ROUNDS; i++) {
        metrics_request(metrics, ROUTE_CLASSIFY, i % 5 == 0 ? 503 : 200, NS_PER_MS);
        metrics_stage(metrics, (enum metrics_stage)(i % METRICS_STAGES_N), NS_PER_S / 4);
        metrics_shed(metrics, SHED_DRAINING);
        metrics_cancelled(metrics, CANCELLED_ANSWER);
        metrics_batch(metrics, 1);
        metrics_typicality(metrics, i % 4 != 0);
    }
    return NULL;
}

/* Nothing is lost, and what is read meanwhile is consistent in itself. */
static void many_threads(void **state)
{
    struct metrics *metrics = metrics_create();
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_main, metrics), 0);
    for (int i = 0; i < 20; i++) {
        expose(metrics);
        check_histograms();
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expose(metrics);
    check_histograms();
    assert_true(value("vgg_http_requests_total", "route=\"/classify\",code=\"200\"") ==
                THREADS * ROUNDS * 4 / 5);
    assert_true(value("vgg_http_requests_total", "route=\"/classify\",code=\"503\"") ==
                THREADS * ROUNDS / 5);
    assert_true(value("vgg_http_request_duration_seconds_count",
                      "route=\"/classify\",code=\"2xx\"") == THREADS * ROUNDS * 4 / 5);
    assert_true(value("vgg_stage_duration_seconds_sum", "stage=\"encode\"") ==
                THREADS * ROUNDS / METRICS_STAGES_N / 4.0);
    assert_true(value("vgg_requests_shed_total", "reason=\"draining\"") == THREADS * ROUNDS);
    assert_true(value("vgg_requests_cancelled_total", "stage=\"answer\"") == THREADS * ROUNDS);
    assert_true(value("vgg_batch_views_sum", "") == THREADS * ROUNDS);
    assert_true(value("vgg_typicality_answers_total", "") == THREADS * ROUNDS);
    assert_true(value("vgg_unknown_answers_total", "") == THREADS * ROUNDS / 4);
    metrics_destroy(metrics);
}

/* A model's name is the operator's text. */
static void names_are_escaped(void **state)
{
    struct vgg_model_info odd = model;
    struct metrics *metrics = metrics_create();

    (void)state;
    odd.name = "a\"b\\c\nd,e}f";
    expose_of(metrics, &odd);
    assert_true(value("vgg_model_info",
                      "name=\"a\\\"b\\\\c\\nd,e}f\",arch=\"D\",version=\"sha256:00ff\","
                      "precision=\"i8\"") == 1);
    metrics_destroy(metrics);
}

/* Whole or not at all, wherever memory ends. */
static void out_of_memory(void **state)
{
    const struct metrics_gauges gauges = {.model = &model, .http = &counts};
    struct metrics *metrics = metrics_create();
    unsigned long failures = 0;
    size_t series_n;
    long before;

    (void)state;
    if (!fault_available()) {
        metrics_destroy(metrics);
        skip();
    }
    series_n = expose(metrics)->series_n;
    before = fault_outstanding();
    for (unsigned long n = 1;; n++) {
        size_t size = 0;
        char *text;
        bool fired;

        fault_arm(n);
        text = metrics_render(metrics, &gauges, &size);
        fired = fault_disarm();
        if (text != NULL && !exposition_parse(&exposition, text))
            fail_msg("allocation %lu failed: %s", n, exposition.error);
        if (text != NULL && exposition.series_n != series_n)
            fail_msg("allocation %lu failed: %zu of %zu series", n, exposition.series_n, series_n);
        failures += text == NULL;
        free(text);
        assert_int_equal(fault_outstanding(), before);
        if (!fired)
            break;
    }
    assert_true(failures >= 2);
    metrics_destroy(metrics);
    fault_arm(1);
    metrics = metrics_create();
    assert_true(fault_disarm());
    assert_null(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_series_exist_at_zero),
        cmocka_unit_test(gauges_show_what_they_are_given),
        cmocka_unit_test(types_fit_the_names),
        cmocka_unit_test(process_metrics_are_plausible),
        cmocka_unit_test(observations_fall_into_their_buckets),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
