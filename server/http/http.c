/* Two daemons over one set of peers: the network threads of the main and the admin listener. */
#include "http/http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "http/exchange.h"
#include "http/peers.h"

enum { NETWORK_THREADS = 2 };

struct http {
    struct http_options options;
    struct exchanges exchanges;
    struct peers *peers;
    struct mhd_daemon *daemons[2]; /* main, admin */
};

/* ---------------------------------------------------------------- events --------------------- */

static void *on_opened(void *context, bool admin, int fd, const struct sockaddr *address,
                       void *session)
{
    struct http *http = context;
    struct peer *peer = peer_create(http->peers, admin, fd, address, session);

    if (peer == NULL) /* libmicrohttpd sees its end; what came already finds no peer */
        shutdown(fd, SHUT_RDWR);
    if (session != NULL)
        tls_session_init(peer != NULL ? &peer->tls : NULL, http->options.tls, session);
    return peer;
}

static void on_closed(void *peer, int fd)
{
    peer_destroy(peer, fd);
}

static void *on_begun(void *context, void *peer, struct MHD_Connection *mhd, const char *uri)
{
    struct http *http = context;

    return exchange_create(&http->exchanges, peer, mhd, uri);
}

static bool on_reached(void *exchange, const char *method, const char *path, const char *data,
                       size_t *size)
{
    return exchange_advance(exchange, method, path, data, size);
}

static bool on_starved(void *context, struct MHD_Connection *mhd)
{
    const struct http *http = context;

    return exchanges_starve(&http->exchanges, mhd);
}

static void on_over(void *exchange, bool sent)
{
    exchange_end(exchange, sent);
}

static void on_cut(void *context, enum connection_cut why)
{
    const struct http *http = context;

    peers_count_cut(http->peers, why);
}

/* ---------------------------------------------------------------- start and end -------------- */

static struct mhd_daemon *start_daemon(struct http *http, bool admin)
{
    static const struct mhd_events events = {on_opened,  on_closed, on_begun, on_reached,
                                             on_starved, on_over,   on_cut};
    const struct http_limits *limits = &http->options.limits;
    const struct mhd_options options = {
        .events = &events,
        .context = http,
        .threads = admin ? 1 : NETWORK_THREADS,
        .connections_max = admin ? PEERS_ADMIN_MAX : limits->connections_max,
        .header_max = limits->header_max,
        .admin = admin,
        .tls = !admin && http->options.tls != NULL,
    };

    return mhd_start(&options);
}

enum vgg_status http_create(const struct http_options *options, struct http **out,
                            struct vgg_error *error)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        goto fail;
    http->options = *options;
    if (peers_create(&options->limits, &http->peers, error) != VGG_OK)
        goto fail;
    if (!exchanges_init(&http->exchanges, &http->options))
        goto fail;
    for (size_t i = 0; i < 2; i++)
        if ((http->daemons[i] = start_daemon(http, i == 1)) == NULL)
            goto fail;
    *out = http;
    return VGG_OK;
fail:
    http_destroy(http);
    return vgg_fail(error, VGG_NO_MEMORY, "cannot start the network threads");
}

void http_destroy(struct http *http)
{
    if (http == NULL)
        return;
    for (size_t i = 0; i < 2; i++)
        mhd_stop(http->daemons[i]);
    exchanges_fini(&http->exchanges);
    peers_destroy(http->peers);
    free(http);
}

/* ---------------------------------------------------------------- connections ---------------- */

void http_add_connection(struct http *http, bool admin, int fd, const void *address,
                         unsigned address_size)
{
    if (!mhd_add(http->daemons[admin], fd, address, address_size))
        peers_refuse(http->peers, errno == ENOMEM ? REFUSED_NO_MEMORY : REFUSED_LIMIT);
}

void http_get_counts(struct http *http, struct http_counts *counts)
{
    peers_get_counts(http->peers, counts);
}

size_t http_in_flight(struct http *http)
{
    return peers_in_flight(http->peers);
}

size_t http_unheard(struct http *http)
{
    return peers_unheard(http->peers);
}
