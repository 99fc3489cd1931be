/* What goes into the head of an answer. */
#ifndef ANSWER_H
#define ANSWER_H

#include "http/http.h"

/* Each header of request->response to `add`; false as soon as that is. `closing`: the connection.
 */
bool answer_headers(const struct http_request *request, bool closing,
                    bool (*add)(void *context, const char *name, const char *value), void *context);

#endif
