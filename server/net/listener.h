/*
 * The thread that accepts connections.
 *
 * Path of a request: [listener] -> peers, connections, gate -> http -> routes -> ...
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>

#include "net/endpoint.h"

struct listener;

/* Who takes over what is accepted. */
struct listener_handler {
    void *context;
    /* On the listener's thread. The socket, which does not block, is the handler's. */
    void (*accepted)(void *context, bool admin, int fd, const void *address, unsigned size);
};

/* Start accepting on both sockets, which it owns from then on. Errors: NO_MEMORY. */
enum vgg_status listener_create(const struct listener_handler *handler, struct endpoint *main,
                                struct endpoint *admin, struct listener **listener,
                                struct vgg_error *error);

/*
 * Accept what has already connected, then close both sockets: whoever the kernel let in is served.
 * NULL is allowed.
 */
void listener_destroy(struct listener *listener);

#endif
