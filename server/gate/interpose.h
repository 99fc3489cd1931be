/*
 * How the gate comes before libmicrohttpd: this program defines recv, gnutls_record_recv and
 * gnutls_record_check_pending itself. The library is linked dynamically, so that its calls come
 * here first; those for connections that were added go through their gates, all others, GnuTLS's
 * own recv among them, to the real functions. gnutls_handshake is here too, since the library
 * closes without an alert.
 */
#ifndef INTERPOSE_H
#define INTERPOSE_H

#include "gate/gate.h"

/* A connection's entry. */
struct interposed {
    struct gate *gate;
    const void *session;
    int fd;
    struct interposed *next;
};

/* From now on, what is read of a socket or, unless that is NULL, of a TLS session is the gate's. */
void interpose_add(struct interposed *entry, struct gate *gate, int fd, const void *session);

/* Before the socket is closed. */
void interpose_remove(struct interposed *entry);

#endif
