/* Buffers go round: free, filled by the reader, stored by whoever comes first, free. */
#include "model/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

struct buffer {
    struct vgg_chunk chunk;
    uint64_t number; /* of the chunk, in the order of the file */
    struct buffer *next;
};

struct run {
    const struct vgg_pipeline *pipeline;
    struct buffer *buffers;
    unsigned char *bytes; /* of all buffers */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t filled; /* a buffer was filled, or there will be no more */
    pthread_cond_t freed;
    struct buffer *free;
    struct buffer *first, **last; /* filled, in order */
    uint64_t read;                /* chunks so far */
    bool ended;                   /* nothing more is read: the file is, or something failed */
    enum vgg_status status;       /* of the earliest chunk that failed */
    uint64_t failed;
    struct vgg_error error;
};

/* Needs the mutex. A failure ends the reading. */
static void record(struct run *run, uint64_t number, enum vgg_status status,
                   const struct vgg_error *error)
{
    if (status == VGG_OK || (run->status != VGG_OK && run->failed < number))
        return;
    run->status = status;
    run->failed = number;
    run->error = *error;
    run->ended = true;
}

/* Needs the mutex. */
static void free_buffer(struct run *run, struct buffer *buffer)
{
    buffer->next = run->free;
    run->free = buffer;
    pthread_cond_signal(&run->freed);
}

/* Needs the mutex, which is released meanwhile. Chunks behind a failure need no storing. */
static void store_first(struct run *run, unsigned thread)
{
    struct buffer *buffer = run->first;
    struct vgg_error error = {0};
    enum vgg_status status = VGG_OK;
    bool wanted = run->status == VGG_OK || buffer->number < run->failed;

    run->first = buffer->next;
    if (run->first == NULL)
        run->last = &run->first;
    pthread_mutex_unlock(&run->mutex);
    if (wanted)
        status = run->pipeline->store(run->pipeline->user, &buffer->chunk, thread, &error);
    pthread_mutex_lock(&run->mutex);
    record(run, buffer->number, status, &error);
    free_buffer(run, buffer);
}

/* Needs the mutex, which is released meanwhile. */
static void fill(struct run *run)
{
    struct buffer *buffer = run->free;
    struct vgg_error error = {0};
    enum vgg_status status;
    bool more = true;

    run->free = buffer->next;
    buffer->number = run->read++;
    pthread_mutex_unlock(&run->mutex);
    status = run->pipeline->read(run->pipeline->user, &buffer->chunk, &more, &error);
    pthread_mutex_lock(&run->mutex);
    record(run, buffer->number, status, &error);
    run->ended = run->ended || !more;
    if (status != VGG_OK || !more) {
        free_buffer(run, buffer);
        return;
    }
    buffer->next = NULL;
    *run->last = buffer;
    run->last = &buffer->next;
    pthread_cond_signal(&run->filled);
}

/* Needs the mutex. Where no buffer is free the reader stores one itself. */
static void read_all(struct run *run)
{
    while (!run->ended) {
        if (run->free != NULL)
            fill(run);
        else if (run->first != NULL)
            store_first(run, 0);
        else
            pthread_cond_wait(&run->freed, &run->mutex);
    }
    pthread_cond_broadcast(&run->filled);
}

/* Item: one thread's part. Thread 0, the caller, reads. */
static void take_part(void *context, size_t item, unsigned thread)
{
    struct run *run = context;

    (void)item;
    pthread_mutex_lock(&run->mutex);
    if (thread == 0)
        read_all(run);
    while (run->first != NULL || !run->ended) {
        if (run->first != NULL)
            store_first(run, thread);
        else
            pthread_cond_wait(&run->filled, &run->mutex);
    }
    pthread_mutex_unlock(&run->mutex);
}

/* One for each thread to store, and some on the way; a lone thread needs just one. */
static size_t buffers_of(unsigned threads)
{
    return threads == 1 ? 1 : (size_t)threads + 2;
}

size_t vgg_pipeline_bytes(size_t chunk_bytes, unsigned threads)
{
    return buffers_of(threads) * vgg_size_align(chunk_bytes);
}

enum vgg_status vgg_pipeline_run(const struct vgg_pipeline *pipeline, struct vgg_team *team,
                                 struct vgg_error *error)
{
    struct run run = {.pipeline = pipeline, .last = &run.first};
    unsigned threads = vgg_team_threads(team);
    size_t buffers = buffers_of(threads), bytes = vgg_size_align(pipeline->chunk_bytes);

    run.buffers = vgg_calloc(buffers, sizeof *run.buffers);
    run.bytes = vgg_alloc_aligned(buffers, bytes);
    if (run.buffers == NULL || run.bytes == NULL) {
        free(run.buffers);
        free(run.bytes);
        return vgg_fail_memory(error);
    }
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.filled, NULL);
    pthread_cond_init(&run.freed, NULL);
    for (size_t i = buffers; i-- > 0;) {
        run.buffers[i].chunk.bytes = run.bytes + i * bytes;
        free_buffer(&run, &run.buffers[i]);
    }
    vgg_team_run(team, take_part, &run, threads);
    pthread_cond_destroy(&run.freed);
    pthread_cond_destroy(&run.filled);
    pthread_mutex_destroy(&run.mutex);
    free(run.buffers);
    free(run.bytes);
    return run.status == VGG_OK ? VGG_OK : vgg_fail(error, run.status, "%s", run.error.text);
}
