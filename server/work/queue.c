/* The queue: three lanes, and what is known of the work in them. */
#include "work/queue.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "process/clock.h"

enum {
    ITEMS_MAX = 4096, /* whatever they cost: each holds a connection and a body */
    SPEEDS = 8        /* models that are remembered; those in use are kept */
};

/* Weight of the past in a measured speed, for each measurement: about the last 20 count. */
static const double DECAY = 0.95;

/*
 * What a unit of decoding takes at least: before any is measured, and where pictures took less than
 * predicted, as most arithmetic-coded ones do, the others are not quicker for it.
 */
static const double DECODE_NS_MIN = 2.5;

/* A lane whose memory is taken up looks for dead items this often. */
static const uint64_t LOOK_NS = 100 * NS_PER_MS;

struct speed {
    uint64_t model;
    uint64_t pending_macs; /* of items not finished */
    uint64_t used;         /* stamp of its last use */
    double macs, ns;       /* measured */
};

struct lane {
    pthread_cond_t wake;
    struct queue_item *first, **last;
    uint64_t overtaken_macs; /* taken past the first item, less what was taken in order since */
    uint64_t bytes;          /* held by its items */
    uint64_t decode;         /* of its items waiting or being decoded */
    double decoded, ns;      /* measured */
};

struct queue {
    struct queue_options options;
    pthread_mutex_t mutex;
    struct lane lanes[QUEUE_LANES];
    struct speed speeds[SPEEDS];
    uint64_t stamp;
    size_t active; /* items not finished */
    size_t begun;  /* those of which something is computed */
    bool closed;
};

struct queue *queue_create(const struct queue_options *options)
{
    struct queue *queue = calloc(1, sizeof *queue);
    pthread_condattr_t attributes;

    if (queue == NULL)
        return NULL;
    queue->options = *options;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    for (size_t i = 0; i < QUEUE_LANES; i++) {
        pthread_cond_init(&queue->lanes[i].wake, &attributes);
        queue->lanes[i].last = &queue->lanes[i].first;
    }
    pthread_condattr_destroy(&attributes);
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL)
        return;
    assert(queue->active == 0);
    for (size_t i = 0; i < QUEUE_LANES; i++)
        pthread_cond_destroy(&queue->lanes[i].wake);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* Needs the mutex. */
static void append(struct lane *lane, struct queue_item *item)
{
    item->next = NULL;
    *lane->last = item;
    lane->last = &item->next;
    pthread_cond_signal(&lane->wake);
}

/* ---------------------------------------------------------------- predictions ---------------- */

/* Needs the mutex. A model not seen lately takes the place of the one unused for longest. */
static struct speed *speed_of(struct queue *queue, uint64_t model)
{
    struct speed *chosen = NULL;

    for (size_t i = 0; i < SPEEDS; i++) {
        struct speed *speed = &queue->speeds[i];

        if (speed->used != 0 && speed->model == model) {
            chosen = speed;
            break;
        }
        if (chosen == NULL || (chosen->pending_macs != 0 && speed->pending_macs == 0) ||
            ((chosen->pending_macs == 0) == (speed->pending_macs == 0) &&
             speed->used < chosen->used))
            chosen = speed;
    }
    if (chosen->model != model && chosen->pending_macs == 0)
        *chosen = (struct speed){.model = model};
    chosen->used = ++queue->stamp;
    return chosen;
}

/* Needs the mutex. Nothing is predicted before anything was measured. */
static double engine_ns(const struct queue *queue)
{
    double ns = 0;

    for (size_t i = 0; i < SPEEDS; i++)
        if (queue->speeds[i].macs > 0)
            ns +=
                (double)queue->speeds[i].pending_macs * queue->speeds[i].ns / queue->speeds[i].macs;
    return ns;
}

/* Needs the mutex. */
static double decode_ns(const struct queue *queue, enum queue_lane which)
{
    const struct lane *lane = &queue->lanes[which];
    double unit_ns = lane->decoded != 0 ? lane->ns / lane->decoded : 0;

    return (double)lane->decode * fmax(unit_ns, DECODE_NS_MIN) / queue->options.workers[which];
}

void queue_measured(struct queue *queue, uint64_t model, uint64_t macs, uint64_t duration_ns)
{
    struct speed *speed;

    pthread_mutex_lock(&queue->mutex);
    speed = speed_of(queue, model);
    speed->macs = speed->macs * DECAY + (double)macs;
    speed->ns = speed->ns * DECAY + (double)duration_ns;
    pthread_mutex_unlock(&queue->mutex);
}

/* ---------------------------------------------------------------- in ------------------------- */

/* Needs the mutex. */
static void admit(struct queue *queue, struct queue_item *item)
{
    struct speed *speed = speed_of(queue, item->model);

    speed->pending_macs += item->macs;
    item->speed = (size_t)(speed - queue->speeds);
    item->left_macs = item->macs;
    item->begun = false;
    queue->active++;
    queue->lanes[item->lane].decode += item->decode;
    append(&queue->lanes[item->lane], item);
}

bool queue_try_push(struct queue *queue, struct queue_item *item, unsigned *retry_after_s)
{
    double ahead_ns, over_s;
    bool admitted;

    assert(item->lane < QUEUE_ANSWER);
    pthread_mutex_lock(&queue->mutex);
    ahead_ns = fmax(engine_ns(queue), decode_ns(queue, item->lane));
    admitted = !queue->closed && queue->active < ITEMS_MAX &&
               (queue->active == 0 || ahead_ns <= (double)queue->options.ahead_ns_max);
    if (admitted)
        admit(queue, item);
    pthread_mutex_unlock(&queue->mutex);
    /* When the backlog will have fallen to the limit. */
    over_s = ceil((ahead_ns - (double)queue->options.ahead_ns_max) / (double)NS_PER_S);
    *retry_after_s = over_s > 1 ? (over_s < 3600 ? (unsigned)over_s : 3600) : 1;
    return admitted;
}

/* ---------------------------------------------------------------- out ------------------------ */

/*
 * Needs the mutex. The link to a dead item, else to the one whose turn it is: as in the engine, the
 * first of up to twice the least work, or the oldest where as much was done past it.
 */
static struct queue_item **find_turn(struct queue *queue, struct lane *lane)
{
    struct queue_item **turn = &lane->first;
    uint64_t least = UINT64_MAX;

    for (struct queue_item **link = &lane->first; *link != NULL; link = &(*link)->next) {
        if (queue->options.dead != NULL && queue->options.dead(*link))
            return link;
        if ((*link)->macs < least)
            least = (*link)->macs;
    }
    if (lane->overtaken_macs < lane->first->macs)
        while ((*turn)->macs / 2 > least)
            turn = &(*turn)->next;
    return turn;
}

/* Needs the mutex. Does the lane's memory allow an item? A dead one takes none. */
static bool fits(const struct queue *queue, const struct lane *lane, const struct queue_item *item)
{
    return lane->bytes == 0 || lane->bytes + item->bytes <= queue->options.bytes_max ||
           (queue->options.dead != NULL && queue->options.dead(item));
}

/* Needs the mutex. */
static struct queue_item *unlink_item(struct lane *lane, struct queue_item **link)
{
    struct queue_item *item = *link;

    *link = item->next;
    if (item->next == NULL)
        lane->last = link;
    return item;
}

/* Needs the mutex. NULL where there is none, or no memory for it. */
static struct queue_item *take_turn(struct queue *queue, struct lane *lane)
{
    struct queue_item **link;

    if (lane->first == NULL)
        return NULL;
    link = find_turn(queue, lane);
    if (!fits(queue, lane, *link))
        return NULL;
    if (link != &lane->first)
        lane->overtaken_macs += (*link)->macs;
    else
        lane->overtaken_macs -=
            (*link)->macs < lane->overtaken_macs ? (*link)->macs : lane->overtaken_macs;
    lane->bytes += (*link)->bytes;
    return unlink_item(lane, link);
}

/* Needs the mutex. */
static struct queue_item *take(struct queue *queue, enum queue_lane which)
{
    struct lane *lane = &queue->lanes[which];

    if (which != QUEUE_ANSWER)
        return take_turn(queue, lane);
    return lane->first != NULL ? unlink_item(lane, &lane->first) : NULL;
}

/* Needs the mutex. */
static bool is_over(const struct queue *queue, enum queue_lane which)
{
    return queue->closed &&
           (which == QUEUE_ANSWER ? queue->active == 0 : queue->lanes[which].first == NULL);
}

struct queue_item *queue_pop(struct queue *queue, enum queue_lane which)
{
    struct lane *lane = &queue->lanes[which];
    struct queue_item *item;

    pthread_mutex_lock(&queue->mutex);
    while ((item = take(queue, which)) == NULL && !is_over(queue, which)) {
        uint64_t until_ns = now_ns() + LOOK_NS;
        struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};

        if (lane->first == NULL)
            pthread_cond_wait(&lane->wake, &queue->mutex);
        else
            pthread_cond_timedwait(&lane->wake, &queue->mutex, &until);
    }
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

/* ---------------------------------------------------------------- on the way ----------------- */

void queue_decoded(struct queue *queue, struct queue_item *item, uint64_t duration_ns)
{
    struct lane *lane = &queue->lanes[item->lane];

    pthread_mutex_lock(&queue->mutex);
    assert(lane->decode >= item->decode);
    lane->decode -= item->decode;
    if (duration_ns != 0) {
        lane->decoded = lane->decoded * DECAY + (double)item->decode;
        lane->ns = lane->ns * DECAY + (double)duration_ns;
    }
    pthread_mutex_unlock(&queue->mutex);
}

/* Needs the mutex. */
static void settle(struct queue *queue, struct queue_item *item, uint64_t macs)
{
    if (macs > item->left_macs)
        macs = item->left_macs;
    item->left_macs -= macs;
    assert(queue->speeds[item->speed].pending_macs >= macs);
    queue->speeds[item->speed].pending_macs -= macs;
}

void queue_progress(struct queue *queue, struct queue_item *item, uint64_t macs)
{
    pthread_mutex_lock(&queue->mutex);
    settle(queue, item, macs);
    queue->begun += !item->begun;
    item->begun = true;
    pthread_mutex_unlock(&queue->mutex);
}

void queue_computed(struct queue *queue, struct queue_item *item)
{
    pthread_mutex_lock(&queue->mutex);
    settle(queue, item, item->left_macs);
    append(&queue->lanes[QUEUE_ANSWER], item);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_finish(struct queue *queue, struct queue_item *item)
{
    struct lane *lane = &queue->lanes[item->lane];

    pthread_mutex_lock(&queue->mutex);
    assert(queue->active > 0 && lane->bytes >= item->bytes);
    queue->active--;
    queue->begun -= item->begun;
    lane->bytes -= item->bytes;
    pthread_cond_signal(&lane->wake);
    if (queue->closed && queue->active == 0)
        pthread_cond_broadcast(&queue->lanes[QUEUE_ANSWER].wake);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    for (size_t i = 0; i < QUEUE_LANES; i++)
        pthread_cond_broadcast(&queue->lanes[i].wake);
    pthread_mutex_unlock(&queue->mutex);
}

struct queue_state queue_get_state(struct queue *queue)
{
    struct queue_state state;
    double ns;

    pthread_mutex_lock(&queue->mutex);
    state.depth = queue->active - queue->begun;
    ns = engine_ns(queue);
    for (enum queue_lane lane = 0; lane < QUEUE_ANSWER; lane++)
        ns = fmax(ns, decode_ns(queue, lane));
    state.cost_s = ns / (double)NS_PER_S;
    pthread_mutex_unlock(&queue->mutex);
    return state;
}
