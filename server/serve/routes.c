/*
 * Which path goes where. Every request comes through routes_admit at its headers and, unless that
 * has answered it, through routes_handle with its body, both on a network thread; one that is
 * malformed or declares too long a body comes through routes_refuse instead.
 */
#include "serve/routes.h"

#include <stdio.h>
#include <string.h>

#include "api/admin.h"
#include "api/classify.h"
#include "api/cors.h"
#include "api/openapi.h"
#include "api/page.h"
#include "api/page_files.h"
#include "api/respond.h"
#include "api/status.h"
#include "api/unpack.h"
#include "process/clock.h"
#include "text/text.h"
#include "v2/v2.h"

struct route {
    const char *path;
    bool admin;
    bool post; /* else GET and HEAD */
    bool open; /* needs no token */
    enum metrics_route metric;
    void (*handle)(struct server *server, struct http_request *request);
    /* What it knows of a request before its body, or NULL. False with the problem. */
    bool (*check)(struct server *server, const struct http_request *request,
                  struct problem *problem);
};

/* ---------------------------------------------------------------- dispatch ------------------- */

static const struct route routes[] = {
    {"/classify", .post = true, .metric = ROUTE_CLASSIFY, .handle = classify_handle,
     .check = classify_check},
    {"/livez", .open = true, .metric = ROUTE_LIVEZ, .handle = status_livez},
    {"/readyz", .open = true, .metric = ROUTE_READYZ, .handle = status_readyz},
    {"/healthz", .open = true, .metric = ROUTE_HEALTHZ, .handle = status_readyz},
    {"/metrics", .metric = ROUTE_METRICS, .handle = status_metrics},
    {"/model", .metric = ROUTE_MODEL, .handle = status_model},
    {"/admin/model", .admin = true, .metric = ROUTE_ADMIN_MODEL, .handle = status_model},
    {"/admin/reload", .admin = true, .post = true, .metric = ROUTE_ADMIN_RELOAD,
     .handle = admin_reload},
    {"/admin/rollback", .admin = true, .post = true, .metric = ROUTE_ADMIN_ROLLBACK,
     .handle = admin_rollback},
    {"/openapi.json", .metric = ROUTE_OPENAPI, .handle = openapi_handle},
    {"/v2", .metric = ROUTE_V2, .handle = v2_handle_server},
    {"/v2/health/live", .open = true, .metric = ROUTE_V2_LIVE, .handle = v2_handle_live},
    {"/v2/health/ready", .open = true, .metric = ROUTE_V2_READY, .handle = v2_handle_ready},
    {"/v2/models/{model}", .metric = ROUTE_V2_MODEL, .handle = v2_handle_model},
    {"/v2/models/{model}/versions/{version}", .metric = ROUTE_V2_MODEL, .handle = v2_handle_model},
    {"/v2/models/{model}/ready", .metric = ROUTE_V2_MODEL_READY, .handle = v2_handle_model_ready},
    {"/v2/models/{model}/versions/{version}/ready", .metric = ROUTE_V2_MODEL_READY,
     .handle = v2_handle_model_ready},
    {"/v2/models/stats", .metric = ROUTE_V2_STATS, .handle = v2_handle_stats},
    {"/v2/models/{model}/stats", .metric = ROUTE_V2_STATS, .handle = v2_handle_stats},
    {"/v2/models/{model}/versions/{version}/stats", .metric = ROUTE_V2_STATS,
     .handle = v2_handle_stats},
    {"/v2/models/{model}/config", .metric = ROUTE_V2_CONFIG, .handle = v2_handle_config},
    {"/v2/models/{model}/versions/{version}/config", .metric = ROUTE_V2_CONFIG,
     .handle = v2_handle_config},
    {"/v2/models/{model}/infer", .post = true, .metric = ROUTE_V2_INFER, .handle = v2_handle_infer,
     .check = v2_check_infer},
    {"/v2/models/{model}/versions/{version}/infer", .post = true, .metric = ROUTE_V2_INFER,
     .handle = v2_handle_infer, .check = v2_check_infer},
    {"/v2/repository/index", .admin = true, .post = true, .metric = ROUTE_V2_INDEX,
     .handle = v2_handle_index},
    {"/v2/repository/models/{model}/load", .admin = true, .post = true, .metric = ROUTE_V2_LOAD,
     .handle = v2_handle_load, .check = v2_check_model},
    {"/v2/repository/models/{model}/unload", .admin = true, .post = true, .metric = ROUTE_V2_UNLOAD,
     .handle = v2_handle_unload, .check = v2_check_model},
#define PAGE_ROUTE(name, path, file, type)                                                         \
    {path, .open = true, .metric = ROUTE_PAGE, .handle = page_handle},
    PAGE_FILES(PAGE_ROUTE)
#undef PAGE_ROUTE
};

/* The route of a path, on the admin listener or on the main one. */
static const struct route *find_on(const struct http_request *request, bool admin)
{
    const char *path = v2_route(request->path);
    size_t size = server_path_size(path);

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (routes[i].admin == admin && strncmp(routes[i].path, path, size) == 0 &&
            routes[i].path[size] == '\0')
            return &routes[i];
    return NULL;
}

static const struct route *find_route(const struct http_request *request)
{
    return find_on(request, request->admin);
}

static bool method_fits(const struct route *route, const char *method)
{
    if (route->post)
        return strcmp(method, "POST") == 0;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static const char *methods_of(const struct route *route)
{
    return route->post ? "POST" : "GET, HEAD";
}

static void set_route(struct http_request *request, const struct route *route)
{
    request->route = route != NULL ? route->metric : ROUTE_OTHER;
    if (route != NULL && strchr(route->path, '{') == NULL)
        request->path = route->path; /* without a slash at its end */
}

/* ---------------------------------------------------------------- other origins -------------- */

/* Never on the admin listener. */
static void set_cors(const struct server *server, struct http_request *request)
{
    const char *origins = server->options->cors_origins;

    if (request->admin || origins == NULL)
        return;
    request->response.vary_origin = true;
    request->response.allow_origin = cors_allows(origins, request->origin);
    request->response.exposed = CORS_EXPOSED;
}

/* Does a browser ask whether it may send what a script wants to? */
static bool is_preflight(const struct http_request *request)
{
    return request->response.vary_origin && request->origin != NULL &&
           strcmp(request->method, "OPTIONS") == 0 &&
           http_header(request, "Access-Control-Request-Method") != NULL;
}

static void respond_preflight(struct server *server, struct http_request *request,
                              const struct route *route)
{
    struct problem problem;

    if (request->response.allow_origin) {
        request->response.preflight_methods = methods_of(route);
        request->response.preflight_headers = CORS_TAKEN;
        respond_empty(request);
        return;
    }
    problem_set(&problem, PROBLEM_CROSS_ORIGIN,
                "scripts of %s may not use this server (--cors-origin)",
                text_quote(request->origin, strlen(request->origin)).text);
    respond_problem(server, request, &problem, 0);
}

/* ---------------------------------------------------------------- requests ------------------- */

/* False with the problem, whatever the body will be. */
static bool admit(struct server *server, const struct route *route, struct http_request *request,
                  struct problem *problem)
{
    if (request->admin && request->origin != NULL)
        problem_set(problem, PROBLEM_CROSS_ORIGIN,
                    "the admin listener takes nothing from web pages (header Origin)");
    else if ((route == NULL || !route->open) &&
             !secrets_admit(&server->secrets, request->admin, request->authorization))
        problem_set(problem, PROBLEM_UNAUTHORIZED,
                    "send the header \"Authorization: Bearer TOKEN\" with this server's token");
    else if (route == NULL)
        problem_set(problem, PROBLEM_NOT_FOUND, "there is nothing at %s%s",
                    text_quote(request->path, strlen(request->path)).text,
                    find_on(request, !request->admin) == NULL ? ""
                    : request->admin                          ? ": it is on the main listener"
                                                              : ": it is on the admin listener");
    else if (v2_is_nowhere(server, request->path, problem))
        return false; /* whatever the method */
    else if (!method_fits(route, request->method)) {
        request->response.allow = methods_of(route);
        problem_set(problem, PROBLEM_BAD_METHOD, "%s takes %s", route->path,
                    request->response.allow);
    } else if (route->post && request->coding == CODING_UNKNOWN) {
        request->response.accept_encoding = CODINGS_READ;
        problem_set(problem, PROBLEM_MEDIA_TYPE,
                    "Content-Encoding: one of " CODINGS_READ " is read, or none");
    } else
        return route->check == NULL || route->check(server, request, problem);
    return false;
}

/* "OPTIONS *" asks what the server as a whole can do. */
static void respond_options(struct http_request *request)
{
    request->response.allow = "GET, HEAD, POST, OPTIONS";
    respond_empty(request);
}

bool routes_admit(void *app, struct http_request *request)
{
    struct server *server = app;
    const struct route *route = find_route(request);
    struct problem problem;

    set_route(request, route);
    set_cors(server, request);
    if (route != NULL && is_preflight(request))
        respond_preflight(server, request, route);
    else if (strcmp(request->path, "*") == 0)
        respond_options(request);
    else if (admit(server, route, request, &problem))
        return true;
    else
        respond_problem(server, request, &problem, 0);
    return false;
}

void routes_handle(void *app, struct http_request *request)
{
    struct server *server = app;
    const struct route *route = find_route(request);

    if (route->post && request->body == HTTP_BODY_CODED)
        unpack_handle(server, request, route->handle);
    else
        route->handle(server, request);
}

void routes_refuse(void *app, struct http_request *request, enum http_refusal why)
{
    struct server *server = app;
    struct problem problem;

    set_route(request, find_route(request));
    set_cors(server, request);
    if (why == HTTP_MALFORMED)
        problem_set(&problem, problem_of_http(request->fault->status), "%s",
                    request->fault->detail);
    else
        problem_set(&problem, PROBLEM_BODY_TOO_LARGE,
                    "the declared body is over the limit of %llu bytes (--max-body)",
                    (unsigned long long)server->options->body_max);
    respond_problem(server, request, &problem, 0);
}

size_t routes_no_memory(void *app, struct http_request *request, char body[HTTP_NO_MEMORY_BYTES])
{
    static const enum problem_kind kind = PROBLEM_NO_MEMORY;

    (void)app;
    request->problem = problem_type(kind);
    snprintf(request->detail, sizeof request->detail, "out of memory");
    request->response.status = problem_status(kind);
    request->response.type = "application/problem+json";
    request->response.retry_after_s = 1;
    return (size_t)snprintf(body, HTTP_NO_MEMORY_BYTES,
                            "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\","
                            "\"request_id\":\"%s\"}\n",
                            request->problem, problem_title(kind), request->response.status,
                            request->detail, request->id);
}

/* Where a request ended that has no answer. */
static enum metrics_cancelled end_of(const struct http_request *request, bool body_cut)
{
    if (body_cut)
        return CANCELLED_BODY;
    if (!request->dropped)
        return CANCELLED_ANSWER;
    return request->begun ? CANCELLED_INFER : CANCELLED_QUEUE;
}

void routes_done(void *app, const struct http_request *request, unsigned status, bool body_cut)
{
    struct server *server = app;

    if (status != 0)
        metrics_request(server->work.metrics, request->route, status,
                        now_ns() - request->received_ns);
    else
        metrics_cancelled(server->work.metrics, end_of(request, body_cut));
    log_access(request, status);
}

bool routes_closing(void *app)
{
    struct server *server = app;

    return server->phase != SERVER_SERVING;
}
