/*
 * Limits in time of every connection, kept by one thread: a request must arrive whole before its
 * deadline, an idle connection or one that does not read its answer is cut. libmicrohttpd's own
 * timeout starts again at every byte, which a client that sends one byte a second exploits.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include "vgg.h"

struct connections;
struct connection_watch;

/* Start the thread. Errors: NO_MEMORY. */
enum vgg_status connections_create(struct connections **connections, struct vgg_error *error);

/* Every watch must have been removed. NULL is allowed. */
void connections_destroy(struct connections *connections);

/* Watch a socket until watch_remove. NULL when out of memory. */
struct connection_watch *watch_add(struct connections *connections, int fd, uint64_t deadline_ns);

/* Must be called before the socket is closed. */
void watch_remove(struct connection_watch *watch);

/*
 * Is the server waiting for bytes of this client? If so, it is cut once it has closed its side and
 * all it sent has been read: libmicrohttpd overlooks that where data and end come together.
 */
void watch_expect(struct connection_watch *watch, bool bytes);

/* When to cut the connection (CLOCK_MONOTONIC); 0: never. `busy`: it has a request. */
void watch_set(struct connection_watch *watch, uint64_t deadline_ns, bool busy);

/* Watches that are busy or have unread bytes. */
size_t connections_busy(struct connections *connections);

/* All watches. */
size_t connections_count(struct connections *connections);

#endif
