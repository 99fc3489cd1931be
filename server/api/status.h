/* What the server says of itself: GET /livez, /readyz, /healthz, /metrics, /model, /admin/model. */
#ifndef STATUS_H
#define STATUS_H

#include "api/server.h"

void status_livez(struct server *server, struct http_request *request);
void status_readyz(struct server *server, struct http_request *request);
void status_metrics(struct server *server, struct http_request *request);
void status_model(struct server *server, struct http_request *request);

/*
 * What GET /model answers of a model, with `labels` for ?labels=1: malloc'ed, NULL when out of
 * memory.
 */
char *status_model_json(const struct server *server, const struct vgg_model *model, bool labels,
                        size_t *size);

#endif
