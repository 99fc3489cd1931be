/* Log lines. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "log_writer.h"

enum { TIME_BYTES = 32, LINE_BYTES = 1024 };

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
    for (char *at = message; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
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

void log_access(const struct http_request *request, unsigned status)
{
    char time[TIME_BYTES], method[16], path[128], line[LINE_BYTES];
    size_t size = 0;
    int length;

    format_time(time);
    if (log_format == LOG_JSON) {
        char *json = json_access(request, time, status, &size);

        put_json(json, size);
        return;
    }
    sanitise(request->method, method, sizeof method);
    sanitise(request->path, path, sizeof path);
    length =
        snprintf(line, sizeof line, "%s %s %s %s %u in=%zu out=%zu ms=%.1f id=%s\n", time,
                 request->client, method, path, status, request->body_bytes, request->response.size,
                 (double)(now_ns() - request->received_ns) / (double)NS_PER_MS, request->id);
    log_writer_put(line, (size_t)length);
}
