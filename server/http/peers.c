/* Connections counted against their limits; their clocks from one request to the next. */
#include "http/peers.h"

#include <stdlib.h>

#include "net/addresses.h"
#include "net/linger.h"
#include "process/clock.h"

struct peers {
    struct http_limits limits;
    struct connections *connections;
    struct addresses *addresses; /* NULL: no limit */
    struct lingerers *linger;
    atomic_size_t open[2]; /* main, admin */
    atomic_size_t unheard; /* TLS connections without a first request: it may be a handshake */
    _Atomic uint64_t accepted, refused[HTTP_REFUSED_N];
};

enum vgg_status peers_create(const struct http_limits *limits, struct peers **out,
                             struct vgg_error *error)
{
    struct peers *peers = calloc(1, sizeof *peers);

    if (peers == NULL)
        goto fail;
    peers->limits = *limits;
    if (connections_create(&peers->connections, error) != VGG_OK)
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

/* ---------------------------------------------------------------- clocks --------------------- */

/* The next request begins: its clocks run, whenever the gate lets it through. */
static void start_clocks(struct peer *peer)
{
    const struct http_limits *limits = &peer->peers->limits;

    peer->begun_ns = now_ns();
    watch_phase(peer->watch, CUT_HEADERS);
    watch_set(peer->watch,
              peer->begun_ns + (limits->header_ns < limits->deadline_ns ? limits->header_ns
                                                                        : limits->deadline_ns),
              true);
}

static void on_head(void *context)
{
    struct peer *peer = context;

    if (!peer->busy && peer->begun_ns == 0)
        start_clocks(peer);
}

uint64_t peer_begin(struct peer *peer)
{
    uint64_t begun_ns = peer->begun_ns != 0 ? peer->begun_ns : now_ns();

    if (peer->secret && peer->requests == 0)
        peer->peers->unheard--;
    peer->requests++;
    peer->begun_ns = 0;
    peer->busy = true;
    return begun_ns;
}

const struct gate_fault *peer_fault(const struct peer *peer)
{
    return gate_fault(&peer->gate, peer->requests);
}

bool peer_ends(const struct peer *peer)
{
    return gate_ends(&peer->gate, peer->requests);
}

void peer_end(struct peer *peer)
{
    peer->busy = false;
    peer->linger |= peer_ends(peer);
    if (gate_holds(&peer->gate))
        start_clocks(peer);
    else {
        watch_phase(peer->watch, CUT_IDLE);
        watch_set(peer->watch, now_ns() + peer->peers->limits.idle_ns, false);
    }
    watch_expect(peer->watch, true);
}

/* ---------------------------------------------------------------- connections ---------------- */

/* Count a connection in against the limits; false: it is one too many. */
static bool admit(struct peers *peers, struct peer *peer, int fd, const struct sockaddr *address)
{
    const struct http_limits *limits = &peers->limits;
    size_t max = peer->admin ? PEERS_ADMIN_MAX : limits->connections_max;

    if (atomic_fetch_add(&peers->open[peer->admin], 1) >= max)
        peers->refused[REFUSED_LIMIT]++;
    else if (!peer->admin && peers->addresses != NULL &&
             (peer->address = addresses_take(peers->addresses, address)) == NULL)
        peers->refused[REFUSED_ADDRESS]++;
    else {
        peer->watch = watch_add(peers->connections, fd, now_ns() + limits->header_ns);
        if (peer->watch != NULL && gate_init(&peer->gate, limits->header_max, on_head, peer))
            return true;
        watch_remove(peer->watch);
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
    peer->secret = session != NULL;
    if (!admit(peers, peer, fd, address)) {
        free(peer);
        return NULL;
    }
    peers->unheard += peer->secret;
    interpose_add(&peer->interposed, &peer->gate, fd, session);
    return peer;
}

void peer_destroy(struct peer *peer, int fd)
{
    struct peers *peers = peer->peers;

    interpose_remove(&peer->interposed);
    gate_fini(&peer->gate);
    watch_remove(peer->watch);
    peers->unheard -= peer->secret && peer->requests == 0;
    if (peer->linger)
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
    return peers->unheard;
}
