/* Counters and histograms under one mutex, and their text format (version 0.0.4). */
#include "ops/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "ops/metrics_process.h"
#include "process/clock.h"
#include "text/text.h"

#define LABEL(name, label) label,

static const char *const route_labels[] = {METRICS_ROUTES(LABEL)};
static const char *const stage_labels[] = {METRICS_STAGES(LABEL)};
static const char *const shed_labels[] = {METRICS_SHED(LABEL)};
static const char *const cancelled_labels[] = {METRICS_CANCELLED(LABEL)};

static const char *const refused_labels[] = {HTTP_REFUSED(LABEL)};
static const char *const cut_labels[] = {CONNECTION_CUTS(LABEL)};
static const char *const result_labels[] = {"failed", "ok"};
/* Of durations: a refusal is quick, and would make those who were answered seem so. */
static const char *const class_labels[] = {"2xx", "3xx", "4xx", "5xx"};

static const unsigned codes[] = {200, 204, 304, 400, 401, 403, 404, 405, 409, 413,
                                 414, 415, 417, 422, 431, 500, 501, 503, 504, 505};

/* Upper bounds: milliseconds of a narrow network to half a minute of a panorama. */
static const double second_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                       0.25,  0.5,    1,     2.5,  5,     10,   30};
static const double view_bounds[] = {1, 2, 4, 8, 16};

/* The last code counts all others, which only libmicrohttpd answers, so that sums are right. */
enum {
    CODES_N = sizeof codes / sizeof *codes + 1,
    CLASSES_N = sizeof class_labels / sizeof *class_labels,
    BOUNDS_MAX = 14
};

struct histogram {
    uint64_t buckets[BOUNDS_MAX + 1]; /* not cumulative; the last is +Inf */
    double sum;
};

struct metrics {
    pthread_mutex_t mutex;
    double start_s; /* Unix time */
    uint64_t requests[METRICS_ROUTES_N][CODES_N];
    struct histogram durations[METRICS_ROUTES_N][CLASSES_N];
    struct histogram stages[METRICS_STAGES_N];
    uint64_t shed[METRICS_SHED_N];
    uint64_t cancelled[METRICS_CANCELLED_N];
    struct histogram batches;
    uint64_t typicalities[2]; /* of unknown pictures, of known ones */
};

const char *metrics_route_label(enum metrics_route route)
{
    return route_labels[route];
}

/* ---------------------------------------------------------------- counting ------------------- */

struct metrics *metrics_create(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    struct timespec now;

    if (metrics == NULL)
        return NULL;
    pthread_mutex_init(&metrics->mutex, NULL);
    clock_gettime(CLOCK_REALTIME, &now);
    metrics->start_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

/* Needs the mutex. */
static void observe(struct histogram *histogram, const double *bounds, size_t n, double value)
{
    size_t bucket = 0;

    while (bucket < n && value > bounds[bucket])
        bucket++;
    histogram->buckets[bucket]++;
    histogram->sum += value;
}

static void observe_ns(struct histogram *histogram, uint64_t ns)
{
    observe(histogram, second_bounds, sizeof second_bounds / sizeof *second_bounds,
            (double)ns / (double)NS_PER_S);
}

void metrics_request(struct metrics *metrics, enum metrics_route route, unsigned code,
                     uint64_t duration_ns)
{
    size_t i = 0, class = code < 200 || code > 599 ? CLASSES_N - 1 : code / 100 - 2;

    while (i + 1 < CODES_N && codes[i] != code)
        i++;
    pthread_mutex_lock(&metrics->mutex);
    metrics->requests[route][i]++;
    observe_ns(&metrics->durations[route][class], duration_ns);
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_stage(struct metrics *metrics, enum metrics_stage stage, uint64_t duration_ns)
{
    pthread_mutex_lock(&metrics->mutex);
    observe_ns(&metrics->stages[stage], duration_ns);
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_shed(struct metrics *metrics, enum metrics_shed reason)
{
    pthread_mutex_lock(&metrics->mutex);
    metrics->shed[reason]++;
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_cancelled(struct metrics *metrics, enum metrics_cancelled stage)
{
    pthread_mutex_lock(&metrics->mutex);
    metrics->cancelled[stage]++;
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_batch(struct metrics *metrics, size_t views)
{
    pthread_mutex_lock(&metrics->mutex);
    observe(&metrics->batches, view_bounds, sizeof view_bounds / sizeof *view_bounds,
            (double)views);
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_typicality(struct metrics *metrics, bool known)
{
    pthread_mutex_lock(&metrics->mutex);
    metrics->typicalities[known]++;
    pthread_mutex_unlock(&metrics->mutex);
}

/* ---------------------------------------------------------------- text format ---------------- */

static void print_family(struct text *out, const char *name, const char *type, const char *help)
{
    text_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_gauge(struct text *out, const char *name, const char *help, double value)
{
    print_family(out, name, "gauge", help);
    text_print(out, "%s %.10g\n", name, value);
}

static void print_counter(struct text *out, const char *name, const char *help, uint64_t value)
{
    print_family(out, name, "counter", help);
    text_print(out, "%s %" PRIu64 "\n", name, value);
}

/* `label` is `stage="infer"` or "". */
static void print_histogram(struct text *out, const char *name, const char *label,
                            const struct histogram *histogram, const double *bounds, size_t n)
{
    const char *comma = label[0] != '\0' ? "," : "";
    const char *open = label[0] != '\0' ? "{" : "", *close = label[0] != '\0' ? "}" : "";
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++) {
        count += histogram->buckets[i];
        text_print(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, label, comma, bounds[i],
                   count);
    }
    count += histogram->buckets[n];
    text_print(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, count);
    text_print(out, "%s_sum%s%s%s %.10g\n", name, open, label, close, histogram->sum);
    text_print(out, "%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, count);
}

static void print_stages(struct text *out, const struct histogram *stages)
{
    static const char name[] = "vgg_stage_duration_seconds";

    print_family(out, name, "histogram", "Stages of one classification.");
    for (size_t i = 0; i < METRICS_STAGES_N; i++) {
        char label[48];

        snprintf(label, sizeof label, "stage=\"%s\"", stage_labels[i]);
        print_histogram(out, name, label, &stages[i], second_bounds,
                        sizeof second_bounds / sizeof *second_bounds);
    }
}

/* The last one that is printed is ROUTE_OTHER. */
static size_t nth_route(size_t n)
{
    return (n + 1) % METRICS_ROUTES_N;
}

static void print_durations(struct text *out, const struct metrics *metrics)
{
    static const char name[] = "vgg_http_request_duration_seconds";

    print_family(out, name, "histogram",
                 "From the request line to the end of the answer, by its class of status.");
    for (size_t n = 0; n < METRICS_ROUTES_N; n++)
        for (size_t i = 0; i < CLASSES_N; i++) {
            size_t route = nth_route(n);
            char label[80];

            snprintf(label, sizeof label, "route=\"%s\",code=\"%s\"", route_labels[route],
                     class_labels[i]);
            print_histogram(out, name, label, &metrics->durations[route][i], second_bounds,
                            sizeof second_bounds / sizeof *second_bounds);
        }
}

static void print_counters(struct text *out, const char *name, const char *key,
                           const char *const *labels, const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_print(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, key, labels[i], values[i]);
}

static void print_counted(struct text *out, const struct metrics *metrics)
{
    print_family(out, "vgg_http_requests_total", "counter", "Answers sent, by route and status.");
    for (size_t n = 0; n < METRICS_ROUTES_N; n++)
        for (size_t i = 0; i < CODES_N; i++) {
            size_t route = nth_route(n);
            char code[16] = "other";

            if (i + 1 < CODES_N)
                snprintf(code, sizeof code, "%u", codes[i]);
            text_print(out, "vgg_http_requests_total{route=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                       route_labels[route], code, metrics->requests[route][i]);
        }
    print_durations(out, metrics);
    print_stages(out, metrics->stages);
    print_family(out, "vgg_requests_shed_total", "counter", "Requests refused with 503.");
    print_counters(out, "vgg_requests_shed_total", "reason", shed_labels, metrics->shed,
                   METRICS_SHED_N);
    print_family(out, "vgg_requests_cancelled_total", "counter",
                 "Requests whose connection ended before their answer was sent, by what was under "
                 "way.");
    print_counters(out, "vgg_requests_cancelled_total", "stage", cancelled_labels,
                   metrics->cancelled, METRICS_CANCELLED_N);
    print_family(out, "vgg_batch_views", "histogram", "Views that shared a pass over the weights.");
    print_histogram(out, "vgg_batch_views", "", &metrics->batches, view_bounds,
                    sizeof view_bounds / sizeof *view_bounds);
    print_counter(out, "vgg_typicality_answers_total",
                  "Pictures answered with a typicality, known and unknown.",
                  metrics->typicalities[true] + metrics->typicalities[false]);
    print_counter(out, "vgg_unknown_answers_total",
                  "Pictures answered that are unknown: their typicality is below the reject level.",
                  metrics->typicalities[false]);
}

/* A label's value, escaped. */
static void print_escaped(struct text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            text_print(out, "\\n");
        else
            text_print(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

static void print_gauges(struct text *out, const struct metrics_gauges *gauges)
{
    print_gauge(out, "vgg_requests_in_flight", "Requests begun and not finished.",
                (double)gauges->in_flight);
    print_gauge(out, "vgg_queue_depth", "Admitted requests of which nothing is computed yet.",
                (double)gauges->queue_depth);
    print_gauge(out, "vgg_queue_cost_seconds", "Predicted work admitted and not done yet.",
                gauges->queue_cost_s);
    print_family(out, "vgg_model_info", "gauge", "The model that serves.");
    text_print(out, "vgg_model_info{name=\"");
    print_escaped(out, gauges->model->name);
    text_print(out, "\",arch=\"%s\",version=\"%s\",precision=\"%s\"} 1\n", gauges->model->arch,
               gauges->model->version, gauges->model->precision);
    print_gauge(out, "vgg_model_load_seconds", "Time to load the model that serves.",
                gauges->model_load_s);
    print_family(out, "vgg_model_reloads_total", "counter", "Reloads and rollbacks of the model.");
    print_counters(out, "vgg_model_reloads_total", "result", result_labels, gauges->model_reloads,
                   2);
    print_family(out, "vgg_build_info", "gauge", "This program.");
    text_print(out, "vgg_build_info{version=\"" VGG_VERSION "\",kernel=\"%s\",threads=\"%u\"} 1\n",
               gauges->model->kernel, gauges->threads);
}

static void print_network(struct text *out, const struct metrics_gauges *gauges)
{
    print_counter(out, "vgg_connections_accepted_total", "Connections accepted.",
                  gauges->http->accepted);
    print_gauge(out, "vgg_connections_open", "Connections of clients and operators.",
                (double)gauges->http->open);
    print_family(out, "vgg_connections_refused_total", "counter",
                 "Connections closed as soon as they were accepted.");
    print_counters(out, "vgg_connections_refused_total", "reason", refused_labels,
                   gauges->http->refused, HTTP_REFUSED_N);
    print_family(out, "vgg_connections_cut_total", "counter",
                 "Connections ended by the server for being late or malformed.");
    print_counters(out, "vgg_connections_cut_total", "reason", cut_labels, gauges->http->cut,
                   CONNECTION_CUTS_N);
    print_gauge(out, "vgg_tls_certificate_expiry_seconds",
                "End of the certificate's validity in Unix time; 0 without TLS.",
                gauges->tls_until_s);
    print_family(out, "vgg_secrets_reloads_total", "counter",
                 "Reloads of the TLS files and tokens.");
    print_counters(out, "vgg_secrets_reloads_total", "result", result_labels,
                   gauges->secrets_reloads, 2);
    print_counter(out, "vgg_log_lines_dropped_total",
                  "Log lines lost because nobody read them in time or the disk is full.",
                  gauges->log_lines_dropped);
}

/* ---------------------------------------------------------------- all of it ------------------ */

char *metrics_render(struct metrics *metrics, const struct metrics_gauges *gauges, size_t *size)
{
    struct metrics *copy = malloc(sizeof *copy);
    struct text out = {0};

    if (copy == NULL)
        return NULL;
    pthread_mutex_lock(&metrics->mutex);
    memcpy(copy, metrics, sizeof *copy);
    pthread_mutex_unlock(&metrics->mutex);
    print_counted(&out, copy);
    print_gauges(&out, gauges);
    print_network(&out, gauges);
    metrics_print_process(&out, copy->start_s);
    free(copy);
    return text_take(&out, size);
}
