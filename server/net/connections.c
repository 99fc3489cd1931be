/*
 * The watch list: a linked list, swept ten times a second, and those who wait for an answer in an
 * epoll set, so that whoever leaves is noticed before the next pass of the engine.
 */
#include "net/connections.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/clock.h"

enum { SWEEP_MS = 100, EVENTS_AT_A_TIME = 64 };

struct connection_watch {
    struct connections *connections;
    int fd;
    uint64_t deadline_ns;
    bool busy;
    bool expecting; /* bytes from the client */
    bool ended;     /* the last sweep found that none can come */
    enum connection_cut phase;
    atomic_bool *gone; /* to be told when the client has closed; NULL: nobody asks */
    struct connection_watch *next, **link;
};

struct connections {
    pthread_mutex_t mutex;
    int epoll_fd; /* awaited watches */
    int wake_fd;
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
    }
}

/* Needs the mutex. An event of a client that waits for its answer. */
static void notice(struct connection_watch *watch, uint32_t events)
{
    struct epoll_event closed = {.data.ptr = watch};

    if (events & (EPOLLERR | EPOLLHUP)) {
        *watch->gone = true;
        (void)epoll_ctl(watch->connections->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        return;
    }
    (void)send(watch->fd, "", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)epoll_ctl(watch->connections->epoll_fd, EPOLL_CTL_MOD, watch->fd, &closed);
}

/* Needs the mutex, under which watches leave the set: an event is never that of a removed one. */
static void notice_all(struct connections *connections)
{
    struct epoll_event events[EVENTS_AT_A_TIME];
    int n = epoll_wait(connections->epoll_fd, events, EVENTS_AT_A_TIME, 0);

    for (int i = 0; i < n; i++)
        notice(events[i].data.ptr, events[i].events);
}

/* Until something happens, or the next sweep is due; without connections none is. */
static void rest(struct connections *connections, bool idle, uint64_t next_ns)
{
    struct pollfd polled[] = {{.fd = connections->wake_fd, .events = POLLIN},
                              {.fd = connections->epoll_fd, .events = POLLIN}};
    uint64_t now = now_ns();
    eventfd_t count;

    (void)poll(polled, 2, idle ? -1 : now < next_ns ? (int)((next_ns - now) / NS_PER_MS) + 1 : 0);
    if (polled[0].revents != 0)
        (void)eventfd_read(connections->wake_fd, &count);
}

static void *sweeper_main(void *argument)
{
    struct connections *connections = argument;
    uint64_t next_ns = 0;

    pthread_mutex_lock(&connections->mutex);
    while (!connections->stop) {
        bool idle = connections->first == NULL;

        if (now_ns() >= next_ns) {
            sweep(connections, now_ns());
            next_ns = now_ns() + SWEEP_MS * NS_PER_MS;
        }
        pthread_mutex_unlock(&connections->mutex);
        rest(connections, idle, next_ns);
        pthread_mutex_lock(&connections->mutex);
        notice_all(connections);
    }
    pthread_mutex_unlock(&connections->mutex);
    return NULL;
}

static void close_fds(struct connections *connections)
{
    if (connections->epoll_fd >= 0)
        close(connections->epoll_fd);
    if (connections->wake_fd >= 0)
        close(connections->wake_fd);
}

static void wake(struct connections *connections)
{
    (void)eventfd_write(connections->wake_fd, 1);
}

enum vgg_status connections_create(struct connections **out, struct vgg_error *error)
{
    struct connections *connections = calloc(1, sizeof *connections);

    if (connections != NULL) {
        connections->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        connections->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        pthread_mutex_init(&connections->mutex, NULL);
        if (connections->epoll_fd >= 0 && connections->wake_fd >= 0 &&
            pthread_create(&connections->thread, NULL, sweeper_main, connections) == 0) {
            *out = connections;
            return VGG_OK;
        }
        close_fds(connections);
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
    wake(connections);
    pthread_mutex_unlock(&connections->mutex);
    pthread_join(connections->thread, NULL);
    close_fds(connections);
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
        wake(connections);
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
    struct epoll_event ended = {.events = EPOLLRDHUP, .data.ptr = watch};
    int epoll_fd = watch->connections->epoll_fd;

    pthread_mutex_lock(&watch->connections->mutex);
    watch->gone = gone;
    /* Without memory for it, its leaving goes unnoticed. */
    (void)epoll_ctl(epoll_fd, gone != NULL ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, watch->fd, &ended);
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
