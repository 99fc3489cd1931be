/* GET /openapi.json: the description of every route, openapi.json linked into the program. */
#ifndef OPENAPI_H
#define OPENAPI_H

struct server;
struct http_request;

void openapi_handle(struct server *server, struct http_request *request);

#endif
