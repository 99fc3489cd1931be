/*
 * HTTP, as the rest of the server sees it: requests with a whole, bounded body, and responses. The
 * only file that knows libmicrohttpd is http.c.
 *
 * Path of a request: listener -> peers, connections, gate -> [http] -> routes -> ...
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/coding.h"
#include "http/head.h"
#include "net/connections.h"

struct tls;

enum {
    HTTP_ID_MAX = 128,         /* characters of X-Request-Id */
    HTTP_TRACEPARENT_MAX = 55, /* characters, W3C trace context version 00 */
    HTTP_CLIENT_MAX = 56,      /* an IPv6 address with its zone */
    HTTP_FIELDS_MAX = 16,      /* text fields of one form */
    HTTP_DETAIL_MAX = 383      /* characters of a problem's detail */
};

/* One file of a multipart body, or the whole of any other body. */
struct http_part {
    const uint8_t *bytes;
    size_t size;
};

/* One text field of a multipart body. A zero byte in either is the name "\\0". */
struct http_field {
    const char *name, *value;
};

/* What became of the body. */
enum http_body {
    HTTP_BODY_PLAIN,     /* parts[0] */
    HTTP_BODY_MULTIPART, /* parts[parts_n], fields[fields_n] */
    HTTP_BODY_CODED,     /* compressed: http_inflate makes another of these of it */
    HTTP_BODY_BAD,       /* malformed multipart; body_error says how */
    HTTP_BODY_CORRUPT,   /* it cannot be inflated; body_error says why */
    HTTP_BODY_LONG,      /* it inflates to more than body_max */
    HTTP_BODY_MANY,      /* more file parts than images_max */
    HTTP_BODY_NO_MEMORY, /* read to its end, but not kept */
    HTTP_BODY_LATE       /* not inflated: the deadline has passed, or the client has gone */
};

/* A header; lists of them end with a NULL name. */
struct http_header {
    const char *name, *value;
};

/* An answer. `body` is malloc'ed and passes to the HTTP layer; NULL: the static out-of-memory 503.
 */
struct http_response {
    unsigned status;
    const char *type; /* media type */
    char *body;
    size_t size;
    unsigned retry_after_s;      /* 0: no header */
    const char *allow;           /* of a 405, else NULL */
    const char *accept_encoding; /* of a 415 for a body's coding, else NULL */
    bool authenticate;           /* of a 401 */
    char etag[24]; /* "": the answer must not be stored; else it may be, and checked */
    const struct http_header *headers; /* more of them, or NULL; static storage */
    size_t inference_header_bytes;     /* 0: no header; the JSON that binary tensors follow */
    const char *content_encoding;      /* of the body, or NULL */
    bool vary_encoding;                /* another Accept-Encoding would get another answer */
    bool vary_origin;                  /* another origin would */
    bool allow_origin;                 /* scripts of the request's origin may read it */
    const char *preflight; /* methods allowed to them, of the answer to OPTIONS, else NULL */
};

/* Where the time of a request went; in the access log and in the answer. */
struct http_timing {
    uint64_t queue_ns, decode_ns, rescale_ns, infer_ns, encode_ns;
};

struct http_request {
    /* Fixed once handle() is called. */
    bool admin; /* came in on the admin listener */
    const char *method;
    const char *path; /* routes.c takes a slash off its end */
    char id[HTTP_ID_MAX + 1];
    char traceparent[HTTP_TRACEPARENT_MAX + 1]; /* "" where none or invalid */
    char client[HTTP_CLIENT_MAX];
    const char *authorization; /* header, or NULL; valid until the request is answered */
    const char *if_none_match; /* the same */
    const char *origin;        /* the same */
    const char *content_type;  /* the same */
    bool first;                /* first request of its connection */
    uint64_t received_ns;      /* its first byte, CLOCK_MONOTONIC */
    uint64_t deadline_ns;      /* from --deadline or the client's shorter X-Request-Timeout-Ms */
    bool timeout_invalid;      /* that header is there and no whole number from 1 */
    enum coding coding;        /* of the body */
    const struct head_fault *fault; /* of a malformed one; NULL else */
    enum http_body body;
    const char *body_error;
    const struct http_part *parts;
    size_t parts_n;
    const struct http_field *fields;
    size_t fields_n;
    size_t body_bytes; /* as they came */

    /* Filled by whoever answers, for the access log and the metrics. */
    const char *route; /* static storage */
    char model_version[80];
    struct http_timing timing;
    struct http_response response;
    const char *problem; /* type of the problem it is answered with, static storage; or NULL */
    char detail[HTTP_DETAIL_MAX + 1]; /* of that problem */
    bool dropped;                     /* its client has gone, and its work was not done */
    bool begun;                       /* some of its work was done before that */
};

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
    /* Should the connection close after this answer? */
    bool (*closing)(void *app);
};

struct http_options {
    struct http_handler handler;
    size_t body_max;       /* bytes */
    size_t body_total_max; /* bytes of all bodies held at a time */
    size_t images_max;     /* file parts of one body */
    size_t header_max;     /* bytes of request line and headers; at most HEAD_FIELDS_MAX of them */
    size_t connections_max;
    size_t connections_per_address; /* 0: any number */
    uint64_t deadline_ns;           /* of a request, from its first byte */
    uint64_t header_ns;             /* from accepting, or from the first byte, to their end */
    uint64_t idle_ns;               /* a connection between requests, or not reading its answer */
    struct tls *tls;                /* of the main listener; NULL: plain HTTP */
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

/* X(name, label): why a connection was closed as soon as it was accepted. */
#define HTTP_REFUSED(X)                                                                            \
    X(LIMIT, "limit")                                                                              \
    X(ADDRESS, "address_limit")                                                                    \
    X(NO_MEMORY, "out_of_memory")

#define HTTP_ENUM_REFUSED(name, label) REFUSED_##name,
enum http_refused { HTTP_REFUSED(HTTP_ENUM_REFUSED) HTTP_REFUSED_N };

/* Of both listeners, since the start. */
struct http_counts {
    uint64_t accepted, open, refused[HTTP_REFUSED_N], cut[CONNECTION_CUTS_N];
};

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
