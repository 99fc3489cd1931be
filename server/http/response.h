/* What goes into the head of an answer. */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "http/request.h"

/* Each header of request->response to `add`; false as soon as that is. `closing`: the connection.
 */
bool response_headers(const struct http_request *request, bool closing,
                      bool (*add)(void *context, const char *name, const char *value),
                      void *context);

/* The fewest that do: what there may be memory for where there was none for more. */
bool response_headers_bare(const struct http_request *request,
                           bool (*add)(void *context, const char *name, const char *value),
                           void *context);

#endif
