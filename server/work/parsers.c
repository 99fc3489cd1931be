/* Parsers. */
#include "work/parsers.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    THREADS = 2,     /* one long body does not stop the others */
    ITEMS_MAX = 4096 /* waiting; the bodies have a budget of their own */
};

struct parsers {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct parser_item *first, **last;
    size_t waiting;
    bool stop;
    size_t threads_n;
    pthread_t threads[THREADS];
};

static _Thread_local bool on_parser;

static void *parser_main(void *argument)
{
    struct parsers *parsers = argument;

    on_parser = true;
    pthread_mutex_lock(&parsers->mutex);
    for (;;) {
        struct parser_item *item = parsers->first;

        if (item == NULL) {
            if (parsers->stop)
                break;
            pthread_cond_wait(&parsers->wake, &parsers->mutex);
            continue;
        }
        parsers->first = item->next;
        if (parsers->first == NULL)
            parsers->last = &parsers->first;
        parsers->waiting--;
        pthread_mutex_unlock(&parsers->mutex);
        item->parse(item);
        pthread_mutex_lock(&parsers->mutex);
    }
    pthread_mutex_unlock(&parsers->mutex);
    return NULL;
}

enum vgg_status parsers_create(struct parsers **out, struct vgg_error *error)
{
    struct parsers *parsers = calloc(1, sizeof *parsers);

    if (parsers == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    parsers->last = &parsers->first;
    pthread_mutex_init(&parsers->mutex, NULL);
    pthread_cond_init(&parsers->wake, NULL);
    for (; parsers->threads_n < THREADS; parsers->threads_n++)
        if (pthread_create(&parsers->threads[parsers->threads_n], NULL, parser_main, parsers) !=
            0) {
            parsers_stop(parsers);
            parsers_destroy(parsers);
            return vgg_fail(error, VGG_NO_MEMORY, "cannot start the parser threads");
        }
    *out = parsers;
    return VGG_OK;
}

void parsers_stop(struct parsers *parsers)
{
    if (parsers == NULL)
        return;
    pthread_mutex_lock(&parsers->mutex);
    parsers->stop = true;
    pthread_cond_broadcast(&parsers->wake);
    pthread_mutex_unlock(&parsers->mutex);
    for (size_t i = 0; i < parsers->threads_n; i++)
        pthread_join(parsers->threads[i], NULL);
    parsers->threads_n = 0;
}

void parsers_destroy(struct parsers *parsers)
{
    if (parsers == NULL)
        return;
    pthread_cond_destroy(&parsers->wake);
    pthread_mutex_destroy(&parsers->mutex);
    free(parsers);
}

bool parsers_try_push(struct parsers *parsers, struct parser_item *item)
{
    bool fits;

    if (on_parser) { /* a body that was inflated here does not queue again */
        item->parse(item);
        return true;
    }
    item->next = NULL;
    pthread_mutex_lock(&parsers->mutex);
    fits = !parsers->stop && parsers->waiting < ITEMS_MAX;
    if (fits) {
        *parsers->last = item;
        parsers->last = &item->next;
        parsers->waiting++;
        pthread_cond_signal(&parsers->wake);
    }
    pthread_mutex_unlock(&parsers->mutex);
    return fits;
}
