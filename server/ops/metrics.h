/* Prometheus metrics. Label sets are fixed, so that every series exists at zero from the start. */
#ifndef METRICS_H
#define METRICS_H

#include "vgg.h"

struct http_counts;

/* X(name, label). A request has the first where its path is no route, or was not read yet. */
#define METRICS_ROUTES(X)                                                                          \
    X(OTHER, "other")                                                                              \
    X(CLASSIFY, "/classify")                                                                       \
    X(LIVEZ, "/livez")                                                                             \
    X(READYZ, "/readyz")                                                                           \
    X(HEALTHZ, "/healthz")                                                                         \
    X(METRICS, "/metrics")                                                                         \
    X(MODEL, "/model")                                                                             \
    X(PAGE, "/")                                                                                   \
    X(OPENAPI, "/openapi.json")                                                                    \
    X(V2, "/v2")                                                                                   \
    X(V2_LIVE, "/v2/health/live")                                                                  \
    X(V2_READY, "/v2/health/ready")                                                                \
    X(V2_MODEL, "/v2/models/{model}")                                                              \
    X(V2_MODEL_READY, "/v2/models/{model}/ready")                                                  \
    X(V2_CONFIG, "/v2/models/{model}/config")                                                      \
    X(V2_STATS, "/v2/models/{model}/stats")                                                        \
    X(V2_INFER, "/v2/models/{model}/infer")                                                        \
    X(V2_INDEX, "/v2/repository/index")                                                            \
    X(V2_LOAD, "/v2/repository/models/{model}/load")                                               \
    X(V2_UNLOAD, "/v2/repository/models/{model}/unload")                                           \
    X(ADMIN_MODEL, "/admin/model")                                                                 \
    X(ADMIN_RELOAD, "/admin/reload")                                                               \
    X(ADMIN_ROLLBACK, "/admin/rollback")

#define METRICS_STAGES(X)                                                                          \
    X(QUEUE, "queue")                                                                              \
    X(DECODE, "decode")                                                                            \
    X(RESCALE, "rescale")                                                                          \
    X(INFER, "infer")                                                                              \
    X(ENCODE, "encode")

/* Why a request was turned away with 503. */
#define METRICS_SHED(X)                                                                            \
    X(QUEUE_FULL, "queue_full")                                                                    \
    X(DRAINING, "draining")                                                                        \
    X(NO_MEMORY, "out_of_memory")

/* Where a request ended without an answer of ours. */
#define METRICS_CANCELLED(X)                                                                       \
    X(BODY, "body")                                                                                \
    X(QUEUE, "queue")                                                                              \
    X(INFER, "infer")                                                                              \
    X(ANSWER, "answer")

#define METRICS_ENUM_ROUTE(name, label) ROUTE_##name,
#define METRICS_ENUM_STAGE(name, label) STAGE_##name,
#define METRICS_ENUM_SHED(name, label) SHED_##name,
#define METRICS_ENUM_CANCELLED(name, label) CANCELLED_##name,
enum metrics_route { METRICS_ROUTES(METRICS_ENUM_ROUTE) METRICS_ROUTES_N };
enum metrics_stage { METRICS_STAGES(METRICS_ENUM_STAGE) METRICS_STAGES_N };
enum metrics_shed { METRICS_SHED(METRICS_ENUM_SHED) METRICS_SHED_N };
enum metrics_cancelled { METRICS_CANCELLED(METRICS_ENUM_CANCELLED) METRICS_CANCELLED_N };

const char *metrics_route_label(enum metrics_route route);

struct metrics;

/* NULL when out of memory. All functions below are thread-safe. */
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

void metrics_request(struct metrics *metrics, enum metrics_route route, unsigned code,
                     uint64_t duration_ns);
void metrics_stage(struct metrics *metrics, enum metrics_stage stage, uint64_t duration_ns);
void metrics_shed(struct metrics *metrics, enum metrics_shed reason);
void metrics_cancelled(struct metrics *metrics, enum metrics_cancelled stage);
void metrics_batch(struct metrics *metrics, size_t views);
/* A picture was answered with a typicality. */
void metrics_typicality(struct metrics *metrics, bool known);

/* What is read when it is asked for. */
struct metrics_gauges {
    size_t in_flight;
    size_t queue_depth;
    double queue_cost_s;
    double model_load_s;
    uint64_t model_reloads[2]; /* failed, succeeded */
    unsigned threads;
    const struct vgg_model_info *model;
    const struct http_counts *http;
    double tls_until_s;          /* end of the certificate in Unix time, 0 without TLS */
    uint64_t secrets_reloads[2]; /* failed, succeeded */
    uint64_t log_lines_dropped;
};

/* The whole exposition, malloc'ed, its length in *size; NULL when out of memory. */
char *metrics_render(struct metrics *metrics, const struct metrics_gauges *gauges, size_t *size);

#endif
