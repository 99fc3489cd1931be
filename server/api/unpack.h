/*
 * Requests whose body is compressed: inflated by a parser, within the limits of a body and before
 * anything looks into it, then handled as if it had come like that.
 *
 * Path of a request: routes -> [parsers: inflate] -> classify or v2_infer or admin -> ...
 */
#ifndef UNPACK_H
#define UNPACK_H

#include "api/server.h"

/* Inflate request->body, an HTTP_BODY_CODED, and go on with `handle`; or answer why not. */
void unpack_handle(struct server *server, struct http_request *request,
                   void (*handle)(struct server *server, struct http_request *request));

#endif
