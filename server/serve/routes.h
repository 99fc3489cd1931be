/* The handlers of http/http.h, with a struct server as their context. */
#ifndef ROUTES_H
#define ROUTES_H

#include "api/server.h"

bool routes_admit(void *app, struct http_request *request);
void routes_handle(void *app, struct http_request *request);
void routes_refuse(void *app, struct http_request *request, enum http_refusal why);
size_t routes_no_memory(void *app, struct http_request *request, char body[HTTP_NO_MEMORY_BYTES]);
void routes_done(void *app, const struct http_request *request, unsigned status, bool body_cut);
bool routes_closing(void *app);

#endif
