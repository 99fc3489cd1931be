/*
 * Limits in time of every connection, kept by one thread: a request must arrive whole before its
 * deadline, an idle connection or one that does not read its answer is cut. libmicrohttpd's own
 * timeout starts again at every byte, which a client that sends one byte a second exploits. It also
 * finds out which clients no longer wait for their answers.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include <stdatomic.h>

#include "vgg.h"

/*
 * X(name, label): why a connection was cut. For being late with its headers (or before them, with
 * its first request or the TLS handshake), its body, its next request, or reading its answer; for
 * what is not HTTP or breaks its limits; for a TLS handshake that failed.
 */
#define CONNECTION_CUTS(X)                                                                         \
    X(HEADERS, "headers")                                                                          \
    X(BODY, "body")                                                                                \
    X(IDLE, "idle")                                                                                \
    X(ANSWER, "answer")                                                                            \
    X(MALFORMED, "malformed")                                                                      \
    X(HANDSHAKE, "handshake")

#define CONNECTION_CUT_ENUM(name, label) CUT_##name,
enum connection_cut { CONNECTION_CUTS(CONNECTION_CUT_ENUM) CONNECTION_CUTS_N };

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

/* What a late connection will count as from now on; at first HEADERS. */
void watch_phase(struct connection_watch *watch, enum connection_cut phase);

/* Count one that was cut by somebody else. */
void connections_count_cut(struct connections *connections, enum connection_cut cut);

void connections_get_cuts(struct connections *connections, uint64_t cuts[CONNECTION_CUTS_N]);

/*
 * From now on, *gone becomes true once the client has closed its connection; NULL: no more. The end
 * of its stream alone may mean that it only sends nothing more, as a client may that still reads.
 * So it is sent one byte of urgent data, which no reader of the stream sees and a closed socket
 * answers with a reset.
 */
void watch_await(struct connection_watch *watch, atomic_bool *gone);

/* Watches that are busy or have unread bytes. */
size_t connections_busy(struct connections *connections);

/* All watches. */
size_t connections_count(struct connections *connections);

#endif
