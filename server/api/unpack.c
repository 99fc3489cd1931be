/* Inflating bodies on parsers. */
#include "api/unpack.h"

#include <stdlib.h>

#include "api/respond.h"
#include "work/parsers.h"

struct unpack {
    struct parser_item item; /* first */
    struct server *server;
    struct http_request *request;
    void (*handle)(struct server *server, struct http_request *request);
};

/* Why a body could not be inflated. False where it could, or where its handler will say so. */
static bool failed(const struct server *server, const struct http_request *request,
                   struct problem *problem)
{
    if (request->body == HTTP_BODY_CORRUPT)
        problem_set(problem, PROBLEM_BAD_ENCODING, "%s", request->body_error);
    else if (request->body == HTTP_BODY_LONG)
        problem_set(problem, PROBLEM_BODY_TOO_LARGE,
                    "the body inflates to more than the limit of %llu bytes (--max-body)",
                    (unsigned long long)server->options->body_max);
    else if (request->body == HTTP_BODY_LATE)
        problem_set(problem, PROBLEM_DEADLINE, "the deadline passed before the body was inflated");
    else
        return false;
    return true;
}

static void parse(struct parser_item *item)
{
    struct unpack *unpack = (struct unpack *)(void *)item;
    struct server *server = unpack->server;
    struct http_request *request = unpack->request;
    void (*handle)(struct server * server, struct http_request * request) = unpack->handle;
    struct problem problem;

    free(unpack);
    http_inflate(request);
    if (http_gone(request)) {
        request->dropped = true;
        http_respond(request);
    } else if (failed(server, request, &problem))
        respond_problem(server, request, &problem, 0);
    else
        handle(server, request);
}

void unpack_handle(struct server *server, struct http_request *request,
                   void (*handle)(struct server *server, struct http_request *request))
{
    struct unpack *unpack = malloc(sizeof *unpack);
    struct problem problem;

    problem_set(&problem, PROBLEM_NO_MEMORY, "out of memory");
    if (unpack != NULL) {
        *unpack = (struct unpack){{NULL, parse}, server, request, handle};
        http_defer(request);
        if (parsers_try_push(server->parsers, &unpack->item))
            return;
        free(unpack);
        problem_set(&problem, PROBLEM_QUEUE_FULL, "too many requests wait to be read");
    }
    respond_problem(server, request, &problem, 0);
}
