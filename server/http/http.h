/*
 * HTTP, as the rest of the server sees it: requests with a whole, bounded body, and responses. The
 * only file that knows libmicrohttpd is http.c.
 *
 * Path of a request: listener -> peers, connections, gate -> [http] -> routes -> ...
 */
#ifndef HTTP_H
#define HTTP_H

#include "http/limits.h"
#include "http/request.h"

struct tls;

/* Bytes of the answer that is made without memory. */
enum { HTTP_NO_MEMORY_BYTES = 512 };

/* Why a request is answered before its body was read, or in the middle of it. */
enum http_refusal { HTTP_ACCEPTED, HTTP_BODY_TOO_LARGE, HTTP_MALFORMED };

struct http_handler {
    void *app;
    /*
     * A request at its headers, on a network thread. False: its answer is set, and will be sent
     * without handle() and without waiting for a long body. Must not block.
     */
    bool (*admit)(void *app, struct http_request *request);
    /*
     * A request with its whole body, on a network thread: answer it with http_respond, now or,
     * after http_defer, later from any thread. Must not block, decode or compute.
     */
    void (*handle)(void *app, struct http_request *request);
    /*
     * The request is over; it is freed afterwards. `status` is 0 where no answer was sent whole;
     * `body_cut` where the body did not arrive. A malformed one has method and path as far as they
     * could be read, and what libmicrohttpd answers by itself (out of memory) has none.
     */
    void (*done)(void *app, const struct http_request *request, unsigned status, bool body_cut);
    /* Answer a request whose body will not be read. */
    void (*refuse)(void *app, struct http_request *request, enum http_refusal why);
    /*
     * Write the body of the 503 that a request gets where there is no memory for its answer, and
     * return its size; set its type and retry_after_s, and what the log says of it. It is also
     * called before there is any request, with one that has nothing but an id. Must not allocate.
     */
    size_t (*no_memory)(void *app, struct http_request *request, char body[HTTP_NO_MEMORY_BYTES]);
    /* Should the connection close after this answer? */
    bool (*closing)(void *app);
};

struct http_options {
    struct http_handler handler;
    size_t body_max;       /* bytes */
    size_t body_total_max; /* bytes of all bodies held at a time */
    size_t images_max;     /* file parts of one body */
    struct http_limits limits;
    struct tls *tls; /* of the main listener; NULL: plain HTTP */
};

struct http;

/* Start the network threads. Errors: NO_MEMORY. */
enum vgg_status http_create(const struct http_options *options, struct http **http,
                            struct vgg_error *error);

/* Hand over an accepted socket; it is closed in any case. */
void http_add_connection(struct http *http, bool admin, int fd, const void *address,
                         unsigned address_size);

/* Requests begun and not finished, and connections with unread bytes. */
size_t http_in_flight(struct http *http);

/* TLS connections whose first request has not come: their handshake may be under way. */
size_t http_unheard(struct http *http);

/* Of both listeners, since the start. */
void http_get_counts(struct http *http, struct http_counts *counts);

/* Stop the network threads and close all connections. Nothing may be deferred any more. */
void http_destroy(struct http *http);

/*
 * Keep a request unanswered after handle() returns. Call it before another thread can learn of the
 * request; again, it does nothing.
 */
void http_defer(struct http_request *request);

/*
 * Has the client of a deferred request closed its connection? Then no answer will reach it.
 * Thread-safe, until http_respond.
 */
bool http_gone(const struct http_request *request);

/*
 * Undo the coding of a body, which takes longer than a network thread may be kept. Of a deferred
 * request, on any thread.
 */
void http_inflate(struct http_request *request);

/* Send request->response. The request may be gone when this returns. Thread-safe. */
void http_respond(struct http_request *request);

/* A header of a request, or NULL; valid until the request is answered. */
const char *http_header(const struct http_request *request, const char *name);

/* Each header of that name, in order. */
void http_headers(const struct http_request *request, const char *name,
                  void (*visit)(void *context, const char *value), void *context);

/*
 * The query parameters of a request in order; valid until it is answered. `value` is NULL where
 * there is no "=". `visit` returns false to stop.
 */
void http_query(const struct http_request *request,
                bool (*visit)(void *context, const char *name, const char *value), void *context);

#endif
