/*
 * The clients: how many connections they may have, and what is kept of each. Nothing here knows
 * libmicrohttpd: others tell of connections and requests as they begin and end.
 *
 * Path of a request: listener -> [peers], connections, gate -> http -> routes -> ...
 */
#ifndef PEERS_H
#define PEERS_H

#include "gate/interpose.h"
#include "http/http_options.h"
#include "net/connections.h"
#include "net/tls.h"

struct sockaddr;
struct peers;

enum { PEERS_ADMIN_MAX = 256 }; /* connections to the admin listener */

/* A connection. Used by its network thread. */
struct peer {
    struct peers *peers;
    struct connection *connection;
    struct address_count *address;
    struct tls_session tls;
    struct gate gate;
    struct interposed interposed;
    bool admin;
    size_t requests;
};

/* Errors: NO_MEMORY. */
enum vgg_status peers_create(const struct http_limits *limits, struct peers **peers,
                             struct vgg_error *error);

/* No peer may be left. NULL is allowed. */
void peers_destroy(struct peers *peers);

/*
 * A connection begins, `session` being its gnutls_session_t or NULL. NULL where it is one too many,
 * which is counted, or there is no memory.
 */
struct peer *peer_create(struct peers *peers, bool admin, int fd, const struct sockaddr *address,
                         const void *session);

/* Before its socket is closed. */
void peer_destroy(struct peer *peer, int fd);

/* The head of a request has come, the peer->requests'th now: when it began. */
uint64_t peer_begin(struct peer *peer);

/* Why it is to be refused, or NULL; must the connection end with it? */
const struct gate_fault *peer_fault(const struct peer *peer);
bool peer_ends(const struct peer *peer);

/* That request is over; `last`: the connection ends, though its client may be sending still. */
void peer_end(struct peer *peer, bool last);

/* Count a connection that came to no peer. */
void peers_refuse(struct peers *peers, enum http_refused why);

/* Count one that was cut by somebody else. */
void peers_count_cut(struct peers *peers, enum connection_cut why);

void peers_get_counts(struct peers *peers, struct http_counts *counts);

/* As http_in_flight and http_unheard. */
size_t peers_in_flight(struct peers *peers);
size_t peers_unheard(struct peers *peers);

#endif
