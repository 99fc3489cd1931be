/*
 * A ring of whole lines under one mutex. Only the thread touches the descriptor while it runs, and
 * it waits for room by poll, so that the end of the server need not wait for a reader.
 */
#include "ops/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RING_BYTES = 1 << 20,
    POLL_MS = 50,
    FLUSH_S = 1, /* for what is left when the server ends */
    JOIN_S = 1   /* and then for a write that hangs */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stop;
    size_t first, used; /* bytes of the ring */
    bool torn;          /* the last line was written in part */
    atomic_bool abandon;
    _Atomic uint64_t dropped;
    char ring[RING_BYTES];
} writer = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---------------------------------------------------------------- the descriptor ------------- */

/* Wait until a write would not block; false: it is time to end. */
static bool wait_writable(void)
{
    struct pollfd polled = {.fd = STDERR_FILENO, .events = POLLOUT};

    while (!writer.abandon)
        if (poll(&polled, 1, POLL_MS) != 0)
            return true;
    return false;
}

/* Returns how much was written. */
static size_t write_some(const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size && wait_writable()) {
        ssize_t n = write(STDERR_FILENO, bytes + done, size - done);

        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            break; /* a full disk loses the line, no more */
    }
    return done;
}

static void write_line(const char *line, size_t size)
{
    size_t done = 0;

    if (!writer.torn || write_some("\n", 1) == 1) {
        done = write_some(line, size);
        writer.torn = done != 0 && done != size;
    }
    if (done != size)
        writer.dropped++;
}

/* ---------------------------------------------------------------- the ring ------------------- */

/*
 * Copy between the ring and a line, around its end. Needs the mutex. An empty ring begins anew, so
 * that only as much of its memory is touched as lines have ever waited.
 */
static void copy_in(const char *line, size_t size)
{
    size_t at, before_end;

    if (writer.used == 0)
        writer.first = 0;
    at = (writer.first + writer.used) % RING_BYTES;
    before_end = size < RING_BYTES - at ? size : RING_BYTES - at;
    memcpy(writer.ring + at, line, before_end);
    memcpy(writer.ring, line + before_end, size - before_end);
    writer.used += size;
}

static size_t copy_out(char line[LOG_LINE_MAX])
{
    size_t size = 0;

    do {
        line[size] = writer.ring[writer.first];
        writer.first = (writer.first + 1) % RING_BYTES;
    } while (line[size++] != '\n');
    writer.used -= size;
    return size;
}

static void *writer_main(void *unused)
{
    static char line[LOG_LINE_MAX];

    pthread_mutex_lock(&writer.mutex);
    for (;;) {
        size_t size;

        while (writer.used == 0 && !writer.stop)
            pthread_cond_wait(&writer.changed, &writer.mutex);
        if (writer.used == 0)
            break;
        size = copy_out(line);
        pthread_mutex_unlock(&writer.mutex);
        write_line(line, size);
        pthread_mutex_lock(&writer.mutex);
    }
    pthread_mutex_unlock(&writer.mutex);
    return unused;
}

void log_writer_put(const char *line, size_t size)
{
    bool fits = line != NULL && size <= LOG_LINE_MAX;

    if (!fits) {
        writer.dropped++;
        return;
    }
    pthread_mutex_lock(&writer.mutex);
    if (!writer.running)
        write_line(line, size);
    else if (size <= RING_BYTES - writer.used) {
        copy_in(line, size);
        pthread_cond_signal(&writer.changed);
    } else
        writer.dropped++;
    pthread_mutex_unlock(&writer.mutex);
}

/* ---------------------------------------------------------------- start and end -------------- */

enum vgg_status log_writer_start(struct vgg_error *error)
{
    writer.stop = false;
    writer.abandon = false;
    if (pthread_create(&writer.thread, NULL, writer_main, NULL) != 0)
        return vgg_fail(error, VGG_NO_MEMORY, "cannot start the thread that writes the log");
    pthread_mutex_lock(&writer.mutex);
    writer.running = true;
    pthread_mutex_unlock(&writer.mutex);
    return VGG_OK;
}

static bool join_within(int seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    if (pthread_timedjoin_np(writer.thread, NULL, &until) != 0)
        return false;
    pthread_mutex_lock(&writer.mutex);
    writer.running = false;
    pthread_mutex_unlock(&writer.mutex);
    return true;
}

void log_writer_stop(void)
{
    bool running;

    pthread_mutex_lock(&writer.mutex);
    running = writer.running;
    writer.stop = true;
    pthread_cond_signal(&writer.changed);
    pthread_mutex_unlock(&writer.mutex);
    if (!running || join_within(FLUSH_S))
        return;
    writer.abandon = true; /* what is left goes past quickly, and is counted */
    (void)join_within(JOIN_S);
}

uint64_t log_writer_dropped(void)
{
    return writer.dropped;
}
