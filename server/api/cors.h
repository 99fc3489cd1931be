/* Which web pages of other origins may use the server (--cors-origin). */
#ifndef CORS_H
#define CORS_H

#include "vgg.h"

/* Headers of ours: those that a request may have, and those of an answer that a script may read. */
#define CORS_TAKEN                                                                                 \
    "Authorization, Content-Type, Content-Encoding, Inference-Header-Content-Length, "             \
    "X-Request-Id, X-Request-Timeout-Ms, traceparent"
#define CORS_EXPOSED "X-Request-Id, Retry-After, Inference-Header-Content-Length"

/* A list is "*", or origins as browsers send them, "https://host[:port]", separated by commas. */
enum vgg_status cors_check(const char *list, struct vgg_error *error);

/* Does a checked list name an origin? NULL is none. */
bool cors_allows(const char *list, const char *origin);

#endif
