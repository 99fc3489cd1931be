/* Names of requests: X-Request-Id, and W3C trace contexts. */
#ifndef REQUEST_ID_H
#define REQUEST_ID_H

#include <stdbool.h>

enum {
    HTTP_ID_MAX = 128,        /* characters of X-Request-Id */
    HTTP_TRACEPARENT_MAX = 55 /* characters, W3C trace context version 00 */
};

/* [A-Za-z0-9._-], at least one and at most HTTP_ID_MAX. */
bool request_id_valid(const char *id);

/* A random one. */
void request_id_make(char id[HTTP_ID_MAX + 1]);

/* Version 00 of traceparent: 00-<32 hex>-<16 hex>-<2 hex>, neither id all zero. */
bool traceparent_valid(const char *text);

#endif
