/*
 * The life of one request, from its head to the end of its answer. Its state is that of its
 * connection (connection_state.h).
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "http/body.h"
#include "http/http_options.h"
#include "http/mhd.h"
#include "http/peers.h"

struct exchange;

/* What all of them share. */
struct exchanges {
    const struct http_options *options;
    struct body_budget bodies;
    struct MHD_Response *no_memory; /* when there is none even for a small answer */
    struct http_request nobody;     /* whose answer it is */
};

/* False: out of memory. */
bool exchanges_init(struct exchanges *exchanges, const struct http_options *options);

/* A zeroed one is allowed. */
void exchanges_fini(struct exchanges *exchanges);

/* Answer where there was no memory for an exchange. False: cut the connection. */
bool exchanges_starve(const struct exchanges *exchanges, struct MHD_Connection *mhd);

/* A request begins, whose request line names `uri`. NULL: out of memory. */
struct exchange *exchange_create(struct exchanges *exchanges, struct peer *peer,
                                 struct MHD_Connection *mhd, const char *uri);

/* As mhd_events.reached. */
bool exchange_advance(struct exchange *exchange, const char *method, const char *path,
                      const char *data, size_t *size);

/* It is over and freed; `sent`: with a whole answer. */
void exchange_end(struct exchange *exchange, bool sent);

#endif
