/*
 * The team: a generation counter wakes the threads, an atomic counter hands out the items. A thread
 * joins a loop while it is open; the caller closes it when no item is left, and waits for those
 * that have joined and for no others: a thread whose processor is busy with something else delays
 * nobody. A layer of a network is a handful of loops of some hundred microseconds, so whoever waits
 * for the next loop, or for the end of this one, spins for about as long before it sleeps.
 */
#include "base/team.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"

enum { SPINS = 2000 }; /* pauses of 10 to 60 ns */

/* The state: a loop's generation, whether it is open, and how many threads are in it. */
enum { JOINED = VGG_TEAM_THREADS_MAX, OPEN = JOINED + 1, GENERATION = 2 * OPEN };

struct worker {
    struct vgg_team *team;
    pthread_t thread;
    unsigned index;
};

struct vgg_team {
    unsigned threads;
    unsigned started; /* workers[0 .. started - 1] run */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a loop was opened or stop set */
    pthread_cond_t idle; /* the last has left a closed loop */
    bool stop;
    atomic_uint_fast64_t state;
    vgg_team_fn *fn; /* until `items`: of the open loop */
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

static void run_items(struct vgg_team *team, unsigned thread)
{
    size_t item;

    while ((item = atomic_fetch_add(&team->next, 1)) < team->items)
        team->fn(team->context, item, thread);
}

/* Is there no loop to join after this generation? */
static bool none_since(uint64_t generation, uint64_t state)
{
    return state / GENERATION == generation || (state & OPEN) == 0;
}

/* Wait for a loop, then try to join it before it closes. False: the team ends. */
static bool join(struct vgg_team *team, uint64_t *generation)
{
    uint64_t state = atomic_load(&team->state);

    do {
        for (int i = 0; i < SPINS && none_since(*generation, state); i++) {
            pause_cpu();
            state = atomic_load(&team->state);
        }
        if (none_since(*generation, state)) {
            pthread_mutex_lock(&team->mutex);
            while (!team->stop && none_since(*generation, state = atomic_load(&team->state)))
                pthread_cond_wait(&team->wake, &team->mutex);
            pthread_mutex_unlock(&team->mutex);
            if (none_since(*generation, state))
                return false;
        }
    } while (!atomic_compare_exchange_weak(&team->state, &state, state + 1));
    *generation = state / GENERATION;
    return true;
}

static void leave(struct vgg_team *team)
{
    if ((atomic_fetch_sub(&team->state, 1) & (OPEN | JOINED)) != 1)
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_signal(&team->idle);
    pthread_mutex_unlock(&team->mutex);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    uint64_t generation = 0;

    while (join(worker->team, &generation)) {
        run_items(worker->team, worker->index);
        leave(worker->team);
    }
    return NULL;
}

enum vgg_status vgg_team_create(unsigned threads, struct vgg_team **out, struct vgg_error *error)
{
    struct vgg_team *team;

    assert(threads >= 1);
    if (threads > VGG_TEAM_THREADS_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%u threads are over the limit of %d", threads,
                        VGG_TEAM_THREADS_MAX);
    team = vgg_calloc(1, sizeof *team + (threads - 1) * sizeof *team->workers);
    if (team == NULL)
        return vgg_fail_memory(error);
    team->threads = threads;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->idle, NULL);
    for (; team->started < threads - 1; team->started++) {
        struct worker *worker = &team->workers[team->started];

        worker->team = team;
        worker->index = team->started + 1;
        if (vgg_thread_start(&worker->thread, worker_main, worker) != 0) {
            vgg_team_destroy(team);
            return vgg_fail(error, VGG_NO_MEMORY, "cannot start %u compute threads", threads);
        }
    }
    *out = team;
    return VGG_OK;
}

void vgg_team_destroy(struct vgg_team *team)
{
    if (team == NULL)
        return;
    pthread_mutex_lock(&team->mutex);
    team->stop = true;
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (unsigned i = 0; i < team->started; i++)
        pthread_join(team->workers[i].thread, NULL);
    pthread_cond_destroy(&team->idle);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    free(team);
}

unsigned vgg_team_threads(const struct vgg_team *team)
{
    return team->threads;
}

void vgg_team_run(struct vgg_team *team, vgg_team_fn *fn, void *context, size_t items)
{
    if (team->threads == 1 || items == 1) {
        for (size_t i = 0; i < items; i++)
            fn(context, i, 0);
        return;
    }
    pthread_mutex_lock(&team->mutex);
    assert((team->state & (OPEN | JOINED)) == 0);
    team->fn = fn;
    team->context = context;
    team->items = items;
    atomic_store(&team->next, 0);
    atomic_fetch_add(&team->state, GENERATION + OPEN);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);

    run_items(team, 0);

    atomic_fetch_sub(&team->state, OPEN);
    for (int i = 0; i < SPINS && (atomic_load(&team->state) & JOINED) != 0; i++)
        pause_cpu();
    if ((atomic_load(&team->state) & JOINED) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    while ((atomic_load(&team->state) & JOINED) != 0)
        pthread_cond_wait(&team->idle, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}
