/*
 * The end of connections that were answered before all they sent was read, as with a body that is
 * declared too large. Closing such a socket resets the connection, and the reset overtakes the
 * answer; so what still comes is read and dropped for a while, until the client closes too.
 */
#ifndef LINGER_H
#define LINGER_H

#include "vgg.h"

struct lingerers;

/* Start the thread. NULL where that cannot be. */
struct lingerers *linger_create(void);

/* Close all that is left and end. NULL is allowed. */
void linger_destroy(struct lingerers *linger);

/*
 * Take over a connection that will be closed: the descriptor stays the caller's to close at once.
 * Where there are too many already it is simply closed. Thread-safe, never blocks.
 */
void linger_add(struct lingerers *linger, int fd);

#endif
