/* The metrics: what a load sent is what they count, and Prometheus can read them. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "process.h"
#include "work.h"

enum { CALLERS = 4, ROUNDS = 15 };

static struct server server;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start(&server, (const char *[]){"--model", model_labelled(), "--scales", "64",
                                           "--max-queue", "1000s", NULL});
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

/* ---------------------------------------------------------------- counts --------------------- */

/* A kind of request, and the series that counts it. */
static const struct {
    const char *target, *method;
    bool image, admin;
    long status;
    const char *route;
} kinds[] = {
    {"/classify", "POST", true, false, 200, "/classify"},
    {"/classify?flip=off", "POST", true, false, 200, "/classify"},
    {"/classify?top_k=0", "POST", true, false, 400, "/classify"},
    {"/classify", "GET", false, false, 405, "/classify"},
    {"/nothing", "GET", false, false, 404, "other"},
    {"/livez", "GET", false, false, 200, "/livez"},
    {"/readyz", "GET", false, false, 200, "/readyz"},
    {"/model", "GET", false, false, 200, "/model"},
    {"/admin/model", "GET", false, true, 200, "/admin/model"},
};

static void *caller_main(void *failures)
{
    struct blob image = picture(80, 60);
    struct answer answer;

    for (size_t i = 0; i < ROUNDS * COUNT_OF(kinds); i++) {
        size_t k = i % COUNT_OF(kinds);
        const struct call call = {.target = kinds[k].target,
                                  .method = kinds[k].method,
                                  .body = kinds[k].image ? image.bytes : NULL,
                                  .size = image.size,
                                  .admin = kinds[k].admin};

        if (!call_try(&server, &call, &answer) || answer.status != kinds[k].status)
            ++*(int *)failures;
        answer_free(&answer);
    }
    blob_free(&image);
    return NULL;
}

static void run_load(void)
{
    pthread_t callers[CALLERS];
    int failures[CALLERS] = {0};

    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, caller_main, &failures[i]), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

/* How many of the load had this route and a status from `first` to `last`. */
static double sent(const char *route, long first, long last)
{
    double n = 0;

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        if (strcmp(kinds[k].route, route) == 0 && kinds[k].status >= first &&
            kinds[k].status <= last)
            n += CALLERS * ROUNDS;
    return n;
}

static void check_grown(const char *before, const char *after, const char *series, double by)
{
    double grown = metrics_value(after, series) - metrics_value(before, series);

    if (grown != by)
        fail_msg("%s has grown by %g, not by %g", series, grown, by);
}

static void check_requests(const char *before, const char *after)
{
    char series[160];

    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        long class = kinds[k].status / 100;

        snprintf(series, sizeof series, "vgg_http_requests_total{route=\"%s\",code=\"%ld\"}",
                 kinds[k].route, kinds[k].status);
        check_grown(before, after, series, sent(kinds[k].route, kinds[k].status, kinds[k].status));
        snprintf(series, sizeof series,
                 "vgg_http_request_duration_seconds_count{route=\"%s\",code=\"%ldxx\"}",
                 kinds[k].route, class);
        check_grown(before, after, series, sent(kinds[k].route, class * 100, class * 100 + 99));
    }
}

/* The sum of all series of a counter. */
static double total(const char *text, const char *name)
{
    size_t length = strlen(name);
    double sum = 0;

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == '{')
            sum += strtod(strchr(line, '}') + 1, NULL);
    }
    return sum;
}

static void test_counts_of_a_load(void **state)
{
    static const char *const stages[] = {"queue", "decode", "rescale", "infer", "encode"};
    static const char *const quiet[] = {"vgg_requests_shed_total", "vgg_requests_cancelled_total",
                                        "vgg_connections_cut_total",
                                        "vgg_connections_refused_total"};
    double classified = sent("/classify", 200, 200), answers = CALLERS * ROUNDS * COUNT_OF(kinds);
    char *before, *after, series[160];

    (void)state;
    before = metrics_read(&server);
    run_load();
    /* A request is counted when its answer has been sent: the last ones a moment later. */
    server_wait_metric(&server, "vgg_requests_in_flight", 1);
    server_wait_metric(&server, "vgg_connections_open", 1);
    after = metrics_read(&server);
    check_requests(before, after);
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        snprintf(series, sizeof series, "vgg_stage_duration_seconds_count{stage=\"%s\"}",
                 stages[i]);
        check_grown(before, after, series, classified);
    }
    /* Half of them with mirrors. */
    check_grown(before, after, "vgg_batch_views_sum", classified * 1.5);
    for (size_t i = 0; i < COUNT_OF(quiet); i++)
        if (total(after, quiet[i]) != 0)
            fail_msg("%s is not zero", quiet[i]);
    /* Only scrapes beside the load: each on a connection of its own, counted when it is over. */
    assert_int_equal(total(after, "vgg_http_requests_total") -
                         total(before, "vgg_http_requests_total") - answers,
                     metrics_value(after, "vgg_http_request_duration_seconds_count"
                                          "{route=\"/metrics\",code=\"2xx\"}") -
                         metrics_value(before, "vgg_http_request_duration_seconds_count"
                                               "{route=\"/metrics\",code=\"2xx\"}"));
    assert_true(metrics_value(after, "vgg_connections_accepted_total") >= answers);
    free(before);
    free(after);
}

/* ---------------------------------------------------------------- reading them --------------- */

static void test_media_type(void **state)
{
    static const char *const accepts[] = {
        "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
        "Accept: text/plain", "Accept: */*", "Accept: application/json", "Accept;"};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        ask(&server,
            &(struct call){.target = "/metrics", .headers = (const char *[]){accepts[i], NULL}},
            &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Content-Type"),
                            "text/plain; version=0.0.4; charset=utf-8");
        assert_int_equal(answer.body[answer.size - 1], '\n');
        answer_free(&answer);
    }
}

static void test_process(void **state)
{
    static const char *const series[] = {"process_cpu_seconds_total",
                                         "process_resident_memory_bytes",
                                         "process_virtual_memory_bytes",
                                         "process_open_fds",
                                         "process_max_fds",
                                         "process_start_time_seconds"};
    char *text = metrics_read(&server);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(series); i++)
        assert_true(metrics_value(text, series[i]) > 0);
    free(text);
}

static void test_promtool(void **state)
{
    char *text, command[512];
    int status;

    (void)state;
    if (system("command -v promtool >/dev/null") != 0) {
        print_message("SKIPPED test_promtool: no promtool here (Debian's package prometheus)\n");
        skip();
    }
    text = metrics_read(&server);
    work_write(work_file("metrics"), text, strlen(text));
    free(text);
    snprintf(command, sizeof command, "promtool check metrics <'%s' >'%s.out' 2>&1",
             work_file("metrics"), work_file("metrics"));
    status = system(command);
    if (status != 0) { /* 3: lint */
        struct blob output = work_read(work_file("metrics.out"));

        fail_msg("promtool: %d\n%.*s", status, (int)output.size, (char *)output.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_of_a_load),
        cmocka_unit_test(test_media_type),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_promtool),
    };

    return cmocka_run_group_tests_name("metrics", tests, setup, teardown);
}
