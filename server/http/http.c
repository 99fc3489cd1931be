/*
 * HTTP by libmicrohttpd (the only file that includes it). Its threads parse requests,
 * collect bodies and send answers; while a request is being worked on its connection is suspended.
 *
 * A response may be queued only at the headers or after the whole body. At the headers it ends the
 * connection, so a refusal reads a short body first and does not wait for a long one; a body that
 * grows over its limit or misses its deadline can only be cut.
 */
#include "http/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "http/content.h"
#include "http/peers.h"
#include "http/request_id.h"
#include "http/response.h"
#include "process/clock.h"

enum {
    NETWORK_THREADS = 2,
    /* Connections that libmicrohttpd may hold while we have yet to refuse them. */
    SURPLUS_CONNECTIONS = 1024,
    /* A refused body that is read, so that its connection stays. */
    SHORT_BODY_BYTES = 64 << 10,
    /*
     * Of a connection's memory beside the bytes of its headers: 64 for each of them and each
     * parameter of the query, and the answer's headers.
     */
    POOL_BYTES = 16 << 10
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemons[2]; /* main, admin */
    struct peers *peers;
    struct MHD_Response *no_memory; /* when there is none even for a small answer */
    struct http_request nobody;     /* whose answer it is */
    struct body_budget bodies;
};

enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_WHOLE, PHASE_HANDLED };

/* A request and its body while it grows. */
struct exchange {
    struct http_request request; /* first: the public part */
    struct http *http;
    struct MHD_Connection *mhd;
    struct peer *peer;
    enum phase phase;
    bool deferred;
    atomic_bool gone;  /* the client of a deferred request */
    bool zero_in_path; /* "%00", which would cut the decoded path short */
    bool refused;      /* its answer is set; the body is read and dropped */
    unsigned status;
    struct content content;
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

/* One piece as it came from the network. False: over the limit, cut the connection. */
static bool receive_body(struct exchange *exchange, const char *data, size_t size)
{
    exchange->request.body_bytes += size;
    if (exchange->request.body_bytes > exchange->http->options.body_max)
        return false;
    if (!exchange->refused)
        body_append(&exchange->content.body, data, size);
    return true;
}

/* Is nobody waiting for its end any more? */
static bool is_moot(void *user)
{
    const struct exchange *exchange = user;

    return exchange->gone || now_ns() >= exchange->request.deadline_ns;
}

void http_inflate(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    content_inflate(&exchange->content, request, exchange->http->options.body_max, is_moot,
                    exchange);
}

/* ---------------------------------------------------------------- request headers ------------ */

/* A client may wait for less than the server's deadline, not for more. */
static void read_timeout(struct http_request *request, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long long ms = strtoull(text, NULL, 10);

    request->timeout_invalid = digits == 0 || text[digits] != '\0' || ms == 0;
    if (!request->timeout_invalid && ms < (request->deadline_ns - request->received_ns) / NS_PER_MS)
        request->deadline_ns = request->received_ns + ms * NS_PER_MS;
}

static void add_coding(void *coding, const char *list)
{
    coding_add(coding, list);
}

static void read_headers(struct exchange *exchange)
{
    struct http_request *request = &exchange->request;
    const char *id = header(exchange, "X-Request-Id");
    const char *traceparent = header(exchange, "traceparent");
    const char *timeout = header(exchange, "X-Request-Timeout-Ms");

    if (id != NULL && request_id_valid(id))
        snprintf(request->id, sizeof request->id, "%s", id);
    else
        request_id_make(request->id);
    if (traceparent != NULL && traceparent_valid(traceparent))
        snprintf(request->traceparent, sizeof request->traceparent, "%s", traceparent);
    if (timeout != NULL)
        read_timeout(request, timeout);
    request->authorization = header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    request->origin = header(exchange, MHD_HTTP_HEADER_ORIGIN);
    request->if_none_match = header(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH);
    request->content_type = header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    http_headers(request, MHD_HTTP_HEADER_CONTENT_ENCODING, add_coding, &request->coding);
}

static enum http_refusal refusal_of(const struct exchange *exchange)
{
    const char *length = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);

    if (peer_fault(exchange->peer) != NULL)
        return HTTP_MALFORMED;
    if (length != NULL && strtoull(length, NULL, 10) > exchange->http->options.body_max)
        return HTTP_BODY_TOO_LARGE;
    return HTTP_ACCEPTED;
}

/* Is a body short enough, and on its way? */
static bool is_short(const struct exchange *exchange)
{
    const char *length = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return header(exchange, MHD_HTTP_HEADER_EXPECT) == NULL &&
           header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING) == NULL &&
           (length == NULL || strtoull(length, NULL, 10) <= SHORT_BODY_BYTES);
}

/* ---------------------------------------------------------------- answers -------------------- */

static bool add_header(void *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* The answer as libmicrohttpd wants it; NULL when out of memory. Consumes the body. */
static struct MHD_Response *make_response(struct exchange *exchange)
{
    const struct http_handler *handler = &exchange->http->options.handler;
    bool closing = handler->closing(handler->app) || peer_ends(exchange->peer);
    struct http_response *answer = &exchange->request.response;
    struct MHD_Response *response;

    if (answer->body == NULL)
        return NULL;
    response = MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(answer->body);
    answer->body = NULL;
    if (response != NULL && !response_headers(&exchange->request, closing, add_header, response)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* The small 503 for want of memory; NULL when there is none for that either. */
static struct MHD_Response *make_no_memory(const struct http_handler *handler,
                                           struct http_request *request)
{
    char body[HTTP_NO_MEMORY_BYTES], retry_after[16];
    size_t size = handler->no_memory(handler->app, request, body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_COPY);

    snprintf(retry_after, sizeof retry_after, "%u", request->response.retry_after_s);
    if (response == NULL ||
        (add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->response.type) &&
         add_header(response, "X-Request-Id", request->id) &&
         add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after)))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct MHD_Response *response = make_response(exchange);
    struct http *http = exchange->http;
    enum MHD_Result queued;

    watch_expect(exchange->peer->watch, false);
    watch_phase(exchange->peer->watch, CUT_ANSWER);
    watch_set(exchange->peer->watch, now_ns() + http->options.limits.idle_ns, true);
    exchange->status = response != NULL ? exchange->request.response.status : 503;
    if (response == NULL)
        response = make_no_memory(&http->options.handler, &exchange->request);
    if (response == NULL) {
        memcpy(exchange->request.id, http->nobody.id, sizeof http->nobody.id);
        return MHD_queue_response(exchange->mhd, 503, http->no_memory);
    }
    queued = MHD_queue_response(exchange->mhd, exchange->status, response);
    MHD_destroy_response(response);
    return queued;
}

void http_defer(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    if (exchange->deferred)
        return;
    exchange->deferred = true;
    watch_expect(exchange->peer->watch, false);
    watch_set(exchange->peer->watch, 0, true);
    watch_await(exchange->peer->watch, &exchange->gone);
    MHD_suspend_connection(exchange->mhd);
}

void http_respond(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    if (!exchange->deferred)
        return;
    /* First: once resumed, the connection may end and its descriptor be another's. */
    watch_await(exchange->peer->watch, NULL);
    MHD_resume_connection(exchange->mhd);
}

bool http_gone(const struct http_request *request)
{
    return ((const struct exchange *)(const void *)request)->gone;
}

/* ---------------------------------------------------------------- libmicrohttpd's calls ------ */

/*
 * A connection that is suspended in the call that follows a read is read from again as soon as it
 * is resumed; and then libmicrohttpd 0.9.75 takes a client that sends no more for one that has
 * gone, before its answer can be queued. From the next call on, it reads only after the answer.
 * (By poll, as for TLS, there would be no next call.)
 */
static bool call_again(const struct exchange *exchange)
{
    return exchange->request.body_bytes != 0 &&
           (exchange->request.admin || exchange->http->options.tls == NULL);
}

/* What is set already, though its client may be sending still. */
static enum MHD_Result send_early(struct exchange *exchange)
{
    exchange->phase = PHASE_HANDLED;
    exchange->peer->linger = true;
    return send_answer(exchange);
}

/* Answer without the body, or without more of it. */
static enum MHD_Result refuse(struct exchange *exchange, enum http_refusal why)
{
    const struct http_handler *handler = &exchange->http->options.handler;
    const struct gate_fault *fault = peer_fault(exchange->peer);

    if (fault != NULL) {
        peers_count_cut(exchange->http->peers, CUT_MALFORMED);
        exchange->request.fault = &fault->why;
    }
    if (fault != NULL && fault->method != NULL) { /* it came with a head of the gate's */
        exchange->request.method = fault->method;
        exchange->request.path = fault->path;
    }
    handler->refuse(handler->app, &exchange->request, why);
    return send_early(exchange);
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state)
{
    struct exchange *exchange = *state;
    struct http *http = context;
    const struct http_handler *handler = &http->options.handler;
    enum http_refusal refusal;

    (void)version;
    if (exchange == NULL) /* there was no memory for it */
        return *size == 0 ? MHD_queue_response(mhd, 503, http->no_memory) : MHD_NO;
    switch (exchange->phase) {
    case PHASE_HEADERS:
        exchange->phase = PHASE_BODY;
        exchange->request.method = method;
        exchange->request.path = exchange->zero_in_path ? "/%00" : url;
        read_headers(exchange);
        refusal = refusal_of(exchange);
        if (refusal != HTTP_ACCEPTED)
            return refuse(exchange, refusal);
        exchange->refused = !handler->admit(handler->app, &exchange->request);
        if (exchange->refused && !is_short(exchange))
            return send_early(exchange);
        watch_phase(exchange->peer->watch, CUT_BODY);
        watch_set(exchange->peer->watch, exchange->request.deadline_ns, true);
        content_init(&exchange->content, &http->bodies);
        return MHD_YES;
    case PHASE_BODY:
        if (*size != 0) {
            bool within = receive_body(exchange, data, *size);

            *size = 0;
            return within ? MHD_YES : MHD_NO;
        }
        exchange->phase = PHASE_WHOLE;
        if (call_again(exchange))
            return MHD_YES;
        /* fall through */
    case PHASE_WHOLE:
        if (!exchange->refused && peer_fault(exchange->peer) != NULL)
            return refuse(exchange, HTTP_MALFORMED);
        exchange->phase = PHASE_HANDLED;
        if (exchange->refused)
            return send_answer(exchange);
        content_end(&exchange->content, &exchange->request, http->options.images_max);
        handler->handle(handler->app, &exchange->request);
        return exchange->deferred ? MHD_YES : send_answer(exchange);
    case PHASE_HANDLED:
        return exchange->gone ? MHD_NO : send_answer(exchange); /* resumed */
    }
    return MHD_NO;
}

/* The head has arrived, of which libmicrohttpd has read the request line. */
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
    exchange->request.first = peer->requests == 0;
    exchange->request.received_ns = peer_begin(peer);
    exchange->request.deadline_ns =
        exchange->request.received_ns + http->options.limits.deadline_ns;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        (void)getnameinfo(info->client_addr,
                          info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                   : sizeof(struct sockaddr_in),
                          exchange->request.client, sizeof exchange->request.client, NULL, 0,
                          NI_NUMERICHOST);
    return exchange;
}

/* The status of an answer by libmicrohttpd itself, 0 where there is none. */
static unsigned foreign_status(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info = NULL;

    if (exchange->phase != PHASE_HANDLED)
        info = MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    return info != NULL ? info->http_status : 0;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    struct http *http = context;
    const struct http_handler *handler = &http->options.handler;
    unsigned status;

    (void)mhd;
    if (exchange == NULL)
        return;
    *state = NULL;
    status = foreign_status(exchange);
    if (status != 0)
        exchange->peer->linger = true;
    else if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        status = exchange->status;
    handler->done(handler->app, &exchange->request, status, exchange->phase != PHASE_HANDLED);
    peer_end(exchange->peer);
    content_fini(&exchange->content);
    free(exchange->request.response.body);
    free(exchange);
}

static int socket_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* The session of the main listener's connections, where they are TLS; else NULL. */
static void *session_of(struct http *http, struct MHD_Connection *mhd, bool admin)
{
    return admin || http->options.tls == NULL
               ? NULL
               : MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
}

static struct peer *begin_connection(struct http *http, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON);
    bool admin = info != NULL && info->daemon == http->daemons[1];
    void *session = session_of(http, mhd, admin);
    struct peer *peer;

    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    peer = peer_create(http->peers, admin, socket_of(mhd), info->client_addr, session);
    if (peer == NULL) /* libmicrohttpd sees its end; what came already finds no peer */
        shutdown(socket_of(mhd), SHUT_RDWR);
    if (session != NULL)
        tls_session_init(peer != NULL ? &peer->tls : NULL, http->options.tls, session);
    return peer;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *state = begin_connection(context, mhd);
    else if (*state != NULL) {
        peer_destroy(*state, socket_of(mhd));
        *state = NULL;
    }
}

/*
 * What matters of a request shows in the access log. Of what libmicrohttpd refuses by itself, which
 * should be nothing but handshakes, only these messages tell.
 */
static void on_log(void *context, const char *format, va_list args)
{
    static const char processing[] = "Error processing request";
    static const char handshake[] = "Error: received handshake message out of context";
    struct http *http = context;

    (void)args;
    if (strncmp(format, processing, sizeof processing - 1) == 0)
        peers_count_cut(http->peers, CUT_MALFORMED);
    else if (strncmp(format, handshake, sizeof handshake - 1) == 0)
        peers_count_cut(http->peers, CUT_HANDSHAKE);
}

/* ---------------------------------------------------------------- the daemons ---------------- */

/*
 * TLS by poll: where a handshake waits for the client, libmicrohttpd 0.9.75 with epoll calls GnuTLS
 * again and again until the next bytes come.
 */
static struct MHD_Daemon *start_daemon(struct http *http, unsigned threads, size_t connections_max,
                                       bool tls)
{
    const struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem pool_options[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL}, {MHD_OPTION_END, 0, NULL}};
    unsigned mode =
        tls ? MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS : MHD_USE_EPOLL_INTERNAL_THREAD;

    return MHD_start_daemon(
        mode | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
        MHD_OPTION_URI_LOG_CALLBACK, on_request, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(connections_max + SURPLUS_CONNECTIONS), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        http->options.limits.header_max + POOL_BYTES,
#if MHD_VERSION >= 0x01000000
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, /* what it refuses by itself, the gate has refused */
#endif
        MHD_OPTION_ARRAY, tls ? tls_options : tls_options + 2, MHD_OPTION_ARRAY,
        threads > 1 ? pool_options : pool_options + 1, MHD_OPTION_END);
}

enum vgg_status http_create(const struct http_options *options, struct http **out,
                            struct vgg_error *error)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        goto fail;
    http->options = *options;
    http->bodies.max = options->body_total_max;
    if (peers_create(&options->limits, &http->peers, error) != VGG_OK)
        goto fail;
    request_id_make(http->nobody.id);
    http->no_memory = make_no_memory(&options->handler, &http->nobody);
    if (http->no_memory == NULL)
        goto fail;
    http->daemons[0] =
        start_daemon(http, NETWORK_THREADS, options->limits.connections_max, options->tls != NULL);
    http->daemons[1] = start_daemon(http, 1, PEERS_ADMIN_MAX, false);
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
    if (MHD_add_connection(http->daemons[admin], fd, address, (socklen_t)address_size) != MHD_YES)
        peers_refuse(http->peers, errno == ENOMEM ? REFUSED_NO_MEMORY : REFUSED_LIMIT);
}

void http_get_counts(struct http *http, struct http_counts *counts)
{
    peers_get_counts(http->peers, counts);
}

size_t http_in_flight(struct http *http)
{
    return peers_in_flight(http->peers);
}

size_t http_unheard(struct http *http)
{
    return peers_unheard(http->peers);
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
    peers_destroy(http->peers);
    free(http);
}

/* ---------------------------------------------------------------- looking up ----------------- */

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
    if (name_size == 0 && value == NULL) /* nothing between two "&", or before the first */
        return MHD_YES;
    return query->visit(query->context, whole ? name : "\\0", value) ? MHD_YES : MHD_NO;
}

void http_query(const struct http_request *request,
                bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    struct query_visit query = {visit, context};
    const struct exchange *exchange = (const struct exchange *)(const void *)request;

    (void)MHD_get_connection_values_n(exchange->mhd, MHD_GET_ARGUMENT_KIND, on_argument, &query);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return header((const struct exchange *)(const void *)request, name);
}

struct header_visit {
    const char *name;
    void (*visit)(void *context, const char *value);
    void *context;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    const struct header_visit *given = context;

    (void)kind;
    if (strcasecmp(name, given->name) == 0 && value != NULL)
        given->visit(given->context, value);
    return MHD_YES;
}

void http_headers(const struct http_request *request, const char *name,
                  void (*visit)(void *context, const char *value), void *context)
{
    struct header_visit given = {name, visit, context};
    const struct exchange *exchange = (const struct exchange *)(const void *)request;

    (void)MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, on_header, &given);
}
