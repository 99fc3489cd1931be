/* Requests: judged at their head, read, handled and answered. */
#include "http/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/content.h"
#include "process/clock.h"

/* Of a refused one that is read, so that its connection stays. */
enum { SHORT_BODY_BYTES = 64 << 10 };

struct exchange {
    struct http_request request; /* first: the public part */
    struct exchanges *all;
    struct MHD_Connection *mhd;
    struct peer *peer;
    bool zero_in_path; /* "%00", which would cut the decoded path short */
    struct content content;
};

static struct exchange *exchange_of(const struct http_request *request)
{
    return (struct exchange *)(uintptr_t)request;
}

static enum connection_state state_of(const struct exchange *exchange)
{
    return connection_get_state(exchange->peer->connection);
}

/* True where that changes its state. */
static bool happen(struct exchange *exchange, enum connection_event event)
{
    return connection_event(exchange->peer->connection, event);
}

static const struct http_handler *handler_of(const struct exchange *exchange)
{
    return &exchange->all->options->handler;
}

/* ---------------------------------------------------------------- the head ------------------- */

static const char *header(const struct exchange *exchange, const char *name)
{
    return mhd_header(exchange->mhd, name);
}

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
    request->authorization = header(exchange, "Authorization");
    request->origin = header(exchange, "Origin");
    request->if_none_match = header(exchange, "If-None-Match");
    request->content_type = header(exchange, "Content-Type");
    mhd_headers(exchange->mhd, "Content-Encoding", add_coding, &request->coding);
}

static enum http_refusal refusal_of(const struct exchange *exchange)
{
    const char *length = header(exchange, "Content-Length");

    if (peer_fault(exchange->peer) != NULL)
        return HTTP_MALFORMED;
    if (length != NULL && strtoull(length, NULL, 10) > exchange->all->options->body_max)
        return HTTP_BODY_TOO_LARGE;
    return HTTP_ACCEPTED;
}

/* Is a body short enough, and on its way? */
static bool is_short(const struct exchange *exchange)
{
    const char *length = header(exchange, "Content-Length");

    return header(exchange, "Expect") == NULL && header(exchange, "Transfer-Encoding") == NULL &&
           (length == NULL || strtoull(length, NULL, 10) <= SHORT_BODY_BYTES);
}

/* ---------------------------------------------------------------- the body ------------------- */

/* Was it refused at its head? Then its body is dropped. */
static bool is_answered(const struct exchange *exchange)
{
    return exchange->request.response.status != 0;
}

/* One piece as it came from the network. False: over the limit, cut the connection. */
static bool receive(struct exchange *exchange, const char *data, size_t size)
{
    exchange->request.body_bytes += size;
    if (exchange->request.body_bytes > exchange->all->options->body_max)
        return false;
    if (!is_answered(exchange))
        body_append(&exchange->content.body, data, size);
    return true;
}

/* Is nobody waiting for its end any more? */
static bool is_moot(void *user)
{
    const struct exchange *exchange = user;

    return http_gone(&exchange->request) || now_ns() >= exchange->request.deadline_ns;
}

void http_inflate(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    content_inflate(&exchange->content, request, exchange->all->options->body_max, is_moot,
                    exchange);
}

/* ---------------------------------------------------------------- the answer ----------------- */

/* The small 503 for want of memory; NULL when there is none for that either. */
static struct MHD_Response *make_no_memory(const struct http_handler *handler,
                                           struct http_request *request)
{
    char body[HTTP_NO_MEMORY_BYTES];
    size_t size = handler->no_memory(handler->app, request, body);

    return mhd_response_bare(request, body, size);
}

/* On its way, once the state says so. */
static bool send_answer(struct exchange *exchange)
{
    const struct http_handler *handler = handler_of(exchange);
    struct http_request *request = &exchange->request;
    struct exchanges *all = exchange->all;
    bool closing = handler->closing(handler->app) || peer_ends(exchange->peer), sent;
    struct MHD_Response *response = mhd_response(request, closing);

    if (response == NULL)
        response = make_no_memory(handler, request);
    if (response == NULL) {
        memcpy(request->id, all->nobody.id, sizeof request->id);
        return mhd_answer(exchange->mhd, request->response.status, all->no_memory);
    }
    sent = mhd_answer(exchange->mhd, request->response.status, response);
    mhd_response_release(response);
    return sent;
}

static bool answer(struct exchange *exchange)
{
    (void)happen(exchange, EVENT_ANSWER);
    return send_answer(exchange);
}

/* What is set already, though its client may be sending still. */
static bool answer_early(struct exchange *exchange)
{
    (void)happen(exchange, EVENT_REFUSE);
    return send_answer(exchange);
}

/* Answer without the body, or without more of it. */
static bool refuse(struct exchange *exchange, enum http_refusal why)
{
    const struct http_handler *handler = handler_of(exchange);
    const struct gate_fault *fault = peer_fault(exchange->peer);

    if (fault != NULL) {
        peers_count_cut(exchange->peer->peers, CUT_MALFORMED);
        exchange->request.fault = &fault->why;
    }
    if (fault != NULL && fault->method != NULL) { /* it came with a head of the gate's */
        exchange->request.method = fault->method;
        exchange->request.path = fault->path;
    }
    handler->refuse(handler->app, &exchange->request, why);
    return answer_early(exchange);
}

void http_defer(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    if (happen(exchange, EVENT_DEFER))
        mhd_suspend(exchange->mhd);
}

void http_respond(struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);

    /* First: once resumed, the connection may end and its descriptor be another's. */
    if (happen(exchange, EVENT_RESPOND))
        mhd_resume(exchange->mhd);
}

bool http_gone(const struct http_request *request)
{
    return state_of(exchange_of(request)) == CONNECTION_GONE;
}

/* ---------------------------------------------------------------- one step after another ----- */

/* Its head is there. */
static bool judge(struct exchange *exchange)
{
    const struct http_handler *handler = handler_of(exchange);
    enum http_refusal refusal;

    read_headers(exchange);
    refusal = refusal_of(exchange);
    if (refusal != HTTP_ACCEPTED)
        return refuse(exchange, refusal);
    if (!handler->admit(handler->app, &exchange->request) && !is_short(exchange))
        return answer_early(exchange);
    content_init(&exchange->content, &exchange->all->bodies);
    connection_admit(exchange->peer->connection, exchange->request.deadline_ns);
    return true;
}

/*
 * A connection that is suspended in the call that follows a read is read from again as soon as it
 * is resumed; and then libmicrohttpd 0.9.75 takes a client that sends no more for one that has
 * gone, before its answer can be queued. From the next call on, it reads only after the answer.
 * (By poll, as for TLS, there would be no next call.)
 */
static bool is_called_again(const struct exchange *exchange)
{
    return exchange->request.body_bytes != 0 && exchange->peer->tls.tls == NULL;
}

/* All of it is there. */
static bool handle(struct exchange *exchange)
{
    const struct http_handler *handler = handler_of(exchange);

    if (is_answered(exchange))
        return answer(exchange);
    if (peer_fault(exchange->peer) != NULL)
        return refuse(exchange, HTTP_MALFORMED);
    (void)happen(exchange, EVENT_HANDLE);
    content_end(&exchange->content, &exchange->request, exchange->all->options->images_max);
    handler->handle(handler->app, &exchange->request);
    return state_of(exchange) != CONNECTION_HANDLED || answer(exchange);
}

bool exchange_advance(struct exchange *exchange, const char *method, const char *path,
                      const char *data, size_t *size)
{
    size_t given = *size;

    switch (state_of(exchange)) {
    case CONNECTION_READ:
        exchange->request.method = method;
        exchange->request.path = exchange->zero_in_path ? "/%00" : path;
        return judge(exchange);
    case CONNECTION_BODY:
        *size = 0;
        if (given != 0)
            return receive(exchange, data, given);
        (void)happen(exchange, EVENT_WHOLE);
        return is_called_again(exchange) || handle(exchange);
    case CONNECTION_WHOLE:
        return handle(exchange);
    case CONNECTION_RESUMED:
        return answer(exchange);
    default: /* its client has gone */
        return false;
    }
}

/* ---------------------------------------------------------------- beginning and end ---------- */

struct exchange *exchange_create(struct exchanges *all, struct peer *peer,
                                 struct MHD_Connection *mhd, const char *uri)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    exchange->all = all;
    exchange->mhd = mhd;
    exchange->peer = peer;
    exchange->zero_in_path = memmem(uri, strcspn(uri, "?"), "%00", 3) != NULL;
    exchange->request.admin = peer->admin;
    exchange->request.first = peer->requests == 0;
    exchange->request.received_ns = peer_begin(peer);
    exchange->request.deadline_ns =
        exchange->request.received_ns + all->options->limits.times.deadline_ns;
    mhd_client(mhd, exchange->request.client);
    return exchange;
}

void exchange_end(struct exchange *exchange, bool sent)
{
    const struct http_handler *handler = handler_of(exchange);
    enum connection_state state = state_of(exchange);
    bool unanswered =
        state == CONNECTION_READ || state == CONNECTION_BODY || state == CONNECTION_WHOLE;
    unsigned own = unanswered ? mhd_own_status(exchange->mhd) : 0;
    unsigned status = own == 0 && sent ? exchange->request.response.status : own;

    handler->done(handler->app, &exchange->request, status, unanswered);
    peer_end(exchange->peer, own != 0);
    content_fini(&exchange->content);
    free(exchange->request.response.body);
    free(exchange);
}

/* ---------------------------------------------------------------- all of them ---------------- */

bool exchanges_init(struct exchanges *exchanges, const struct http_options *options)
{
    exchanges->options = options;
    exchanges->bodies.max = options->body_total_max;
    request_id_make(exchanges->nobody.id);
    exchanges->no_memory = make_no_memory(&options->handler, &exchanges->nobody);
    return exchanges->no_memory != NULL;
}

void exchanges_fini(struct exchanges *exchanges)
{
    mhd_response_release(exchanges->no_memory);
}

bool exchanges_starve(const struct exchanges *exchanges, struct MHD_Connection *mhd)
{
    return mhd_answer(mhd, exchanges->nobody.response.status, exchanges->no_memory);
}

/* ---------------------------------------------------------------- looking up ----------------- */

const char *http_header(const struct http_request *request, const char *name)
{
    return header(exchange_of(request), name);
}

void http_headers(const struct http_request *request, const char *name,
                  void (*visit)(void *context, const char *value), void *context)
{
    mhd_headers(exchange_of(request)->mhd, name, visit, context);
}

void http_query(const struct http_request *request,
                bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    mhd_query(exchange_of(request)->mhd, visit, context);
}
