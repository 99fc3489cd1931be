/* POST /classify. */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include "answer/problem.h"
#include "api/server.h"

/* At its headers: are the parameters of the query right? */
bool classify_check(struct server *server, const struct http_request *request,
                    struct problem *problem);

/* With its body, on a network thread or a parser. */
void classify_handle(struct server *server, struct http_request *request);

#endif
