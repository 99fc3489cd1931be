/*
 * A linked list, swept ten times a second, and those who wait for an answer in an epoll set, so
 * that whoever leaves is noticed before the next pass of the engine.
 */
#include "net/connections.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/clock.h"

enum { SWEEP_MS = 100, EVENTS_AT_A_TIME = 64 };

struct connection {
    struct connections *connections;
    int fd;
    _Atomic enum connection_state state; /* written under the mutex */
    uint64_t begun_ns;                   /* its request; of its network thread alone */
    uint64_t deadline_ns;                /* 0: none, or it is cut */
    bool ended;                          /* the last sweep found that no bytes can come */
    struct connection *next, **link;
};

struct connections {
    struct connection_times times;
    pthread_mutex_t mutex;
    int epoll_fd; /* the awaited */
    int wake_fd;
    pthread_t thread;
    bool stop;
    struct connection *first;
    uint64_t cuts[CONNECTION_CUTS_N];
};

static const struct connection_rules *rules_of(const struct connection *connection)
{
    return &connection_rules[connection->state];
}

/* ---------------------------------------------------------------- events --------------------- */

/*
 * Needs the mutex. Its state becomes `to`. Where there is no memory to await a client, its leaving
 * goes unnoticed.
 */
static void watch_client(struct connection *connection, enum connection_state to)
{
    struct epoll_event ended = {.events = EPOLLRDHUP, .data.ptr = connection};
    bool awaited = connection_rules[to].awaited;

    if (awaited != rules_of(connection)->awaited)
        (void)epoll_ctl(connection->connections->epoll_fd, awaited ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                        connection->fd, &ended);
}

/* Needs the mutex. The only place where a state changes. */
static bool change(struct connection *connection, enum connection_event event, uint64_t deadline_ns)
{
    enum connection_state from = connection->state, to = connection_next(from, event);
    uint64_t now = now_ns();

    if (to == CONNECTION_NONE) /* a fault of ours or of libmicrohttpd: it costs this connection */
        (void)shutdown(connection->fd, SHUT_RDWR);
    if (to == CONNECTION_NONE || to == from)
        return false;
    if (to == CONNECTION_HEAD || (to == CONNECTION_READ && from != CONNECTION_HEAD))
        connection->begun_ns = now;
    watch_client(connection, to);
    connection->deadline_ns = connection_deadline(to, &connection->connections->times, now,
                                                  connection->deadline_ns, deadline_ns);
    connection->ended = false;
    connection->state = to;
    return true;
}

static bool change_locked(struct connection *connection, enum connection_event event,
                          uint64_t deadline_ns)
{
    bool changed;

    pthread_mutex_lock(&connection->connections->mutex);
    changed = change(connection, event, deadline_ns);
    pthread_mutex_unlock(&connection->connections->mutex);
    return changed;
}

bool connection_event(struct connection *connection, enum connection_event event)
{
    return change_locked(connection, event, 0);
}

void connection_admit(struct connection *connection, uint64_t deadline_ns)
{
    (void)change_locked(connection, EVENT_ADMIT, deadline_ns);
}

enum connection_state connection_get_state(const struct connection *connection)
{
    return connection->state;
}

uint64_t connection_get_begun_ns(const struct connection *connection)
{
    return connection->begun_ns;
}

/* ---------------------------------------------------------------- the thread ----------------- */

static bool has_unread(const struct connection *connection)
{
    int unread = 0;

    return ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Has the client closed its side, and nothing of it is left to read? */
static bool has_ended(const struct connection *connection)
{
    struct pollfd polled = {.fd = connection->fd, .events = POLLRDHUP};

    return poll(&polled, 1, 0) == 1 && !has_unread(connection);
}

/*
 * Cut who is late, and whose client has closed its side: libmicrohttpd overlooks that where data
 * and end come together. The network thread sees the end of the stream and cleans up.
 */
static void sweep(struct connections *connections, uint64_t now)
{
    for (struct connection *each = connections->first; each != NULL; each = each->next) {
        /* Twice in a row: what was read a moment ago may be a whole request. */
        bool ended = rules_of(each)->expecting && has_ended(each);
        bool late = each->deadline_ns != 0 && now >= each->deadline_ns;

        connections->cuts[rules_of(each)->late] += late;
        if (late || (ended && each->ended)) {
            shutdown(each->fd, SHUT_RDWR);
            each->deadline_ns = 0;
        }
        each->ended = ended;
    }
}

/*
 * Needs the mutex. An event of a client that waits for its answer. The end of its stream alone may
 * mean that it only sends nothing more, as a client may that still reads. So it is sent one byte of
 * urgent data, which no reader of the stream sees and a closed socket answers with a reset.
 */
static void notice(struct connection *connection, uint32_t events)
{
    struct epoll_event closed = {.data.ptr = connection};

    if (events & (EPOLLERR | EPOLLHUP)) {
        (void)change(connection, EVENT_LEAVE, 0);
        return;
    }
    (void)send(connection->fd, "", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)epoll_ctl(connection->connections->epoll_fd, EPOLL_CTL_MOD, connection->fd, &closed);
}

/* Needs the mutex, under which they leave the set: an event is never that of a removed one. */
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

static void *connections_main(void *argument)
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

enum vgg_status connections_create(const struct connection_times *times, struct connections **out,
                                   struct vgg_error *error)
{
    struct connections *connections = calloc(1, sizeof *connections);

    if (connections != NULL) {
        connections->times = *times;
        connections->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        connections->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        pthread_mutex_init(&connections->mutex, NULL);
        if (connections->epoll_fd >= 0 && connections->wake_fd >= 0 &&
            pthread_create(&connections->thread, NULL, connections_main, connections) == 0) {
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

/* ---------------------------------------------------------------- the list ------------------- */

struct connection *connection_add(struct connections *connections, int fd, bool handshake)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    connection->connections = connections;
    connection->fd = fd;
    connection->state = handshake ? CONNECTION_HANDSHAKE : CONNECTION_ACCEPTED;
    connection->deadline_ns =
        connection_deadline(connection->state, &connections->times, now_ns(), 0, 0);
    pthread_mutex_lock(&connections->mutex);
    connection->next = connections->first;
    connection->link = &connections->first;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    else
        wake(connections);
    connections->first = connection;
    pthread_mutex_unlock(&connections->mutex);
    return connection;
}

void connection_remove(struct connection *connection)
{
    struct connections *connections;

    if (connection == NULL)
        return;
    connections = connection->connections;
    pthread_mutex_lock(&connections->mutex);
    watch_client(connection, CONNECTION_NONE);
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    pthread_mutex_unlock(&connections->mutex);
    free(connection);
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
    for (struct connection *each = connections->first; each != NULL; each = each->next)
        busy += rules_of(each)->busy || has_unread(each);
    pthread_mutex_unlock(&connections->mutex);
    return busy;
}

size_t connections_in(struct connections *connections, enum connection_state state)
{
    size_t count = 0;

    pthread_mutex_lock(&connections->mutex);
    for (struct connection *each = connections->first; each != NULL; each = each->next)
        count += each->state == state;
    pthread_mutex_unlock(&connections->mutex);
    return count;
}
