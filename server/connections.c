/* The watch list: a linked list, swept ten times a second. */
#include "connections.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "clock.h"

static const uint64_t SWEEP_NS = 100 * NS_PER_MS;

struct connection_watch {
    struct connections *connections;
    int fd;
    uint64_t deadline_ns;
    bool busy;
    bool expecting; /* bytes from the client */
    bool ended;     /* the last sweep found that none can come */
    enum connection_cut phase;
    atomic_bool *gone; /* to be told when the client has closed; NULL: nobody asks */
    bool probed;
    struct connection_watch *next, **link;
};

struct connections {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool stop;
    struct connection_watch *first;
    uint64_t cuts[CONNECTION_CUTS_N];
};

static bool has_unread(const struct connection_watch *watch)
{
    int unread = 0;

    return ioctl(watch->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Has the client closed its side, and nothing of it is left to read? */
static bool has_ended(const struct connection_watch *watch)
{
    struct pollfd polled = {.fd = watch->fd, .events = POLLRDHUP};

    return poll(&polled, 1, 0) == 1 && !has_unread(watch);
}

/* The network thread sees the end of the stream and cleans up. */
static void cut(struct connection_watch *watch)
{
    shutdown(watch->fd, SHUT_RDWR);
    watch->deadline_ns = 0;
    watch->expecting = false;
}

/* Has the client closed both sides? */
static bool has_closed(struct connection_watch *watch)
{
    struct pollfd polled = {.fd = watch->fd, .events = POLLRDHUP};

    if (poll(&polled, 1, 0) != 1)
        return false;
    if (!(polled.revents & (POLLERR | POLLHUP)) && !watch->probed)
        watch->probed = send(watch->fd, "", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    return polled.revents & (POLLERR | POLLHUP);
}

static void sweep(struct connections *connections, uint64_t now)
{
    for (struct connection_watch *watch = connections->first; watch != NULL; watch = watch->next) {
        /* Twice in a row: what was read a moment ago may be a whole request. */
        bool ended = watch->expecting && has_ended(watch);
        bool late = watch->deadline_ns != 0 && now >= watch->deadline_ns;

        connections->cuts[watch->phase] += late;
        if (late || (ended && watch->ended))
            cut(watch);
        watch->ended = ended;
        if (watch->gone != NULL && !*watch->gone && has_closed(watch))
            *watch->gone = true;
    }
}

static void *sweeper_main(void *argument)
{
    struct connections *connections = argument;

    pthread_mutex_lock(&connections->mutex);
    while (!connections->stop) {
        uint64_t now = now_ns(), next = now + SWEEP_NS;
        struct timespec until = {(time_t)(next / NS_PER_S), (long)(next % NS_PER_S)};

        sweep(connections, now);
        if (connections->first == NULL)
            pthread_cond_wait(&connections->wake, &connections->mutex);
        else
            pthread_cond_timedwait(&connections->wake, &connections->mutex, &until);
    }
    pthread_mutex_unlock(&connections->mutex);
    return NULL;
}

enum vgg_status connections_create(struct connections **out, struct vgg_error *error)
{
    struct connections *connections = calloc(1, sizeof *connections);
    pthread_condattr_t attributes;

    if (connections != NULL) {
        pthread_mutex_init(&connections->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&connections->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        if (pthread_create(&connections->thread, NULL, sweeper_main, connections) == 0) {
            *out = connections;
            return VGG_OK;
        }
        free(connections);
    }
    return vgg_fail(error, VGG_NO_MEMORY, "cannot start the thread that watches connections");
}

void connections_destroy(struct connections *connections)
{
    if (connections == NULL)
        return;
    pthread_mutex_lock(&connections->mutex);
    connections->stop = true;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->mutex);
    pthread_join(connections->thread, NULL);
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->mutex);
    free(connections);
}

struct connection_watch *watch_add(struct connections *connections, int fd, uint64_t deadline_ns)
{
    struct connection_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->connections = connections;
    watch->fd = fd;
    watch->deadline_ns = deadline_ns;
    watch->expecting = true;
    pthread_mutex_lock(&connections->mutex);
    watch->next = connections->first;
    watch->link = &connections->first;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    else
        pthread_cond_signal(&connections->wake);
    connections->first = watch;
    pthread_mutex_unlock(&connections->mutex);
    return watch;
}

void watch_remove(struct connection_watch *watch)
{
    struct connections *connections;

    if (watch == NULL)
        return;
    connections = watch->connections;
    pthread_mutex_lock(&connections->mutex);
    *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    pthread_mutex_unlock(&connections->mutex);
    free(watch);
}

void watch_set(struct connection_watch *watch, uint64_t deadline_ns, bool busy)
{
    pthread_mutex_lock(&watch->connections->mutex);
    watch->deadline_ns = deadline_ns;
    watch->busy = busy;
    pthread_mutex_unlock(&watch->connections->mutex);
}

void watch_expect(struct connection_watch *watch, bool bytes)
{
    pthread_mutex_lock(&watch->connections->mutex);
    watch->expecting = bytes;
    watch->ended = false;
    pthread_mutex_unlock(&watch->connections->mutex);
}

void watch_await(struct connection_watch *watch, atomic_bool *gone)
{
    pthread_mutex_lock(&watch->connections->mutex);
    watch->gone = gone;
    pthread_mutex_unlock(&watch->connections->mutex);
}

void watch_phase(struct connection_watch *watch, enum connection_cut phase)
{
    pthread_mutex_lock(&watch->connections->mutex);
    watch->phase = phase;
    pthread_mutex_unlock(&watch->connections->mutex);
}

void connections_count_cut(struct connections *connections, enum connection_cut why)
{
    pthread_mutex_lock(&connections->mutex);
    connections->cuts[why]++;
    pthread_mutex_unlock(&connections->mutex);
}

void connections_get_cuts(struct connections *connections, uint64_t cuts[CONNECTION_CUTS_N])
{
    pthread_mutex_lock(&connections->mutex);
    memcpy(cuts, connections->cuts, sizeof connections->cuts);
    pthread_mutex_unlock(&connections->mutex);
}

size_t connections_busy(struct connections *connections)
{
    size_t busy = 0;

    pthread_mutex_lock(&connections->mutex);
    for (struct connection_watch *watch = connections->first; watch != NULL; watch = watch->next)
        busy += watch->busy || has_unread(watch);
    pthread_mutex_unlock(&connections->mutex);
    return busy;
}

size_t connections_count(struct connections *connections)
{
    size_t count = 0;

    pthread_mutex_lock(&connections->mutex);
    for (struct connection_watch *watch = connections->first; watch != NULL; watch = watch->next)
        count++;
    pthread_mutex_unlock(&connections->mutex);
    return count;
}
