/* A plain HTTP client for tests. It allocates nothing, so that armed faults hit the server alone.
 */
#ifndef VGG_TESTS_HTTP_CLIENT_H
#define VGG_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CLIENT_HANG_S = 60, CLIENT_ANSWER_BYTES = 1 << 18 };

/* An answer as it came. */
struct answer {
    char text[CLIENT_ANSWER_BYTES + 1];
    size_t size;
    int status;       /* 0: the connection ended without a whole answer */
    const char *body; /* after the empty line */
};

/* A socket on 127.0.0.1 that is not connected yet; hangs of the server end it. */
static inline int client_socket(void)
{
    const struct timeval hang = {.tv_sec = CLIENT_HANG_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof hang);
    return fd;
}

static inline bool client_connect(int fd, unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* Of "HOST:PORT". */
static inline unsigned client_port(const char *address)
{
    return (unsigned)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

static inline bool client_reaches(unsigned port)
{
    int fd = client_socket();
    bool connected = client_connect(fd, port);

    close(fd);
    return connected;
}

static inline bool client_send(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

/* Read to the end of the stream and close. */
static inline void client_receive(int fd, struct answer *answer)
{
    const char *length, *end;
    ssize_t n;

    answer->size = 0;
    answer->status = 0;
    answer->body = "";
    while (answer->size < CLIENT_ANSWER_BYTES &&
           (n = recv(fd, answer->text + answer->size, CLIENT_ANSWER_BYTES - answer->size, 0)) > 0)
        answer->size += (size_t)n;
    close(fd);
    answer->text[answer->size] = '\0';
    end = strstr(answer->text, "\r\n\r\n");
    length = strstr(answer->text, "\r\nContent-Length: ");
    if (strncmp(answer->text, "HTTP/1.1 ", 9) != 0 || end == NULL || length == NULL || length > end)
        return;
    answer->body = end + 4;
    if (answer->size - (size_t)(answer->body - answer->text) == strtoul(length + 18, NULL, 10))
        answer->status = atoi(answer->text + 9);
}

/* Does the answer's head hold this line? */
static inline bool answer_has(const struct answer *answer, const char *line)
{
    const char *found = strstr(answer->text, line);

    return found != NULL && found < answer->body;
}

#endif
