/*
 * We accept connections ourselves and hand them to libmicrohttpd: so the accept queue can be
 * drained before the socket is closed, which its own listener cannot do.
 */
#include "net/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_AT_A_TIME = 64, /* of one socket before the other gets its turn */
    PAUSE_MS = 100,         /* when the process is out of file descriptors */
    HANDSHAKE_MS = 50       /* for the last one to come to its end: half a wide-area round trip */
};

struct listener {
    struct listener_handler handler;
    struct endpoint endpoints[2]; /* main, admin */
    int stop_fd;
    pthread_t thread;
};

/* Accept up to `max` connections. False where the process is out of resources. */
static bool accept_some(struct listener *listener, size_t which, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int one = 1, fd = accept4(listener->endpoints[which].fd, (struct sockaddr *)&address, &size,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            return false;
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (fd < 0)
            continue; /* that client has gone */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        listener->handler.accepted(listener->handler.context, which == 1, fd, &address, size);
    }
    return true;
}

/*
 * No connection begins any more: packets with SYN are dropped, so that nobody is let in by the
 * kernel just to be reset when the socket is closed. Handshakes under way come to their end.
 */
static void let_nobody_in(int fd)
{
    enum { FLAGS_OFFSET = 13, SYN = 2 }; /* in a TCP header */
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_OFFSET),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {sizeof code / sizeof *code, code};

    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Take in what has been let in. */
static void accept_the_last(struct listener *listener)
{
    for (size_t i = 0; i < 2; i++)
        let_nobody_in(listener->endpoints[i].fd);
    for (size_t i = 0; i < 2; i++)
        (void)accept_some(listener, i, ENDPOINT_BACKLOG);
    (void)poll(NULL, 0, HANDSHAKE_MS);
    for (size_t i = 0; i < 2; i++)
        (void)accept_some(listener, i, ENDPOINT_BACKLOG);
}

static void *acceptor_main(void *argument)
{
    struct listener *listener = argument;
    struct pollfd polled[3] = {
        {.fd = listener->endpoints[0].fd, .events = POLLIN},
        {.fd = listener->endpoints[1].fd, .events = POLLIN},
        {.fd = listener->stop_fd, .events = POLLIN},
    };

    for (;;) {
        bool resources = true;

        if (poll(polled, 3, -1) < 0)
            continue;
        if (polled[2].revents != 0)
            break;
        for (size_t i = 0; i < 2; i++)
            if (polled[i].revents != 0)
                resources = accept_some(listener, i, ACCEPTS_AT_A_TIME) && resources;
        if (!resources)
            (void)poll(&polled[2], 1, PAUSE_MS);
    }
    accept_the_last(listener);
    return NULL;
}

enum vgg_status listener_create(const struct listener_handler *handler, struct endpoint *main,
                                struct endpoint *admin, struct listener **out,
                                struct vgg_error *error)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    listener->handler = *handler;
    listener->endpoints[0] = *main;
    listener->endpoints[1] = *admin;
    listener->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (listener->stop_fd < 0 ||
        pthread_create(&listener->thread, NULL, acceptor_main, listener) != 0) {
        if (listener->stop_fd >= 0)
            close(listener->stop_fd);
        free(listener);
        return vgg_fail(error, VGG_NO_MEMORY, "cannot start the thread that accepts connections");
    }
    main->fd = -1;
    admin->fd = -1;
    *out = listener;
    return VGG_OK;
}

void listener_destroy(struct listener *listener)
{
    if (listener == NULL)
        return;
    while (eventfd_write(listener->stop_fd, 1) != 0)
        ;
    pthread_join(listener->thread, NULL);
    for (size_t i = 0; i < 2; i++)
        endpoint_close(&listener->endpoints[i]);
    close(listener->stop_fd);
    free(listener);
}
