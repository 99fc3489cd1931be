/* Connections counted against their limits, and what their requests mean to them. */
#include "http/peers.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "net/addresses.h"
#include "net/linger.h"

struct peers {
    struct http_limits limits;
    struct connections *connections;
    struct addresses *addresses; /* NULL: no limit */
    struct lingerers *linger;
    atomic_size_t open[2]; /* main, admin */
    _Atomic uint64_t accepted, refused[HTTP_REFUSED_N];
};

enum vgg_status peers_create(const struct http_limits *limits, struct peers **out,
                             struct vgg_error *error)
{
    struct peers *peers = calloc(1, sizeof *peers);

    if (peers == NULL)
        goto fail;
    peers->limits = *limits;
    if (connections_create(&limits->times, &peers->connections, error) != VGG_OK)
        goto fail;
    if (limits->connections_per_address != 0 &&
        (peers->addresses =
             addresses_create(limits->connections_max, limits->connections_per_address)) == NULL)
        goto fail;
    peers->linger = linger_create();
    if (peers->linger == NULL)
        goto fail;
    *out = peers;
    return VGG_OK;
fail:
    peers_destroy(peers);
    return vgg_fail(error, VGG_NO_MEMORY, "cannot start the threads that watch connections");
}

void peers_destroy(struct peers *peers)
{
    if (peers == NULL)
        return;
    linger_destroy(peers->linger);
    addresses_destroy(peers->addresses);
    connections_destroy(peers->connections);
    free(peers);
}

/* ---------------------------------------------------------------- requests ------------------- */

static void on_head(void *context)
{
    struct peer *peer = context;

    (void)connection_event(peer->connection, EVENT_BYTE);
}

uint64_t peer_begin(struct peer *peer)
{
    (void)connection_event(peer->connection, EVENT_HEAD);
    peer->requests++;
    return connection_get_begun_ns(peer->connection);
}

const struct gate_fault *peer_fault(const struct peer *peer)
{
    return gate_fault(&peer->gate, peer->requests);
}

bool peer_ends(const struct peer *peer)
{
    return gate_ends(&peer->gate, peer->requests);
}

void peer_end(struct peer *peer, bool last)
{
    (void)connection_event(peer->connection, last || peer_ends(peer)   ? EVENT_OVER_LAST
                                             : gate_holds(&peer->gate) ? EVENT_OVER_NEXT
                                                                       : EVENT_OVER);
}

/* ---------------------------------------------------------------- connections ---------------- */

/* Count a connection in against the limits; false: it is one too many. */
static bool admit(struct peers *peers, struct peer *peer, int fd, const struct sockaddr *address,
                  bool handshake)
{
    const struct http_limits *limits = &peers->limits;
    size_t max = peer->admin ? PEERS_ADMIN_MAX : limits->connections_max;

    if (atomic_fetch_add(&peers->open[peer->admin], 1) >= max)
        peers->refused[REFUSED_LIMIT]++;
    else if (!peer->admin && peers->addresses != NULL &&
             (peer->address = addresses_take(peers->addresses, address)) == NULL)
        peers->refused[REFUSED_ADDRESS]++;
    else {
        peer->connection = connection_add(peers->connections, fd, handshake);
        if (peer->connection != NULL && gate_init(&peer->gate, limits->header_max, on_head, peer))
            return true;
        connection_remove(peer->connection);
        peers->refused[REFUSED_NO_MEMORY]++;
        if (peer->address != NULL)
            addresses_give(peers->addresses, peer->address);
    }
    peers->open[peer->admin]--;
    return false;
}

struct peer *peer_create(struct peers *peers, bool admin, int fd, const struct sockaddr *address,
                         const void *session)
{
    struct peer *peer = calloc(1, sizeof *peer);

    peers->accepted++;
    if (peer == NULL) {
        peers->refused[REFUSED_NO_MEMORY]++;
        return NULL;
    }
    peer->peers = peers;
    peer->admin = admin;
    if (!admit(peers, peer, fd, address, session != NULL)) {
        free(peer);
        return NULL;
    }
    interpose_add(&peer->interposed, &peer->gate, fd, session);
    return peer;
}

void peer_destroy(struct peer *peer, int fd)
{
    struct peers *peers = peer->peers;
    bool lingers = connection_rules[connection_get_state(peer->connection)].lingers;

    interpose_remove(&peer->interposed);
    gate_fini(&peer->gate);
    connection_remove(peer->connection);
    if (lingers)
        linger_add(peers->linger, fd);
    if (peer->address != NULL)
        addresses_give(peers->addresses, peer->address);
    peers->open[peer->admin]--;
    tls_session_fini(&peer->tls);
    free(peer);
}

/* ---------------------------------------------------------------- counts --------------------- */

void peers_refuse(struct peers *peers, enum http_refused why)
{
    peers->accepted++;
    peers->refused[why]++;
}

void peers_count_cut(struct peers *peers, enum connection_cut why)
{
    connections_count_cut(peers->connections, why);
}

void peers_get_counts(struct peers *peers, struct http_counts *counts)
{
    counts->accepted = peers->accepted;
    counts->open = peers->open[0] + peers->open[1];
    for (size_t i = 0; i < HTTP_REFUSED_N; i++)
        counts->refused[i] = peers->refused[i];
    connections_get_cuts(peers->connections, counts->cut);
}

size_t peers_in_flight(struct peers *peers)
{
    return connections_busy(peers->connections);
}

size_t peers_unheard(struct peers *peers)
{
    return connections_in(peers->connections, CONNECTION_HANDSHAKE);
}
