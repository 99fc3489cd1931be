/* "HOST:PORT" as sockets: to listen on, or to connect to. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "vgg.h"

enum {
    ADDRESS_MAX = 64,       /* characters of "[IPv6%zone]:PORT" */
    ENDPOINT_BACKLOG = 1024 /* connections that the kernel lets in before they are accepted */
};

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

#endif
