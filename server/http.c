/*
 * HTTP by libmicrohttpd (the only file that includes it). Its threads parse requests, collect
 * bodies and send answers; while a request is being worked on its connection is suspended.
 *
 * A response may be queued only at the headers or after the whole body, so every refusal but one
 * reads the body first; a body that grows over its limit or misses its deadline can only be cut.
 */
#include "http.h"

#include <assert.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "body.h"
#include "clock.h"
#include "connections.h"
#include "multipart.h"

enum {
    NETWORK_THREADS = 2,
    ID_BYTES = 8 /* random bytes of a request id we make */
};

static const char no_memory_body[] =
    "{\"type\":\"urn:vgg:problem:out-of-memory\",\"title\":\"Out of "
    "memory\",\"status\":503,\"detail\":\"out of memory\"}\n";

struct http {
    struct http_options options;
    struct MHD_Daemon *daemons[2]; /* main, admin */
    struct connections *connections;
    struct MHD_Response *no_memory;
    struct body_budget bodies;
};

/* What we keep of a connection. */
struct peer {
    struct connection_watch *watch;
    bool admin;
    size_t requests;
};

enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_HANDLED };

/* A request and its body while it grows. */
struct exchange {
    struct http_request request; /* first: the public part */
    struct http *http;
    struct MHD_Connection *mhd;
    struct peer *peer;
    enum phase phase;
    bool deferred;
    bool zero_in_path; /* "%00", which would cut the decoded path short */
    unsigned status;
    struct body body;
    struct http_part *parts; /* once the body is whole */
};

static struct exchange *exchange_of(struct http_request *request)
{
    return (struct exchange *)(void *)request;
}

/* ---------------------------------------------------------------- body ----------------------- */

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

static bool has_prefix(const char *text, const char *prefix)
{
    return text != NULL && strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* One piece as it came from the network. False: over the limit, cut the connection. */
static bool receive_body(struct exchange *exchange, const char *data, size_t size)
{
    exchange->request.body_bytes += size;
    if (exchange->request.body_bytes > exchange->http->options.body_max)
        return false;
    body_append(&exchange->body, data, size);
    return true;
}

/* Split the body into the files of its media type. */
static void split_body(struct exchange *exchange, const char *type)
{
    struct http_request *request = &exchange->request;
    const struct body *body = &exchange->body;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];

    request->body = HTTP_BODY_BAD;
    if (!has_prefix(type, "multipart/form-data"))
        request->body_error = "of the multipart types only multipart/form-data is read";
    else if (!multipart_boundary(type, boundary))
        request->body_error = "the Content-Type names no usable boundary";
    else
        request->body = multipart_parse(body->bytes, body->size, boundary, exchange->parts,
                                        exchange->http->options.images_max, &request->parts_n,
                                        &request->body_error);
    if (request->body != HTTP_BODY_MULTIPART)
        request->parts_n = 0;
}

static void end_body(struct exchange *exchange)
{
    const char *type = header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct http_request *request = &exchange->request;
    const struct body *body = &exchange->body;

    exchange->parts = calloc(exchange->http->options.images_max, sizeof *exchange->parts);
    request->parts = exchange->parts;
    if (body->starved || exchange->parts == NULL)
        request->body = HTTP_BODY_NO_MEMORY;
    else if (has_prefix(type, "multipart/"))
        split_body(exchange, type);
    else {
        request->body = HTTP_BODY_PLAIN;
        request->parts_n = 1;
        exchange->parts[0] = (struct http_part){body->bytes, body->size};
    }
}

/* ---------------------------------------------------------------- request headers ------------ */

static bool valid_id(const char *id)
{
    size_t length = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return length >= 1 && length <= HTTP_ID_MAX && id[length] == '\0';
}

static void make_id(char *id)
{
    unsigned char bytes[ID_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        memset(bytes, 0, sizeof bytes); /* cannot happen once the kernel has booted */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

/* 00-<32 hex>-<16 hex>-<2 hex>, neither id all zero. */
static bool valid_traceparent(const char *text)
{
    static const char form[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    if (strlen(text) != HTTP_TRACEPARENT_MAX)
        return false;
    for (size_t i = 0; i < HTTP_TRACEPARENT_MAX; i++)
        if (form[i] == 'x' ? strchr("0123456789abcdef", text[i]) == NULL : text[i] != form[i])
            return false;
    return strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}

static void read_headers(struct exchange *exchange)
{
    struct http_request *request = &exchange->request;
    const char *id = header(exchange, "X-Request-Id");
    const char *traceparent = header(exchange, "traceparent");

    if (id != NULL && valid_id(id))
        snprintf(request->id, sizeof request->id, "%s", id);
    else
        make_id(request->id);
    if (traceparent != NULL && valid_traceparent(traceparent))
        snprintf(request->traceparent, sizeof request->traceparent, "%s", traceparent);
    request->authorization = header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
}

static bool declared_too_large(const struct exchange *exchange)
{
    const char *length = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length != NULL && strtoull(length, NULL, 10) > exchange->http->options.body_max;
}

/* ---------------------------------------------------------------- answers -------------------- */

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return value == NULL || value[0] == '\0' ||
           MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(struct exchange *exchange, struct MHD_Response *response)
{
    const struct http_response *answer = &exchange->request.response;
    const struct http_handler *handler = &exchange->http->options.handler;
    char retry_after[16] = "";

    if (answer->retry_after_s != 0)
        snprintf(retry_after, sizeof retry_after, "%u", answer->retry_after_s);
    return add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type) &&
           add_header(response, "X-Request-Id", exchange->request.id) &&
           add_header(response, "X-Content-Type-Options", "nosniff") &&
           add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
           add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after) &&
           add_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) &&
           add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                      answer->authenticate ? "Bearer realm=\"vgg\"" : NULL) &&
           add_header(response, MHD_HTTP_HEADER_CONNECTION,
                      handler->closing(handler->app) ? "close" : NULL);
}

/* The answer as libmicrohttpd wants it; NULL when out of memory. Consumes the body. */
static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct http_response *answer = &exchange->request.response;
    struct MHD_Response *response;

    if (answer->body == NULL)
        return NULL;
    response = MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(answer->body);
    answer->body = NULL;
    if (response != NULL && !add_headers(exchange, response)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct MHD_Response *response = make_response(exchange);
    enum MHD_Result queued;

    watch_expect(exchange->peer->watch, false);
    watch_set(exchange->peer->watch, now_ns() + exchange->http->options.idle_ns, true);
    exchange->status = response != NULL ? exchange->request.response.status : 503;
    if (response == NULL)
        return MHD_queue_response(exchange->mhd, 503, exchange->http->no_memory);
    queued = MHD_queue_response(exchange->mhd, exchange->status, response);
    MHD_destroy_response(response);
    return queued;
}

void http_defer(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    assert(!exchange->deferred);
    exchange->deferred = true;
    watch_expect(exchange->peer->watch, false);
    watch_set(exchange->peer->watch, 0, true);
    MHD_suspend_connection(exchange->mhd);
}

void http_respond(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    if (exchange->deferred)
        MHD_resume_connection(exchange->mhd);
}

/* ---------------------------------------------------------------- libmicrohttpd's calls ------ */

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state)
{
    struct exchange *exchange = *state;
    struct http *http = context;
    const struct http_handler *handler = &http->options.handler;

    (void)version;
    if (exchange == NULL) /* there was no memory for it */
        return *size == 0 ? MHD_queue_response(mhd, 503, http->no_memory) : MHD_NO;
    switch (exchange->phase) {
    case PHASE_HEADERS:
        exchange->phase = PHASE_BODY;
        exchange->request.method = method;
        exchange->request.path = exchange->zero_in_path ? "/%00" : url;
        read_headers(exchange);
        if (declared_too_large(exchange)) {
            exchange->phase = PHASE_HANDLED;
            handler->refuse(handler->app, &exchange->request);
            return send_answer(exchange);
        }
        body_init(&exchange->body, &http->bodies);
        return MHD_YES;
    case PHASE_BODY:
        if (*size != 0) {
            bool within = receive_body(exchange, data, *size);

            *size = 0;
            return within ? MHD_YES : MHD_NO;
        }
        exchange->phase = PHASE_HANDLED;
        end_body(exchange);
        handler->handle(handler->app, &exchange->request);
        return exchange->deferred ? MHD_YES : send_answer(exchange);
    case PHASE_HANDLED:
        return send_answer(exchange); /* resumed */
    }
    return MHD_NO;
}

/* The request line has arrived. */
static void *on_request(void *context, const char *uri, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info != NULL ? info->socket_context : NULL;
    struct http *http = context;
    struct exchange *exchange;

    if (peer == NULL || (exchange = calloc(1, sizeof *exchange)) == NULL)
        return NULL;
    exchange->http = http;
    exchange->mhd = mhd;
    exchange->peer = peer;
    exchange->zero_in_path = memmem(uri, strcspn(uri, "?"), "%00", 3) != NULL;
    exchange->request.admin = peer->admin;
    exchange->request.first = peer->requests++ == 0;
    exchange->request.received_ns = now_ns();
    exchange->request.deadline_ns = exchange->request.received_ns + http->options.deadline_ns;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        (void)getnameinfo(info->client_addr,
                          info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                   : sizeof(struct sockaddr_in),
                          exchange->request.client, sizeof exchange->request.client, NULL, 0,
                          NI_NUMERICHOST);
    watch_set(peer->watch, exchange->request.deadline_ns, true);
    return exchange;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    struct http *http = context;
    const struct http_handler *handler = &http->options.handler;

    (void)mhd;
    if (exchange == NULL)
        return;
    *state = NULL;
    handler->done(handler->app, &exchange->request,
                  code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? exchange->status : 0,
                  exchange->phase != PHASE_HANDLED);
    watch_set(exchange->peer->watch, now_ns() + http->options.idle_ns, false);
    watch_expect(exchange->peer->watch, true);
    free(exchange->parts);
    body_fini(&exchange->body);
    free(exchange->request.response.body);
    free(exchange);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    const union MHD_ConnectionInfo *info;
    struct peer *peer;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        peer = *state;
        if (peer != NULL)
            watch_remove(peer->watch);
        free(peer);
        *state = NULL;
        return;
    }
    peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON);
    peer->admin = info != NULL && info->daemon == http->daemons[1];
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer->watch = watch_add(http->connections, info->connect_fd, now_ns() + http->options.idle_ns);
    if (peer->watch == NULL) {
        free(peer);
        return;
    }
    *state = peer;
}

static void on_log(void *context, const char *format, va_list args)
{
    (void)context, (void)format, (void)args; /* what matters shows in the access log */
}

/* ---------------------------------------------------------------- the daemons ---------------- */

static struct MHD_Daemon *start_daemon(struct http *http, unsigned threads)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_request, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_LIMIT,
        http->options.connections_max, threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
        threads, MHD_OPTION_END);
}

enum vgg_status http_create(const struct http_options *options, struct http **out,
                            struct vgg_error *error)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        goto fail;
    http->options = *options;
    http->bodies.max = options->body_total_max;
    if (connections_create(&http->connections, error) != VGG_OK)
        goto fail;
    http->no_memory = MHD_create_response_from_buffer(
        sizeof no_memory_body - 1, (void *)(uintptr_t)no_memory_body, MHD_RESPMEM_PERSISTENT);
    if (http->no_memory == NULL ||
        !add_header(http->no_memory, MHD_HTTP_HEADER_CONTENT_TYPE, "application/problem+json") ||
        !add_header(http->no_memory, MHD_HTTP_HEADER_RETRY_AFTER, "1"))
        goto fail;
    http->daemons[0] = start_daemon(http, NETWORK_THREADS);
    http->daemons[1] = start_daemon(http, 1);
    if (http->daemons[0] == NULL || http->daemons[1] == NULL)
        goto fail;
    *out = http;
    return VGG_OK;
fail:
    http_destroy(http);
    return vgg_fail(error, VGG_NO_MEMORY, "cannot start the network threads");
}

void http_add_connection(struct http *http, bool admin, int fd, const void *address,
                         unsigned address_size)
{
    /* On failure libmicrohttpd has closed the socket. */
    (void)MHD_add_connection(http->daemons[admin], fd, address, (socklen_t)address_size);
}

size_t http_in_flight(struct http *http)
{
    return connections_busy(http->connections);
}

void http_destroy(struct http *http)
{
    if (http == NULL)
        return;
    for (size_t i = 0; i < 2; i++)
        if (http->daemons[i] != NULL)
            MHD_stop_daemon(http->daemons[i]);
    if (http->no_memory != NULL)
        MHD_destroy_response(http->no_memory);
    connections_destroy(http->connections);
    free(http);
}

/* ---------------------------------------------------------------- query ---------------------- */

struct query_visit {
    bool (*visit)(void *context, const char *name, const char *value);
    void *context;
};

static enum MHD_Result on_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    const struct query_visit *query = context;
    /* "%00" ends a C string early: such a parameter is none that anybody knows. */
    bool whole = strlen(name) == name_size && (value == NULL || strlen(value) == value_size);

    (void)kind;
    return query->visit(query->context, whole ? name : "\\0", value) ? MHD_YES : MHD_NO;
}

void http_query(const struct http_request *request,
                bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    struct query_visit query = {visit, context};
    const struct exchange *exchange = (const struct exchange *)(const void *)request;

    (void)MHD_get_connection_values_n(exchange->mhd, MHD_GET_ARGUMENT_KIND, on_argument, &query);
}
