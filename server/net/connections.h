/*
 * The connections and their limits in time, kept by one thread: a request must arrive whole before
 * its deadline, an idle connection or one that does not read its answer is cut. libmicrohttpd's own
 * timeout starts again at every byte, which a client that sends one byte a second exploits. The
 * thread also finds out which clients no longer wait for their answers.
 *
 * Path of a request: listener -> peers, [connections], gate -> http -> routes -> ...
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include "net/connection_state.h"
#include "vgg.h"

struct connections;
struct connection;

/* Start the thread. Errors: NO_MEMORY. */
enum vgg_status connections_create(const struct connection_times *times,
                                   struct connections **connections, struct vgg_error *error);

/* Every connection must have been removed. NULL is allowed. */
void connections_destroy(struct connections *connections);

/* Watch a socket until connection_remove. NULL when out of memory. */
struct connection *connection_add(struct connections *connections, int fd, bool handshake);

/* Must be called before the socket is closed. NULL is allowed. */
void connection_remove(struct connection *connection);

/*
 * Something has happened. True: the state is another now. What connection_next does not know of is
 * a fault in the program: the connection is shut down, and its state stays. Each connection has its
 * network thread, from which events come but for EVENT_RESPOND and EVENT_DEFER of a request that is
 * deferred, which come from the thread that has it.
 */
bool connection_event(struct connection *connection, enum connection_event event);

/* EVENT_ADMIT of a request with this deadline (CLOCK_MONOTONIC). */
void connection_admit(struct connection *connection, uint64_t deadline_ns);

/* Thread-safe; it stays what it is only as far as events are the caller's. */
enum connection_state connection_get_state(const struct connection *connection);

/* When its request began (CLOCK_MONOTONIC). On its network thread. */
uint64_t connection_get_begun_ns(const struct connection *connection);

/* Count one that was cut by somebody else. */
void connections_count_cut(struct connections *connections, enum connection_cut cut);

void connections_get_cuts(struct connections *connections, uint64_t cuts[CONNECTION_CUTS_N]);

/* Connections that are busy or have unread bytes. */
size_t connections_busy(struct connections *connections);

/* Connections in a state. */
size_t connections_in(struct connections *connections, enum connection_state state);

#endif
