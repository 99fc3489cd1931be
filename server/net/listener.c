/*
 * We accept connections ourselves and hand them to libmicrohttpd: so the accept queue can be
 * drained before the socket is closed, which its own listener cannot do.
 */
#include "net/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/clock.h"

enum {
    BACKLOG = 1024,
    ACCEPTS_AT_A_TIME = 64, /* of one socket before the other gets its turn */
    PAUSE_MS = 100,         /* when the process is out of file descriptors */
    HANDSHAKE_MS = 50       /* for the last one to come to its end: half a wide-area round trip */
};

struct listener {
    struct http *http;
    struct endpoint endpoints[2]; /* main, admin */
    int stop_fd;
    pthread_t thread;
};

/* ---------------------------------------------------------------- sockets -------------------- */

/* Split "HOST:PORT" in place; an empty host is all addresses. */
static bool split_address(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL || colon[1] == '\0')
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    if (text[0] == '[') {
        if (colon - text < 3 || colon[-1] != ']')
            return false;
        colon[-1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':') != NULL)
        return false;
    return strspn(*port, "0123456789") == strlen(*port) && strtoul(*port, NULL, 10) <= 65535;
}

static int open_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1, reason;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* Write the address a socket is bound to. */
static void name_socket(struct endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[ADDRESS_MAX - 8], port[8];

    snprintf(endpoint->address, sizeof endpoint->address, "?:0");
    if (getsockname(endpoint->fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(endpoint->address, sizeof endpoint->address,
             address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* What an address stands for, to be freed with freeaddrinfo. */
static enum vgg_status resolve(const char *address, struct addrinfo **info, struct vgg_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char text[256], *host, *port;
    int code;

    if (snprintf(text, sizeof text, "%s", address) >= (int)sizeof text ||
        !split_address(text, &host, &port))
        return vgg_fail(
            error, VGG_BAD_ARGUMENT,
            "\"%s\" is not an address: write HOST:PORT, as in 0.0.0.0:8080 or [::]:8080", address);
    code = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, info);
    if (code != 0)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "cannot resolve \"%s\": %s", address,
                        gai_strerror(code));
    return VGG_OK;
}

enum vgg_status endpoint_open(const char *address, struct endpoint *endpoint,
                              struct vgg_error *error)
{
    struct addrinfo *info;
    enum vgg_status status = resolve(address, &info, error);
    int code;

    endpoint->fd = -1;
    if (status != VGG_OK)
        return status;
    endpoint->fd = open_socket(info);
    code = errno;
    freeaddrinfo(info);
    if (endpoint->fd < 0)
        return vgg_fail(error, VGG_IO, "cannot listen on %s: %s", address, strerror(code));
    name_socket(endpoint);
    return VGG_OK;
}

/* Linux takes 0.0.0.0 and :: for its own loopback. */
enum vgg_status endpoint_connect(const char *address, uint64_t timeout_ns, int *fd,
                                 struct vgg_error *error)
{
    const struct timeval timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                                    .tv_usec = (suseconds_t)(timeout_ns % NS_PER_S / 1000)};
    struct addrinfo *info;
    enum vgg_status status = resolve(address, &info, error);

    if (status != VGG_OK)
        return status;
    *fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(*fd, info->ai_addr, info->ai_addrlen) != 0) {
        status = vgg_fail(error, VGG_IO, "cannot connect to %s: %s", address,
                          errno == EINPROGRESS ? "no answer" : strerror(errno));
        if (*fd >= 0)
            close(*fd);
    }
    freeaddrinfo(info);
    return status;
}

void endpoint_local(const char *address, bool by_name, char text[ADDRESS_MAX])
{
    static const char *const here[] = {"0.0.0.0", "[::]", "127.0.0.1", "[::1]"}; /* loopback last */
    const size_t n = by_name ? 4 : 2;
    const char *port = strrchr(address, ':');

    snprintf(text, ADDRESS_MAX, "%s", address);
    for (size_t i = 0; port != NULL && i < n; i++)
        if (strlen(here[i]) == (size_t)(port - address) &&
            strncmp(address, here[i], strlen(here[i])) == 0)
            snprintf(text, ADDRESS_MAX, "localhost%s", port);
}

void endpoint_close(struct endpoint *endpoint)
{
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    endpoint->fd = -1;
}

/* ---------------------------------------------------------------- accepting ------------------ */

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
        http_add_connection(listener->http, which == 1, fd, &address, (unsigned)size);
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
        (void)accept_some(listener, i, BACKLOG);
    (void)poll(NULL, 0, HANDSHAKE_MS);
    for (size_t i = 0; i < 2; i++)
        (void)accept_some(listener, i, BACKLOG);
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

enum vgg_status listener_create(struct http *http, struct endpoint *main, struct endpoint *admin,
                                struct listener **out, struct vgg_error *error)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL)
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    listener->http = http;
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
