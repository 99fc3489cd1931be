/* Answers to requests. */
#include "api/respond.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/json.h"
#include "http/media_type.h"
#include "text/text.h"

static void respond(struct http_request *request, unsigned status, const char *type, char *body,
                    size_t size)
{
    request->response.status = status;
    request->response.type = type;
    request->response.body = body;
    request->response.size = body != NULL ? size : 0;
    http_respond(request);
}

static void count_shed(struct server *server, enum problem_kind kind)
{
    struct metrics *metrics = server->work.metrics;

    if (kind == PROBLEM_QUEUE_FULL)
        metrics_shed(metrics, SHED_QUEUE_FULL);
    else if (kind == PROBLEM_DRAINING)
        metrics_shed(metrics, SHED_DRAINING);
    else if (kind == PROBLEM_NO_MEMORY)
        metrics_shed(metrics, SHED_NO_MEMORY);
}

bool respond_in_v2(const char *path)
{
    return strncmp(path, "/v2", 3) == 0 && (path[3] == '\0' || path[3] == '/');
}

static char *v2_error(const char *detail, size_t *size)
{
    struct text text = {0};

    text_print(&text, "{\"error\":");
    text_json(&text, detail);
    text_print(&text, "}\n");
    return text_take(&text, size);
}

/*
 * `curl -d @FILE` leaves out line ends and zeros, and names the type of a form. What is left of a
 * picture fails in many ways, none of which says so.
 */
static bool is_stripped(const struct http_request *request, const struct problem *problem)
{
    const struct http_part *body = request->parts_n == 1 ? request->parts : NULL;

    return (problem->kind == PROBLEM_BAD_IMAGE || problem->kind == PROBLEM_UNSUPPORTED_FORMAT) &&
           media_type_is(request->content_type, "application/x-www-form-urlencoded") &&
           body != NULL && memchr(body->bytes, '\n', body->size) == NULL &&
           memchr(body->bytes, '\r', body->size) == NULL &&
           memchr(body->bytes, '\0', body->size) == NULL;
}

void respond_problem(struct server *server, struct http_request *request,
                     const struct problem *given, unsigned retry_after_s)
{
    unsigned status = problem_status(given->kind);
    bool v2 = respond_in_v2(request->path);
    struct problem problem = *given;
    size_t size = 0;
    char *json;

    if (!v2 && is_stripped(request, given))
        problem_set(&problem, given->kind,
                    "%.250s (curl -d strips newlines from a file: send it with --data-binary)",
                    given->detail);
    request->problem = problem_type(problem.kind);
    snprintf(request->detail, sizeof request->detail, "%s", problem.detail);
    json = v2 ? v2_error(problem.detail, &size) : json_problem(&problem, request->id, NULL, &size);
    if (status == 503)
        request->response.retry_after_s = retry_after_s != 0 ? retry_after_s : 1;
    request->response.challenge = status == 401 ? "Bearer realm=\"vgg\"" : NULL;
    count_shed(server, problem.kind);
    respond(request, status, v2 ? "application/json" : "application/problem+json", json, size);
}

void respond_bytes(struct server *server, struct http_request *request, unsigned status,
                   const char *type, char *body, size_t size)
{
    if (body == NULL)
        count_shed(server, PROBLEM_NO_MEMORY);
    respond(request, status, type, body, size);
}

void respond_json(struct server *server, struct http_request *request, unsigned status, char *json,
                  size_t size)
{
    respond_bytes(server, request, status, "application/json", json, size);
}

void respond_empty(struct http_request *request)
{
    respond(request, 204, NULL, calloc(1, 1), 0);
}
