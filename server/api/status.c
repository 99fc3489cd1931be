/* The state of the server and its model. */
#include "api/status.h"

#include <string.h>

#include "answer/json.h"
#include "api/respond.h"
#include "models/reload.h"

void status_livez(struct server *server, struct http_request *request)
{
    size_t size = 0;
    char *json = json_status("ok", &size);

    respond_json(server, request, 200, json, size);
}

void status_readyz(struct server *server, struct http_request *request)
{
    bool ready = server->phase == SERVER_SERVING;
    size_t size = 0;
    char *json = json_status(ready ? "ok" : "draining", &size);

    respond_json(server, request, ready ? 200 : 503, json, size);
}

char *status_model_json(const struct server *server, const struct vgg_model *model, bool labels,
                        size_t *size)
{
    const struct vgg_model_info *info = vgg_model_get_info(model);
    const struct option_scales *scales = &server->options->work.scales;

    return json_model(model, scales->n != 0 ? scales->scales : info->scales,
                      scales->n != 0 ? scales->n : info->scales_n, server->options->work.flip,
                      labels, size);
}

static bool on_model_parameter(void *context, const char *name, const char *value)
{
    bool *labels = context;

    if (strcmp(name, "labels") == 0)
        *labels = value != NULL && strcmp(value, "1") == 0;
    return true;
}

void status_model(struct server *server, struct http_request *request)
{
    bool labels = false;
    struct vgg_model *model = model_slot_get(&server->model);
    size_t size = 0;
    char *json;

    http_query(request, on_model_parameter, &labels);
    json = status_model_json(server, model, labels, &size);
    vgg_model_release(model);
    respond_json(server, request, 200, json, size);
}

void status_metrics(struct server *server, struct http_request *request)
{
    double load_s;
    struct vgg_model *model = model_slot_get_timed(&server->model, &load_s);
    struct queue_state queue = queue_get_state(server->work.queue);
    struct http_counts counts;
    const struct secrets_state secrets = secrets_get_state(&server->secrets);
    struct metrics_gauges gauges = {
        .in_flight = http_in_flight(server->http),
        .queue_depth = queue.depth,
        .queue_cost_s = queue.cost_s,
        .model_load_s = load_s,
        .threads = server->options->threads,
        .model = vgg_model_get_info(model),
        .http = &counts,
        .tls_until_s = secrets.tls_until_s,
        .secrets_reloads = {secrets.reloads[0], secrets.reloads[1]},
        .log_lines_dropped = log_dropped(),
    };
    size_t size = 0;
    char *text;

    http_get_counts(server->http, &counts);
    reloader_get_counts(server->reloader, gauges.model_reloads);
    text = metrics_render(server->work.metrics, &gauges, &size);

    vgg_model_release(model);
    respond_bytes(server, request, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
