/* One thread that reads from what is about to be closed. */
#include "net/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/clock.h"

enum {
    SOCKETS_MAX = 256,
    PIECE_BYTES = 64 << 10,
    PIECES_AT_A_TIME = 16 /* of one socket before the others get their turn */
};

static const uint64_t TIME_NS = 5 * NS_PER_S;    /* for one client in all */
static const uint64_t SILENCE_NS = 2 * NS_PER_S; /* of one that sends nothing more */

struct lingerer {
    int fd;
    uint64_t end_ns, heard_ns;
};

struct lingerers {
    pthread_mutex_t mutex; /* guards fresh and stop */
    int fresh[SOCKETS_MAX];
    size_t fresh_n;
    bool stop;
    int wake_fd;
    pthread_t thread;
    /* The thread's own. */
    struct lingerer sockets[SOCKETS_MAX];
    struct pollfd polled[SOCKETS_MAX + 1]; /* the last is wake_fd */
    size_t n;
    char piece[PIECE_BYTES];
};

/* Take over what was added; false: stop. */
static bool take_fresh(struct lingerers *linger)
{
    uint64_t now = now_ns(), wakes;
    ssize_t ignored = read(linger->wake_fd, &wakes, sizeof wakes);
    bool stop;

    (void)ignored;
    pthread_mutex_lock(&linger->mutex);
    while (linger->fresh_n != 0) {
        int fd = linger->fresh[--linger->fresh_n];

        if (linger->n < SOCKETS_MAX)
            linger->sockets[linger->n++] = (struct lingerer){fd, now + TIME_NS, now};
        else
            close(fd);
    }
    stop = linger->stop;
    pthread_mutex_unlock(&linger->mutex);
    return !stop;
}

/* Drop what has come; false: the client has closed, or there was an error. */
static bool drop_some(struct lingerers *linger, int fd)
{
    for (int i = 0; i < PIECES_AT_A_TIME; i++) {
        ssize_t n = recv(fd, linger->piece, PIECE_BYTES, MSG_DONTWAIT);

        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    return true;
}

static bool goes_on(struct lingerers *linger, struct lingerer *socket, bool readable, uint64_t now)
{
    if (readable && !drop_some(linger, socket->fd))
        return false;
    if (readable)
        socket->heard_ns = now;
    return now < socket->end_ns && now - socket->heard_ns < SILENCE_NS;
}

static void *linger_main(void *argument)
{
    struct lingerers *linger = argument;

    while (take_fresh(linger)) {
        size_t n = linger->n;
        uint64_t now;

        for (size_t i = 0; i < n; i++)
            linger->polled[i] = (struct pollfd){.fd = linger->sockets[i].fd, .events = POLLIN};
        linger->polled[n] = (struct pollfd){.fd = linger->wake_fd, .events = POLLIN};
        (void)poll(linger->polled, n + 1, n != 0 ? 100 : -1);
        now = now_ns();
        linger->n = 0;
        for (size_t i = 0; i < n; i++)
            if (goes_on(linger, &linger->sockets[i], linger->polled[i].revents != 0, now))
                linger->sockets[linger->n++] = linger->sockets[i];
            else
                close(linger->sockets[i].fd);
    }
    for (size_t i = 0; i < linger->n; i++)
        close(linger->sockets[i].fd);
    return NULL;
}

struct lingerers *linger_create(void)
{
    struct lingerers *linger = calloc(1, sizeof *linger);

    if (linger == NULL)
        return NULL;
    pthread_mutex_init(&linger->mutex, NULL);
    linger->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (linger->wake_fd >= 0 && pthread_create(&linger->thread, NULL, linger_main, linger) == 0)
        return linger;
    if (linger->wake_fd >= 0)
        close(linger->wake_fd);
    pthread_mutex_destroy(&linger->mutex);
    free(linger);
    return NULL;
}

void linger_destroy(struct lingerers *linger)
{
    if (linger == NULL)
        return;
    pthread_mutex_lock(&linger->mutex);
    linger->stop = true;
    pthread_mutex_unlock(&linger->mutex);
    (void)eventfd_write(linger->wake_fd, 1);
    pthread_join(linger->thread, NULL);
    close(linger->wake_fd);
    pthread_mutex_destroy(&linger->mutex);
    free(linger);
}

void linger_add(struct lingerers *linger, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (own < 0)
        return;
    (void)shutdown(own, SHUT_WR);
    pthread_mutex_lock(&linger->mutex);
    if (linger->fresh_n < SOCKETS_MAX) {
        linger->fresh[linger->fresh_n++] = own;
        own = -1;
    }
    pthread_mutex_unlock(&linger->mutex);
    if (own >= 0)
        close(own);
    else
        (void)eventfd_write(linger->wake_fd, 1);
}
