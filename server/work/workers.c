/* Workers. */
#include "work/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "work/task.h"

enum {
    SMALL_MIN = 2,
    SMALL_MAX =
        16, /* with pictures of at most 1/16 of --max-pixels: as much as one of the others */
    LARGE_MIN = 2,
    LARGE_MAX = 8,
    ANSWERS = 2,
    /*
     * Large pictures take from what the others leave, and of a busy CPU a quarter: an ordinary
     * request takes a third longer then, and four of the largest at once are answered in time.
     */
    LARGE_NICE = 5
};

struct workers;

struct worker {
    struct work *work;
    enum queue_lane lane;
    pthread_t thread;
};

struct workers {
    size_t n;
    struct worker items[];
};

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct queue_item *item;

    if (worker->lane == QUEUE_LARGE) /* of this thread alone, on Linux */
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LARGE_NICE);
    while ((item = queue_pop(worker->work->queue, worker->lane)) != NULL)
        if (worker->lane == QUEUE_ANSWER)
            task_answer(item);
        else
            task_decode(item);
    return NULL;
}

static unsigned within(unsigned n, unsigned min, unsigned max)
{
    return n < min ? min : n > max ? max : n;
}

void workers_plan(unsigned threads, unsigned counts[2])
{
    counts[QUEUE_SMALL] = within(threads, SMALL_MIN, SMALL_MAX);
    counts[QUEUE_LARGE] = within(threads / 2, LARGE_MIN, LARGE_MAX);
}

enum vgg_status workers_create(struct work *work, const unsigned counts[2], struct workers **out,
                               struct vgg_error *error)
{
    const size_t total = counts[QUEUE_SMALL] + counts[QUEUE_LARGE] + ANSWERS;
    struct workers *workers = calloc(1, sizeof *workers + total * sizeof *workers->items);

    if (workers == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    for (; workers->n < total; workers->n++) {
        struct worker *worker = &workers->items[workers->n];

        worker->work = work;
        worker->lane = workers->n < counts[QUEUE_SMALL] ? QUEUE_SMALL
                       : workers->n + ANSWERS < total   ? QUEUE_LARGE
                                                        : QUEUE_ANSWER;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            queue_close(work->queue);
            workers_destroy(workers);
            return vgg_fail(error, VGG_NO_MEMORY, "cannot start %zu worker threads", total);
        }
    }
    *out = workers;
    return VGG_OK;
}

void workers_destroy(struct workers *workers)
{
    if (workers == NULL)
        return;
    for (size_t i = 0; i < workers->n; i++)
        pthread_join(workers->items[i].thread, NULL);
    free(workers);
}
