/*
 * The pool: a generation counter wakes the threads, an atomic counter hands out the items. A thread
 * joins a loop while it is open; the caller closes it when no item is left, and waits for those
 * that have joined and for no others: a thread whose processor is busy with something else delays
 * nobody. A layer of a network is a handful of loops of some hundred microseconds, so whoever waits
 * for the next loop, or for the end of this one, spins for about as long before it sleeps.
 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"

enum { SPINS = 2000 }; /* pauses of 10 to 60 ns */

/* The state: a loop's generation, whether it is open, and how many threads are in it. */
enum { JOINED = VGG_POOL_THREADS_MAX, OPEN = JOINED + 1, GENERATION = 2 * OPEN };

struct worker {
    struct vgg_pool *pool;
    pthread_t thread;
    unsigned index;
};

struct vgg_pool {
    unsigned threads;
    unsigned started; /* workers[0 .. started - 1] run */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a loop was opened or stop set */
    pthread_cond_t idle; /* the last has left a closed loop */
    bool stop;
    atomic_uint_fast64_t state;
    vgg_pool_fn *fn; /* until `items`: of the open loop */
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

/* Is there no loop to join after this generation? */
static bool none_since(uint64_t generation, uint64_t state)
{
    return state / GENERATION == generation || (state & OPEN) == 0;
}

/* Wait for a loop, then try to join it before it closes. False: the pool ends. */
static bool join(struct vgg_pool *pool, uint64_t *generation)
{
    uint64_t state = atomic_load(&pool->state);

    do {
        for (int i = 0; i < SPINS && none_since(*generation, state); i++) {
            pause_cpu();
            state = atomic_load(&pool->state);
        }
        if (none_since(*generation, state)) {
            pthread_mutex_lock(&pool->mutex);
            while (!pool->stop && none_since(*generation, state = atomic_load(&pool->state)))
                pthread_cond_wait(&pool->wake, &pool->mutex);
            pthread_mutex_unlock(&pool->mutex);
            if (none_since(*generation, state))
                return false;
        }
    } while (!atomic_compare_exchange_weak(&pool->state, &state, state + 1));
    *generation = state / GENERATION;
    return true;
}

static void leave(struct vgg_pool *pool)
{
    if ((atomic_fetch_sub(&pool->state, 1) & (OPEN | JOINED)) != 1)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->idle);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    uint64_t generation = 0;

    while (join(worker->pool, &generation)) {
        run_items(worker->pool, worker->index);
        leave(worker->pool);
    }
    return NULL;
}

enum vgg_status vgg_pool_create(unsigned threads, struct vgg_pool **out, struct vgg_error *error)
{
    struct vgg_pool *pool;

    assert(threads >= 1);
    if (threads > VGG_POOL_THREADS_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%u threads are over the limit of %d", threads,
                        VGG_POOL_THREADS_MAX);
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
        if (vgg_thread_start(&worker->thread, worker_main, worker) != 0) {
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
    assert((pool->state & (OPEN | JOINED)) == 0);
    pool->fn = fn;
    pool->context = context;
    pool->items = items;
    atomic_store(&pool->next, 0);
    atomic_fetch_add(&pool->state, GENERATION + OPEN);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);

    run_items(pool, 0);

    atomic_fetch_sub(&pool->state, OPEN);
    for (int i = 0; i < SPINS && (atomic_load(&pool->state) & JOINED) != 0; i++)
        pause_cpu();
    if ((atomic_load(&pool->state) & JOINED) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    while ((atomic_load(&pool->state) & JOINED) != 0)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
