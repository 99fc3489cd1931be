/* What handlers know of HTTP, without any. */
#include "server/fake_http.h"

#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/http.h"
#include "process/clock.h"

enum { HANG_S = 120, NAME_BYTES = 64, VALUE_BYTES = 512 };

/* Its answer frees it, so that a sanitizer sees who looks at it after that. */
struct exchange {
    struct http_request request; /* first */
    struct fake *fake;
};

static struct fake *fake_of(const struct http_request *request)
{
    return ((const struct exchange *)(const void *)request)->fake;
}

/* ---------------------------------------------------------------- for tests ------------------ */

void fake_init(struct fake *fake, const char *method, const char *path)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    struct http_request *request = &exchange->request;

    assert_non_null(exchange);
    memset(fake, 0, sizeof *fake);
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_cond_init(&fake->answering, NULL);
    exchange->fake = fake;
    request->method = method;
    request->path = path;
    snprintf(request->id, sizeof request->id, "id-1");
    request->first = true;
    request->received_ns = now_ns();
    request->deadline_ns = request->received_ns + 3600 * NS_PER_S;
    request->body = HTTP_BODY_PLAIN;
    request->parts = fake->parts;
    request->parts_n = 1;
    request->fields = fake->fields;
    fake->request = request;
}

void fake_part(struct fake *fake, const void *bytes, size_t size)
{
    struct http_request *request = fake->request;
    size_t n = request->body_bytes == 0 ? 0 : request->parts_n;

    assert_true(n < FAKE_PARTS_MAX);
    fake->parts[n] = (struct http_part){bytes, size};
    request->body = n == 0 ? HTTP_BODY_PLAIN : HTTP_BODY_MULTIPART;
    request->parts_n = n + 1;
    request->body_bytes += size;
}

void fake_field(struct fake *fake, const char *name, const char *value)
{
    struct http_request *request = fake->request;

    assert_true(request->fields_n < FAKE_FIELDS_MAX);
    request->body = HTTP_BODY_MULTIPART;
    fake->fields[request->fields_n++] = (struct http_field){name, value};
}

unsigned fake_wait(struct fake *fake)
{
    struct timespec hang;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &hang);
    hang.tv_sec += HANG_S;
    pthread_mutex_lock(&fake->mutex);
    while (!fake->answered && failed != ETIMEDOUT)
        failed = pthread_cond_timedwait(&fake->answering, &fake->mutex, &hang);
    pthread_mutex_unlock(&fake->mutex);
    if (failed != 0)
        fail_msg("no answer to %s %s", fake->request->method, fake->request->path);
    return fake->left.response.status;
}

bool fake_answered(struct fake *fake)
{
    bool answered;

    pthread_mutex_lock(&fake->mutex);
    answered = fake->answered;
    pthread_mutex_unlock(&fake->mutex);
    return answered;
}

void fake_fini(struct fake *fake)
{
    if (!fake->answered)
        free(fake->request);
    free(fake->left.response.body);
    pthread_cond_destroy(&fake->answering);
    pthread_mutex_destroy(&fake->mutex);
}

/* ---------------------------------------------------------------- for handlers --------------- */

void http_defer(struct http_request *request)
{
    struct fake *fake = fake_of(request);

    pthread_mutex_lock(&fake->mutex);
    fake->deferred = true;
    pthread_mutex_unlock(&fake->mutex);
}

bool http_gone(const struct http_request *request)
{
    return fake_of(request)->gone;
}

void http_inflate(struct http_request *request)
{
    if (fake_of(request)->inflate != NULL)
        fake_of(request)->inflate(request);
}

void http_respond(struct http_request *request)
{
    struct fake *fake = fake_of(request);

    pthread_mutex_lock(&fake->mutex);
    fake->left = *request;
    free(request);
    fake->answered = true;
    pthread_cond_signal(&fake->answering);
    pthread_mutex_unlock(&fake->mutex);
}

const char *http_header(const struct http_request *request, const char *name)
{
    const struct http_header *header = fake_of(request)->headers;

    while (header->name != NULL && strcasecmp(header->name, name) != 0)
        header++;
    return header->value;
}

void http_headers(const struct http_request *request, const char *name,
                  void (*visit)(void *context, const char *value), void *context)
{
    for (const struct http_header *header = fake_of(request)->headers; header->name != NULL;
         header++)
        if (strcasecmp(header->name, name) == 0)
            visit(context, header->value);
}

void http_query(const struct http_request *request,
                bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    const char *at = fake_of(request)->query;
    bool more = at != NULL && at[0] != '\0';

    while (more) {
        char name[NAME_BYTES], value[VALUE_BYTES];
        size_t size = strcspn(at, "&"), name_size = strcspn(at, "=&");

        snprintf(name, sizeof name, "%.*s", (int)name_size, at);
        snprintf(value, sizeof value, "%.*s", (int)(size - name_size), at + name_size);
        more = visit(context, name, value[0] == '=' ? value + 1 : NULL) && at[size] != '\0';
        at += size + (at[size] != '\0');
    }
}

/* ---------------------------------------------------------------- for GET /metrics ----------- */

size_t http_in_flight(struct http *http)
{
    (void)http;
    return 1;
}

void http_get_counts(struct http *http, struct http_counts *counts)
{
    (void)http;
    *counts = (struct http_counts){0};
}
