/*
 * What every request for predictions goes through, whatever protocol it came by: a task of work/
 * on behalf of an HTTP request, with its count in the statistics and its answer.
 *
 * Path of a request: classify or v2_infer -> [prediction] -> work/task ... -> [prediction] -> http
 */
#ifndef PREDICTION_H
#define PREDICTION_H

#include "api/server.h"
#include "work/task.h"

/* What the protocols do differently. */
struct prediction_kind {
    /*
     * On a worker, once all is computed: the answer, malloc'ed, its length in *size; NULL when out
     * of memory. May set the media type and the headers of request->response.
     */
    char *(*encode)(const struct task *task, struct http_request *request, size_t *size);
    void (*data_destroy)(void *data);
};

/* Of a task: the kind's own data. */
void *prediction_data(const struct task *task);

/*
 * A task with the server's defaults for `n` pictures, which the caller sets. Takes over the
 * reference to the model and, where it succeeds, `data`. NULL: out of memory.
 */
struct task *prediction_create(const struct prediction_kind *kind, void *data,
                               struct server *server, struct http_request *request,
                               struct vgg_model *model, size_t n);

/* Is a request taken at all, as things are? Cheap. */
bool prediction_welcome(const struct server *server, const struct http_request *request,
                        struct problem *problem);

/* task_check. A request that fails it is counted. */
bool prediction_check(struct task *task, const struct option_scales *scales,
                      struct problem *problem);

/* Queue it, or answer that it is not. The request is deferred. */
void prediction_submit(struct task *task);

#endif
