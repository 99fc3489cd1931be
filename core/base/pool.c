/*
 * The pool: a generation counter wakes the threads, an atomic counter hands out the items. A layer
 * of a network is a handful of loops of some hundred microseconds, so whoever waits for the next
 * loop, or for the end of this one, spins for about as long before it sleeps.
 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

enum { SPINS = 2000 }; /* pauses of 10 to 60 ns */

struct worker {
    struct vgg_pool *pool;
    pthread_t thread;
    unsigned index;
};

struct vgg_pool {
    unsigned threads;
    unsigned started; /* workers[0 .. started - 1] run */
    pthread_mutex_t mutex;
    pthread_cond_t wake;     /* generation moved or stop set */
    pthread_cond_t idle;     /* busy fell to 0 */
    atomic_ulong generation; /* one for each loop */
    atomic_uint busy;        /* workers still in the current loop */
    bool stop;
    vgg_pool_fn *fn;
    void *context;
    size_t items;
    atomic_size_t next;
    struct worker workers[];
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_items(struct vgg_pool *pool, unsigned thread)
{
    size_t item;

    while ((item = atomic_fetch_add(&pool->next, 1)) < pool->items)
        pool->fn(pool->context, item, thread);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct vgg_pool *pool = worker->pool;
    unsigned long seen = 0;

    for (;;) {
        for (int i = 0; i < SPINS && atomic_load(&pool->generation) == seen; i++)
            pause_cpu();
        pthread_mutex_lock(&pool->mutex);
        while (!pool->stop && pool->generation == seen)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->mutex);
        run_items(pool, worker->index);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->idle);
        pthread_mutex_unlock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

enum vgg_status vgg_pool_create(unsigned threads, struct vgg_pool **out, struct vgg_error *error)
{
    struct vgg_pool *pool;

    assert(threads >= 1);
    pool = vgg_calloc(1, sizeof *pool + (threads - 1) * sizeof *pool->workers);
    if (pool == NULL)
        return vgg_fail_memory(error);
    pool->threads = threads;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    for (; pool->started < threads - 1; pool->started++) {
        struct worker *worker = &pool->workers[pool->started];

        worker->pool = pool;
        worker->index = pool->started + 1;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            vgg_pool_destroy(pool);
            return vgg_fail(error, VGG_NO_MEMORY, "cannot start %u compute threads", threads);
        }
    }
    *out = pool;
    return VGG_OK;
}

void vgg_pool_destroy(struct vgg_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

unsigned vgg_pool_threads(const struct vgg_pool *pool)
{
    return pool->threads;
}

void vgg_pool_run(struct vgg_pool *pool, vgg_pool_fn *fn, void *context, size_t items)
{
    if (pool->threads == 1 || items == 1) {
        for (size_t i = 0; i < items; i++)
            fn(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    assert(pool->busy == 0);
    pool->fn = fn;
    pool->context = context;
    pool->items = items;
    atomic_store(&pool->next, 0);
    pool->busy = pool->threads - 1;
    pool->generation++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);

    run_items(pool, 0);

    for (int i = 0; i < SPINS && atomic_load(&pool->busy) != 0; i++)
        pause_cpu();
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy != 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
