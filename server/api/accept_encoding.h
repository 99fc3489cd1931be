/* Accept-Encoding (RFC 9110, 12.5.3), as far as to choose between gzip and nothing. */
#ifndef ACCEPT_ENCODING_H
#define ACCEPT_ENCODING_H

#include <stdbool.h>

/* Weights in thousandths; -1: not named. */
struct accept_encoding {
    int gzip, identity, any;
};

#define ACCEPT_ENCODING_NONE                                                                       \
    {                                                                                              \
        -1, -1, -1                                                                                 \
    }

/* Add what one header says. */
void accept_encoding_add(struct accept_encoding *wish, const char *header);

/* Is gzip acceptable, and no worse than the bytes as they are? */
bool accept_encoding_gzip(const struct accept_encoding *wish);

#endif
