/*
 * Open Inference Protocol v2 (KServe, Triton) on top of what /classify does.
 *
 * The model that serves is version "1", whatever it is; "sha256:..." as its version addresses these
 * very weights and no others.
 */
#ifndef V2_H
#define V2_H

#include "answer/problem.h"
#include "api/server.h"

/*
 * The route's name for a path with a model's name in it, as "/v2/models/{model}/infer"; else the
 * path itself. A slash at the path's end changes nothing.
 */
const char *v2_route(const char *path);

/* Is it a path below the model's that nothing is at? Then the problem says what there is. */
bool v2_is_nowhere(struct server *server, const char *path, struct problem *problem);

void v2_handle_server(struct server *server, struct http_request *request);
void v2_handle_live(struct server *server, struct http_request *request);
void v2_handle_ready(struct server *server, struct http_request *request);
void v2_handle_model(struct server *server, struct http_request *request);
void v2_handle_model_ready(struct server *server, struct http_request *request);
void v2_handle_config(struct server *server, struct http_request *request);
void v2_handle_stats(struct server *server, struct http_request *request); /* of one, or of all */

/* The model that a path names; a reference, or NULL with the problem. */
struct vgg_model *v2_find_model(struct server *server, const char *path, struct problem *problem);

/* Is there that model? */
bool v2_check_model(struct server *server, const struct http_request *request,
                    struct problem *problem);

/* v2_repository.c: the admin listener's. */
void v2_handle_index(struct server *server, struct http_request *request);
void v2_handle_load(struct server *server, struct http_request *request);
void v2_handle_unload(struct server *server, struct http_request *request);

/* v2_infer.c: POST .../infer at its headers, then whole. */
bool v2_check_infer(struct server *server, const struct http_request *request,
                    struct problem *problem);
void v2_handle_infer(struct server *server, struct http_request *request);

#endif
