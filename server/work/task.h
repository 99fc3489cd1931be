/*
 * A request for predictions, whatever protocol it came by: the pictures, the admission, and its way
 * over the workers and the engine to its answer.
 *
 * Path of a request: routes -> classify or v2_infer -> [queue] -> [workers, engine] -> ...
 */
#ifndef TASK_H
#define TASK_H

#include "answer/evaluation.h"
#include "api/server.h"

struct task;

/* What the protocols do differently. */
struct task_kind {
    /*
     * On a worker, once all is computed: the answer, malloc'ed, its length in *size; NULL when out
     * of memory. May set the media type and the headers of task->request->response.
     */
    char *(*encode)(struct task *task, size_t *size);
    void (*data_destroy)(void *data);
};

/* It belongs to whoever has popped its item, then to its unfinished jobs. */
struct task {
    struct queue_item item; /* first */
    const struct task_kind *kind;
    struct server *server;
    struct http_request *request;
    struct vgg_model *model; /* one reference */
    struct evaluation_params params;
    void *data; /* the kind's own, owned */
    uint64_t admitted_ns;
    uint64_t queue_ns; /* from there to its decoding */
    uint64_t deadline_ns;
    atomic_size_t pending; /* jobs not finished, and whoever submits them */
    bool several;          /* a picture that fails does not fail the others */
    size_t n;
    struct evaluation evaluations[]; /* their pictures set, all else zero */
};

/* Takes over the reference to the model and, where it succeeds, `data`. NULL: out of memory. */
struct task *task_create(const struct task_kind *kind, struct server *server,
                         struct http_request *request, struct vgg_model *model, size_t n,
                         void *data);

/* NULL is allowed. */
void task_destroy(struct task *task);

/* Is a request taken at all, as things are? Cheap. */
bool task_welcome(const struct server *server, const struct http_request *request,
                  struct problem *problem);

/* Complete the parameters, and look at every picture's header: limits and cost. */
bool task_check(struct task *task, const struct option_scales *scales, struct problem *problem);

/* Queue it, or answer that it is not. The request is deferred. */
void task_submit(struct task *task);

/* On workers: up to the engine, and after it. */
void task_decode(struct server *server, struct queue_item *item);
void task_answer(struct server *server, struct queue_item *item);

/* For queue_options.dead. */
bool task_dead(const struct queue_item *item);

/* Identifies a model to the queue, also a copy loaded later. */
uint64_t task_model_key(const struct vgg_model *model);

#endif
