/* Log lines. */
#include "ops/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/json.h"
#include "ops/log_writer.h"
#include "ops/metrics.h"
#include "process/clock.h"
#include "text/utf8.h"

enum {
    TIME_BYTES = 32,
    LINE_BYTES = 2048,
    PROBLEM_BYTES = 64 + 2 * HTTP_DETAIL_MAX /* its type, and its detail with every byte escaped */
};

static enum option_log log_format;

void log_init(enum option_log format)
{
    log_format = format;
}

/* UTC, RFC 3339, milliseconds. */
static void format_time(char text[TIME_BYTES])
{
    struct timespec now;
    struct tm utc;
    size_t length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    length = strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, TIME_BYTES - length, ".%03uZ",
             (unsigned)((uint64_t)now.tv_nsec / NS_PER_MS));
}

static void put_json(char *line, size_t size)
{
    log_writer_put(line, size);
    free(line);
}

enum vgg_status log_start(struct vgg_error *error)
{
    return log_writer_start(error);
}

void log_stop(void)
{
    log_writer_stop();
}

uint64_t log_dropped(void)
{
    return log_writer_dropped();
}

void log_event(const char *level, const char *format, ...)
{
    char time[TIME_BYTES], message[LINE_BYTES - 64], line[LINE_BYTES];
    size_t size = 0;
    va_list args;
    int length;

    format_time(time);
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (log_format == LOG_JSON) {
        char *json = json_event(time, level, message, &size);

        put_json(json, size);
        return;
    }
    utf8_clean(message);
    length = snprintf(line, sizeof line, "%s %s %s\n", time, level, message);
    log_writer_put(line, (size_t)length);
}

/* Printable ASCII without spaces, "-" for none; a client must not be able to forge a line. */
static void sanitise(const char *text, char *out, size_t size)
{
    size_t i;

    for (i = 0; text != NULL && text[i] != '\0' && i + 1 < size; i++)
        out[i] = text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
    if (i == 0)
        out[i++] = '-';
    out[i] = '\0';
}

/* ` type=urn:... detail="..."`, or nothing; quotes and backslashes are escaped, as in JSON. */
static void format_problem(const struct http_request *request, char text[PROBLEM_BYTES])
{
    size_t length;

    text[0] = '\0';
    if (request->problem == NULL)
        return;
    length = (size_t)snprintf(text, PROBLEM_BYTES, " type=%s", request->problem);
    if (request->detail[0] == '\0')
        return;
    length += (size_t)snprintf(text + length, PROBLEM_BYTES - length, " detail=\"");
    for (const char *at = request->detail; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            text[length++] = '\\';
        text[length++] = *at >= ' ' && *at <= '~' ? *at : '?';
    }
    memcpy(text + length, "\"", 2);
}

static void put_json_access(const struct http_request *request, unsigned status, const char *time)
{
    const struct http_timing *timing = &request->timing;
    const struct json_access access = {
        .time = time,
        .id = request->id,
        .traceparent = request->traceparent,
        .client = request->client,
        .method = request->method,
        .path = request->path,
        .route = metrics_route_label(request->route),
        .type = request->problem,
        .detail = request->detail,
        .model = request->model_version,
        .status = status,
        .bytes_in = request->body_bytes,
        .bytes_out = request->response.size,
        .queue_ns = timing->queue_ns,
        .decode_ns = timing->decode_ns,
        .rescale_ns = timing->rescale_ns,
        .infer_ns = timing->infer_ns,
        .encode_ns = timing->encode_ns,
        .total_ns = now_ns() - request->received_ns,
    };
    size_t size = 0;
    char *json = json_access(&access, &size);

    put_json(json, size);
}

void log_access(const struct http_request *request, unsigned status)
{
    char time[TIME_BYTES], method[16], path[128], problem[PROBLEM_BYTES], line[LINE_BYTES];
    int length;

    format_time(time);
    if (log_format == LOG_JSON) {
        put_json_access(request, status, time);
        return;
    }
    sanitise(request->method, method, sizeof method);
    sanitise(request->path, path, sizeof path);
    format_problem(request, problem);
    length = snprintf(
        line, sizeof line, "%s %s %s %s %u in=%zu out=%zu ms=%.1f id=%s%s\n", time, request->client,
        method, path, status, request->body_bytes, request->response.size,
        (double)(now_ns() - request->received_ns) / (double)NS_PER_MS, request->id, problem);
    log_writer_put(line, (size_t)length);
}
