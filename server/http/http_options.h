/* How the HTTP layer is set up: its limits, what is counted of them, and who handles requests. */
#ifndef HTTP_OPTIONS_H
#define HTTP_OPTIONS_H

#include "http/request.h"
#include "net/connection_state.h"

struct tls;

/* Of connections. */
struct http_limits {
    size_t header_max; /* bytes of request line and headers; at most HEAD_FIELDS_MAX of them */
    size_t connections_max;
    size_t connections_per_address; /* 0: any number */
    struct connection_times times;
};

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
     * return its size; set status, type and retry_after_s, and what the log says of it. It is also
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

#endif
