/* A request with a whole, bounded body, and its answer: what the HTTP layer and its handlers share.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/head.h"
#include "http/coding.h"
#include "http/multipart.h"
#include "http/request_id.h"

enum {
    HTTP_CLIENT_MAX = 56, /* an IPv6 address with its zone */
    HTTP_DETAIL_MAX = 383 /* characters of a problem's detail */
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

/*
 * An answer. `body` is malloc'ed and passes to the HTTP layer; NULL: there was no memory for it.
 * Headers that are NULL are not sent; all texts but etag and body are in static storage.
 */
struct http_response {
    unsigned status;
    const char *type; /* media type */
    char *body;
    size_t size;
    unsigned retry_after_s;      /* 0: no header */
    const char *allow;           /* of a 405 */
    const char *accept_encoding; /* of a 415 for a body's coding */
    const char *challenge;       /* of a 401: WWW-Authenticate */
    char etag[24]; /* "": the answer must not be stored; else it may be, and checked */
    const struct http_header *headers; /* more of them */
    const char *number_header;         /* the name of one whose value is `number` */
    size_t number;
    const char *content_encoding; /* of the body */
    bool vary_encoding;           /* another Accept-Encoding would get another answer */
    bool vary_origin;             /* another origin would */
    bool allow_origin;            /* scripts of the request's origin may read it */
    const char *exposed;          /* headers that these may read */
    /* Of the answer to OPTIONS, methods and headers allowed to them. */
    const char *preflight_methods, *preflight_headers;
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
    unsigned route; /* the handlers' number of its route; 0: of none, or not known yet */
    char model_version[80];
    struct http_timing timing;
    struct http_response response;
    const char *problem; /* type of the problem it is answered with, static storage; or NULL */
    char detail[HTTP_DETAIL_MAX + 1]; /* of that problem */
    bool dropped;                     /* its client has gone, and its work was not done */
    bool begun;                       /* some of its work was done before that */
};

/* exchange.c: what its handlers do with a request. */

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
