/*
 * libmicrohttpd, which only mhd.c includes: threads that read requests and send answers, what they
 * call as a request goes on, and what can be asked of it.
 *
 * A response may be queued only at the headers or after the whole body. At the headers it ends the
 * connection, so a refusal reads a short body first and does not wait for a long one; a body that
 * grows over its limit or misses its deadline can only be cut.
 */
#ifndef MHD_H
#define MHD_H

#include "http/request.h"
#include "net/connection_state.h"

struct sockaddr;
struct mhd_daemon;     /* the threads and their connections */
struct MHD_Connection; /* with the request that it has */
struct MHD_Response;

/* What happens on a connection, on its thread. */
struct mhd_events {
    /*
     * It begins; `session` is its gnutls_session_t, or NULL. Returns what is kept of it; without
     * that it should be shut, and its requests are starved.
     */
    void *(*opened)(void *context, bool admin, int fd, const struct sockaddr *address,
                    void *session);
    void (*closed)(void *peer, int fd);
    /* A request line has come. Returns what is kept of the request; NULL: it will be starved. */
    void *(*begun)(void *context, void *peer, struct MHD_Connection *connection, const char *uri);
    /*
     * Its headers have come, then (*size not 0) each piece of its body, then the end of that; and
     * it is resumed. Takes the piece and sets *size to 0. False: cut the connection.
     */
    bool (*reached)(void *exchange, const char *method, const char *path, const char *data,
                    size_t *size);
    /* The same of a request of which nothing is kept. */
    bool (*starved)(void *context, struct MHD_Connection *connection);
    /* It is over; `sent`: with a whole answer. */
    void (*over)(void *exchange, bool sent);
    /* libmicrohttpd has refused something by itself. */
    void (*cut)(void *context, enum connection_cut why);
};

struct mhd_options {
    const struct mhd_events *events;
    void *context; /* of theirs */
    unsigned threads;
    size_t connections_max, header_max;
    bool admin, tls;
};

/* Start the threads. NULL: out of memory. */
struct mhd_daemon *mhd_start(const struct mhd_options *options);

/* End them and close all connections. NULL is allowed. */
void mhd_stop(struct mhd_daemon *daemon);

/* Hand over a socket. False: it is closed, errno says why. */
bool mhd_add(struct mhd_daemon *daemon, int fd, const struct sockaddr *address,
             unsigned address_size);

/* ---------------------------------------------------------------- requests ------------------- */

/* As http_header, http_headers and http_query. */
const char *mhd_header(struct MHD_Connection *connection, const char *name);
void mhd_headers(struct MHD_Connection *connection, const char *name,
                 void (*visit)(void *context, const char *value), void *context);
void mhd_query(struct MHD_Connection *connection,
               bool (*visit)(void *context, const char *name, const char *value), void *context);

/* The client's address, or "". */
void mhd_client(struct MHD_Connection *connection, char client[HTTP_CLIENT_MAX]);

/* The status of an answer by libmicrohttpd itself, 0 where there is none. */
unsigned mhd_own_status(struct MHD_Connection *connection);

/* Nothing is read or sent until it is resumed, by any thread. */
void mhd_suspend(struct MHD_Connection *connection);
void mhd_resume(struct MHD_Connection *connection);

/* ---------------------------------------------------------------- answers -------------------- */

/* request->response, of which the body is taken; NULL when out of memory. */
struct MHD_Response *mhd_response(struct http_request *request, bool closing);

/* One of these bytes with the fewest headers; NULL when out of memory. */
struct MHD_Response *mhd_response_bare(const struct http_request *request, const char *body,
                                       size_t size);

/* NULL is allowed. */
void mhd_response_release(struct MHD_Response *response);

/* Send a response, which stays the caller's. False: cut the connection. */
bool mhd_answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);

#endif
