/* Answers to requests: what every handler ends with. On any thread; the request may be gone then.
 */
#ifndef RESPOND_H
#define RESPOND_H

#include "answer/problem.h"
#include "api/server.h"

/* Is it a path of the Open Inference Protocol, whose errors look different? */
bool respond_in_v2(const char *path);

/*
 * A problem, in the form of the protocol that the path belongs to; the request's line in the log
 * will name it. `retry_after_s` 0 takes the default of its status.
 */
void respond_problem(struct server *server, struct http_request *request,
                     const struct problem *problem, unsigned retry_after_s);

/* Malloc'ed bytes, which are taken over, or 503 where they are NULL. */
void respond_bytes(struct server *server, struct http_request *request, unsigned status,
                   const char *type, char *body, size_t size);

/* The same with a line of JSON. */
void respond_json(struct server *server, struct http_request *request, unsigned status, char *json,
                  size_t size);

/* 204 with the headers that request->response has already. */
void respond_empty(struct http_request *request);

#endif
