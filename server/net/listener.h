/* The listening sockets, and the thread that accepts connections for the HTTP layer. */
#ifndef LISTENER_H
#define LISTENER_H

#include "http/http.h"

enum { ADDRESS_MAX = 64 }; /* characters of "[IPv6%zone]:PORT" */

/* One listening socket. */
struct endpoint {
    int fd;
    char address[ADDRESS_MAX]; /* as bound, with the real port */
};

/*
 * Listen on "HOST:PORT", ":PORT" (all addresses) or "[IPv6]:PORT"; port 0 picks a free one.
 * Errors: BAD_ARGUMENT (not an address), IO (the text says why).
 */
enum vgg_status endpoint_open(const char *address, struct endpoint *endpoint,
                              struct vgg_error *error);

/*
 * Connect as a client to an address as above; all addresses mean this machine. `timeout_ns` bounds
 * this and each later step on *fd. Errors: as above.
 */
enum vgg_status endpoint_connect(const char *address, uint64_t timeout_ns, int *fd,
                                 struct vgg_error *error);

/*
 * How this machine reaches a bound address: one on every interface as "localhost:PORT", with
 * `by_name` one on the loopback too.
 */
void endpoint_local(const char *address, bool by_name, char text[ADDRESS_MAX]);

/* fd -1 is allowed. */
void endpoint_close(struct endpoint *endpoint);

struct listener;

/* Start accepting on both sockets, which it owns from then on. Errors: NO_MEMORY. */
enum vgg_status listener_create(struct http *http, struct endpoint *main, struct endpoint *admin,
                                struct listener **listener, struct vgg_error *error);

/*
 * Accept what has already connected, then close both sockets: whoever the kernel let in is served.
 * NULL is allowed.
 */
void listener_destroy(struct listener *listener);

#endif
