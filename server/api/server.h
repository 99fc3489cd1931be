/* What the parts of a running server share. */
#ifndef SERVER_H
#define SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "answer/problem.h"
#include "http/http.h"
#include "models/model_slot.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "ops/secrets.h"
#include "process/options.h"
#include "work/budget.h"
#include "work/queue.h"

struct openapi;
struct reloader;
struct statistics;

/* The life of a server; it only moves forward. */
enum server_phase {
    PHASE_SERVING,
    PHASE_DRAINING, /* not ready any more, still accepting */
    PHASE_CLOSING,  /* not accepting; the first request of a connection is still served */
    PHASE_ABORTING  /* the drain timeout has passed: jobs are dropped */
};

/* Options of `vgg serve`. */
struct serve_options {
    const char *model, *listen, *admin_listen;
    struct secrets_files secrets;
    struct option_scales scales; /* n 0: the model's */
    bool flip, fc_half;
    uint32_t top_k, threads, images_max;
    uint64_t body_max, pixels_max, view_pixels_max;
    uint64_t cost_max; /* MACs; 0: four square photographs at the default scales */
    uint64_t queue_ns, deadline_ns, drain_delay_ns, drain_timeout_ns;
    uint32_t connections_max, connections_per_address;
    uint64_t header_max, header_ns, idle_ns;
    const char *cors_origins; /* as for cors_allows; NULL: none */
    enum option_log log;
};

struct server {
    const struct serve_options *options;
    struct vgg_engine *engine;
    struct model_slot model;
    struct reloader *reloader;
    struct http *http;
    struct parsers *parsers;
    struct queue *queue;
    struct metrics *metrics;
    struct statistics *statistics;
    struct openapi *openapi;
    struct budget decode_budget; /* pixels of large pictures */
    struct secrets secrets;
    _Atomic enum server_phase phase;
};

/* Answer a request with a problem, which its line in the log will name; `retry_after_s` 0 takes the
 * kind's default. */
void server_respond_problem(struct server *server, struct http_request *request,
                            const struct problem *problem, unsigned retry_after_s);

/* Answer a request with malloc'ed bytes, or 503 where they are NULL. */
void server_respond(struct server *server, struct http_request *request, unsigned status,
                    const char *type, char *body, size_t size);

/* The same with a line of JSON. */
void server_respond_json(struct server *server, struct http_request *request, unsigned status,
                         char *json, size_t size);

/* Bytes of a path without the slash at its end: it leads where it would without. */
static inline size_t server_path_size(const char *path)
{
    size_t size = strlen(path);

    return size > 1 && path[size - 1] == '/' ? size - 1 : size;
}

/* routes.c: the handlers of http.h, with a struct server as their context. */
bool routes_admit(void *app, struct http_request *request);
void routes_handle(void *app, struct http_request *request);
void routes_refuse(void *app, struct http_request *request, enum http_refusal why);
size_t routes_no_memory(void *app, struct http_request *request, char body[HTTP_NO_MEMORY_BYTES]);
void routes_done(void *app, const struct http_request *request, unsigned status, bool body_cut);
bool routes_closing(void *app);

/* routes.c: what GET /model answers, with `labels` for ?labels=1, malloc'ed; NULL when out of
 * memory.
 */
char *server_model_json(const struct server *server, const struct vgg_model *model, bool labels,
                        size_t *size);

/* admin.c: POST /admin/reload and /admin/rollback, on a network thread. */
void admin_reload(struct server *server, struct http_request *request);
void admin_rollback(struct server *server, struct http_request *request);

/* classify.c: POST /classify at its headers, then whole. */
bool classify_check(struct server *server, const struct http_request *request,
                    struct problem *problem);
void classify_handle(struct server *server, struct http_request *request);

#endif
