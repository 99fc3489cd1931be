/* Workers. */
#include "workers.h"

#include <stdlib.h>

struct workers {
    unsigned n;
    pthread_t threads[];
};

static void *worker_main(void *argument)
{
    struct server *server = argument;
    struct queue_item *item;

    while ((item = queue_pop(server->queue)) != NULL)
        classify_run(server, item);
    return NULL;
}

enum vgg_status workers_create(struct server *server, unsigned n, struct workers **out,
                               struct vgg_error *error)
{
    struct workers *workers = calloc(1, sizeof *workers + n * sizeof *workers->threads);

    if (workers == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    for (; workers->n < n; workers->n++)
        if (pthread_create(&workers->threads[workers->n], NULL, worker_main, server) != 0) {
            queue_close(server->queue);
            workers_destroy(workers);
            return vgg_fail(error, VGG_NO_MEMORY, "cannot start %u worker threads", n);
        }
    *out = workers;
    return VGG_OK;
}

void workers_destroy(struct workers *workers)
{
    if (workers == NULL)
        return;
    for (unsigned i = 0; i < workers->n; i++)
        pthread_join(workers->threads[i], NULL);
    free(workers);
}
