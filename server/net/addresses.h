/*
 * How many connections each client address has, for the limit per address. An IPv6 client owns the
 * whole of its /64, so that is what counts; an IPv4 address is the same mapped into IPv6 or not.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include "vgg.h"

struct addresses;
struct address_count; /* of one address, while it has connections */
struct sockaddr;

/* At most `connections_max` are counted at a time, `each_max` of one address. NULL: no memory. */
struct addresses *addresses_create(size_t connections_max, size_t each_max);

/* NULL is allowed. */
void addresses_destroy(struct addresses *addresses);

/*
 * Count a connection; NULL where it is one too many. An address that is neither IPv4 nor IPv6 (a
 * socket pair) counts as one. Thread-safe, allocates nothing.
 */
struct address_count *addresses_take(struct addresses *addresses, const struct sockaddr *address);

/* The connection has ended. NULL is allowed. */
void addresses_give(struct addresses *addresses, struct address_count *count);

#endif
