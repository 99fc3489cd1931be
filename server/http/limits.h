/* What connections may do, and how often one was ended for it. */
#ifndef LIMITS_H
#define LIMITS_H

#include "net/connections.h"

struct http_limits {
    size_t header_max; /* bytes of request line and headers; at most HEAD_FIELDS_MAX of them */
    size_t connections_max;
    size_t connections_per_address; /* 0: any number */
    uint64_t deadline_ns;           /* of a request, from its first byte */
    uint64_t header_ns;             /* from accepting, or from the first byte, to their end */
    uint64_t idle_ns;               /* a connection between requests, or not reading its answer */
};

/* X(name, label): why a connection was closed as soon as it was accepted. */
#define HTTP_REFUSED(X)                                                                            \
    X(LIMIT, "limit")                                                                              \
    X(ADDRESS, "address_limit")                                                                    \
    X(NO_MEMORY, "out_of_memory")

#define HTTP_ENUM_REFUSED(name, label) REFUSED_##name,
enum http_refused { HTTP_REFUSED(HTTP_ENUM_REFUSED) HTTP_REFUSED_N };

/* Of both listeners, since the start. */
struct http_counts {
    uint64_t accepted, open, refused[HTTP_REFUSED_N], cut[CONNECTION_CUTS_N];
};

#endif
