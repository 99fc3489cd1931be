/* Addresses as they are written, and the sockets behind them. */
#include "net/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/clock.h"

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
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, ENDPOINT_BACKLOG) == 0)
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
