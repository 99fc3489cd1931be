/* The queue. */
#include "queue.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"

enum { ITEMS_MAX = 4096 }; /* whatever they cost: each holds a connection and a body */

/* Weight of the past in the measured speed, for each pass: about the last 20 passes count. */
static const double DECAY = 0.95;

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint64_t ahead_ns_max;
    struct queue_item *first, **last;
    size_t depth;
    uint64_t macs; /* waiting and being worked on */
    size_t active; /* items waiting and being worked on */
    double measured_macs, measured_ns;
    bool closed;
};

struct queue *queue_create(uint64_t ahead_ns_max)
{
    struct queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL)
        return NULL;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->wake, NULL);
    queue->ahead_ns_max = ahead_ns_max;
    queue->last = &queue->first;
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL)
        return;
    assert(queue->first == NULL);
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* Needs the mutex. Nothing is predicted before anything was measured. */
static double predicted_ns(const struct queue *queue)
{
    if (queue->measured_macs == 0)
        return 0;
    return (double)queue->macs * queue->measured_ns / queue->measured_macs;
}

bool queue_try_push(struct queue *queue, struct queue_item *item, unsigned *retry_after_s)
{
    double ahead_ns, over_s;
    bool admitted;

    pthread_mutex_lock(&queue->mutex);
    ahead_ns = predicted_ns(queue);
    admitted = !queue->closed && queue->depth < ITEMS_MAX &&
               (queue->active == 0 || ahead_ns <= (double)queue->ahead_ns_max);
    if (admitted) {
        item->next = NULL;
        *queue->last = item;
        queue->last = &item->next;
        queue->depth++;
        queue->active++;
        queue->macs += item->macs;
        pthread_cond_signal(&queue->wake);
    }
    pthread_mutex_unlock(&queue->mutex);
    /* When the backlog will have fallen to the limit. */
    over_s = ceil((ahead_ns - (double)queue->ahead_ns_max) / (double)NS_PER_S);
    *retry_after_s = over_s > 1 ? (over_s < 3600 ? (unsigned)over_s : 3600) : 1;
    return admitted;
}

struct queue_item *queue_pop(struct queue *queue)
{
    struct queue_item *item;

    pthread_mutex_lock(&queue->mutex);
    while (queue->first == NULL && !queue->closed)
        pthread_cond_wait(&queue->wake, &queue->mutex);
    item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        if (queue->first == NULL)
            queue->last = &queue->first;
        queue->depth--;
    }
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

void queue_finish(struct queue *queue, uint64_t macs)
{
    pthread_mutex_lock(&queue->mutex);
    assert(queue->active > 0 && queue->macs >= macs);
    queue->active--;
    queue->macs -= macs;
    pthread_mutex_unlock(&queue->mutex);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->wake);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_measured(struct queue *queue, uint64_t macs, uint64_t duration_ns)
{
    pthread_mutex_lock(&queue->mutex);
    queue->measured_macs = queue->measured_macs * DECAY + (double)macs;
    queue->measured_ns = queue->measured_ns * DECAY + (double)duration_ns;
    pthread_mutex_unlock(&queue->mutex);
}

struct queue_state queue_get_state(struct queue *queue)
{
    struct queue_state state;

    pthread_mutex_lock(&queue->mutex);
    state.depth = queue->depth;
    state.cost_s = predicted_ns(queue) / (double)NS_PER_S;
    pthread_mutex_unlock(&queue->mutex);
    return state;
}
