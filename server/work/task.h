/*
 * A request for predictions, whoever asked and however: the pictures, the admission, and their way
 * over the workers and the engine until it can be answered.
 *
 * Path of a request: api/classify or v2/v2_infer -> api/prediction -> [task, queue]
 *     -> [workers, engine] -> api/prediction -> ...
 */
#ifndef TASK_H
#define TASK_H

#include <stdatomic.h>

#include "answer/evaluation.h"
#include "process/options.h"
#include "work/work.h"

struct task;

/* Whoever asked. */
struct task_client {
    /* Does nobody wait for the answer any more? Thread-safe. */
    bool (*gone)(const struct task *task);
    /* On a worker, once all is computed or given up: answer, and task_finish. */
    void (*answer)(struct task *task);
    /* Free task->data. */
    void (*data_destroy)(void *data);
};

/* Where its time went. */
struct task_timing {
    uint64_t queue_ns; /* waiting, for a worker and for the engine */
    uint64_t decode_ns, rescale_ns, infer_ns;
};

/* It belongs to whoever has popped its item, then to its unfinished jobs. */
struct task {
    struct queue_item item; /* first */
    const struct task_client *client;
    void *data; /* the client's, owned */
    struct work *work;
    struct vgg_model *model; /* one reference */
    struct evaluation_params params;
    uint64_t admitted_ns;
    uint64_t lane_ns; /* from there to its decoding */
    uint64_t deadline_ns;
    struct task_timing timing; /* from answer() on */
    atomic_size_t pending;     /* jobs not finished, and whoever submits them */
    bool several;              /* a picture that fails does not fail the others */
    size_t n;
    struct evaluation evaluations[]; /* their pictures set, all else zero */
};

/*
 * With the defaults of `work`. Takes over the reference to the model and, where it succeeds,
 * `data`. NULL: out of memory.
 */
struct task *task_create(const struct task_client *client, void *data, struct work *work,
                         struct vgg_model *model, size_t n, uint64_t deadline_ns);

/* One that was not submitted. NULL is allowed. */
void task_destroy(struct task *task);

/* Complete the parameters, and look at every picture's header: limits and cost. */
bool task_check(struct task *task, const struct option_scales *scales, struct problem *problem);

/* Queue it. False where the queue is full: *retry_after_s says when to try again. */
bool task_try_submit(struct task *task, unsigned *retry_after_s);

/* On workers: up to the engine, and after it. */
void task_decode(struct queue_item *item);
void task_answer(struct queue_item *item);

/* In answer(): what fails the whole request, or NULL. */
const struct problem *task_problem(const struct task *task);

/* At the end of answer(): it leaves the queue, and is freed. */
void task_finish(struct task *task);

/* For queue_options.dead. */
bool task_dead(const struct queue_item *item);

#endif
