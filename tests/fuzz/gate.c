/*
 * Any bytes as what a client sends, in pieces of a size that the first byte tells: libmicrohttpd,
 * behind the gate, must see the requests that are in what the gate hands on, no more and no others,
 * and have nothing to complain about.
 */
#include "gate/gate.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/interpose.h"

enum {
    HEAD_MAX = 4096,
    POOL_BYTES = HEAD_MAX + (16 << 10), /* as in mhd.c */
    STREAM_MAX = 65536,
    REQUESTS_MAX = STREAM_MAX / 16,
    ROUNDS_MAX = 1 << 20 /* of the library's loop: more is a loop without end */
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* One reading of a stream. */
struct reading {
    struct request {
        char line[HEAD_MAX]; /* method, blank, target */
        size_t body_bytes;
        bool whole, last; /* it is all there; the connection may end with it */
    } requests[REQUESTS_MAX];
    size_t n;
};

static struct reading expected, seen;

/* ---------------------------------------------------------------- the gate's words ----------- */

struct stream {
    const uint8_t *bytes;
    size_t size;
};

static ssize_t read_stream(void *from, void *bytes, size_t size)
{
    struct stream *stream = from;
    size_t n = stream->size < size ? stream->size : size;

    memcpy(bytes, stream->bytes, n);
    stream->bytes += n;
    stream->size -= n;
    return (ssize_t)n;
}

static void ignore(void *context)
{
    (void)context;
}

/* All that the gate hands on of a stream; its size. */
static size_t pass(const uint8_t *bytes, size_t size, char out[2 * STREAM_MAX])
{
    struct stream stream = {bytes, size};
    const struct gate_source source = {read_stream, &stream, -1};
    struct gate gate;
    size_t passed = 0;
    ssize_t n;

    must(gate_init(&gate, HEAD_MAX, ignore, NULL));
    do {
        n = gate_read(&gate, &source, out + passed, 2 * STREAM_MAX - passed);
        passed += n > 0 ? (size_t)n : 0;
    } while (n > 0 || stream.size != 0);
    must(passed < 2 * STREAM_MAX);
    gate_fini(&gate);
    out[passed] = '\0';
    return passed;
}

/* The text up to an end that must be there if anything more is. */
static char *cut(char **rest, const char *end, const char *mark)
{
    char *text = *rest, *found = memmem(text, (size_t)(end - text), mark, strlen(mark));

    if (found == NULL)
        return NULL;
    *found = '\0';
    *rest = found + strlen(mark);
    return text;
}

/* Chunks as the gate writes them; false: they do not end. */
static bool read_chunks(struct request *request, char **rest, const char *end)
{
    for (;;) {
        char *text = cut(rest, end, "\r\n"), *after = NULL;
        unsigned long long bytes = text != NULL ? strtoull(text, &after, 16) : 0;
        char plain[24];

        if (text == NULL)
            return false;
        snprintf(plain, sizeof plain, "%llx", bytes);
        must(strcmp(plain, text) == 0);
        if (bytes > (size_t)(end - *rest)) {
            *rest += end - *rest;
            return false;
        }
        request->body_bytes += bytes;
        *rest += bytes;
        if (end - *rest < 2)
            return false;
        must(memcmp(*rest, "\r\n", 2) == 0);
        *rest += 2;
        if (bytes == 0)
            return true;
    }
}

static bool read_length(struct request *request, const char *digits, char **rest, const char *end)
{
    unsigned long long bytes = strtoull(digits, NULL, 10);
    bool whole = bytes <= (size_t)(end - *rest);

    request->body_bytes = whole ? (size_t)bytes : (size_t)(end - *rest);
    *rest += request->body_bytes;
    return whole;
}

/* One request, strictly: what the gate hands on has no other form. */
static void read_request(struct request *request, char **rest, const char *end)
{
    char *head = cut(rest, end, "\r\n\r\n"), *line, *target = NULL, *version, *length = NULL;
    bool chunked = false;

    must(head != NULL && strchr(head, '\t') != head);
    line = strsep(&head, "\r");
    version = strrchr(line, ' ');
    must(version != NULL && (target = strchr(line, ' ')) != version);
    must(target[1] == '/' || strncmp(target, " * ", 3) == 0);
    *version++ = '\0';
    must(strcmp(version, "HTTP/1.1") == 0 || strcmp(version, "HTTP/1.0") == 0);
    *request = (struct request){.last = strcmp(version, "HTTP/1.0") == 0};
    snprintf(request->line, sizeof request->line, "%s", line);
    while (head != NULL) {
        must(*head++ == '\n');
        line = strsep(&head, "\r");
        must(strchr(line, '\n') == NULL && strncasecmp(line, "cookie:", 7) != 0);
        chunked |= strncasecmp(line, "transfer-encoding:", 18) == 0;
        request->last |= strncasecmp(line, "connection:", 11) == 0;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            must(length == NULL);
            length = line + 15;
        }
    }
    must(!chunked || length == NULL);
    request->whole = chunked          ? read_chunks(request, rest, end)
                     : length != NULL ? read_length(request, length, rest, end)
                                      : true;
}

static void read_passed(struct reading *reading, char *passed, size_t size)
{
    char *rest = passed, *end = passed + size;

    for (reading->n = 0; rest < end; reading->n++) {
        must(reading->n < REQUESTS_MAX);
        read_request(&reading->requests[reading->n], &rest, end);
    }
}

/* ---------------------------------------------------------------- the library's -------------- */

static struct connection {
    struct gate gate;
    struct interposed interposed;
    bool open;
} connection;

static struct MHD_Response *answers[2]; /* the second ends the connection */

static void *on_uri(void *context, const char *uri, struct MHD_Connection *mhd)
{
    struct request *request = &seen.requests[seen.n++];

    (void)context, (void)mhd;
    must(seen.n <= REQUESTS_MAX);
    *request = (struct request){0};
    snprintf(request->line, sizeof request->line, "%s", uri);
    return request;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state)
{
    struct request *request = *state;
    char uri[HEAD_MAX];

    (void)context, (void)url, (void)version, (void)data;
    if (!request->last) { /* the first call: it has the method too */
        request->last = true;
        memcpy(uri, request->line, sizeof uri);
        snprintf(request->line, sizeof request->line, "%s %s", method, uri);
        return MHD_YES;
    }
    request->body_bytes += *size;
    if (*size != 0) {
        *size = 0;
        return MHD_YES;
    }
    request->whole = true;
    return MHD_queue_response(mhd, 200, answers[gate_ends(&connection.gate, seen.n)]);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

    (void)context, (void)state;
    connection.open = code == MHD_CONNECTION_NOTIFY_STARTED;
    if (connection.open) {
        must(gate_init(&connection.gate, HEAD_MAX, ignore, NULL));
        interpose_add(&connection.interposed, &connection.gate, fd, NULL);
    } else {
        interpose_remove(&connection.interposed);
        gate_fini(&connection.gate);
    }
}

static void on_log(void *context, const char *format, va_list args)
{
    (void)context, (void)args;
    must(strncmp(format, "Error processing request", 24) != 0);
}

static struct MHD_Daemon *start(bool epoll)
{
    return MHD_start_daemon(
        (epoll ? MHD_USE_EPOLL : 0) | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_access, NULL, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_END);
}

/* Let it do all that it can; what it answers is dropped, but not unseen. */
static void work(struct MHD_Daemon *daemon, bool epoll, int client)
{
    char bytes[4096];
    int epoll_fd = epoll ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd : -1;
    struct pollfd ready = {.fd = epoll_fd, .events = POLLIN};
    int rounds = 0, idle = 0;

    while (idle < 3) {
        MHD_UNSIGNED_LONG_LONG timeout;
        ssize_t n;
        bool more = poll(&ready, 1, 0) == 1 ||
                    (MHD_get_timeout(daemon, &timeout) == MHD_YES && timeout == 0);

        must(rounds++ < ROUNDS_MAX && MHD_run(daemon) == MHD_YES);
        while ((n = recv(client, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            must(memmem(bytes, (size_t)n, "<html>", 6) == NULL);
            more = true;
        }
        idle = more ? 0 : idle + 1;
    }
}

static void ask_library(struct MHD_Daemon *daemon, bool epoll, const uint8_t *bytes, size_t size,
                        size_t step)
{
    static const struct sockaddr_in nobody = {.sin_family = AF_INET};
    int pair[2];

    seen.n = 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    must(MHD_add_connection(daemon, pair[1], (const struct sockaddr *)&nobody, sizeof nobody) ==
         MHD_YES);
    work(daemon, epoll, pair[0]);
    for (size_t n, sent = 0; sent < size && connection.open; sent += n) {
        n = size - sent < step ? size - sent : step;
        if (send(pair[0], bytes + sent, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        work(daemon, epoll, pair[0]);
    }
    (void)shutdown(pair[0], SHUT_WR);
    work(daemon, epoll, pair[0]);
    close(pair[0]);
    for (int i = 0; connection.open && i < 8; i++)
        must(MHD_run(daemon) == MHD_YES);
    must(!connection.open);
}

/* ---------------------------------------------------------------- beside each other ---------- */

static void compare(void)
{
    for (size_t i = 0; i < seen.n; i++) {
        must(i < expected.n && strcmp(seen.requests[i].line, expected.requests[i].line) == 0);
        must(seen.requests[i].whole == expected.requests[i].whole);
        must(!seen.requests[i].whole ||
             seen.requests[i].body_bytes == expected.requests[i].body_bytes);
    }
    /* All of them, unless it was told to end before. */
    must(seen.n == expected.n || (seen.n != 0 && expected.requests[seen.n - 1].last));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct MHD_Daemon *daemons[2];
    static char passed[2 * STREAM_MAX + 1];

    if (size < 2 || size > STREAM_MAX)
        return 0;
    for (int i = 0; i < 2 && answers[i] == NULL; i++) {
        answers[i] =
            MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok", MHD_RESPMEM_PERSISTENT);
        if (i == 1)
            must(MHD_add_response_header(answers[i], "Connection", "close") == MHD_YES);
    }
    read_passed(&expected, passed, pass(bytes + 1, size - 1, passed));
    for (int epoll = 0; epoll < 2; epoll++) {
        if (daemons[epoll] == NULL)
            must((daemons[epoll] = start(epoll)) != NULL);
        ask_library(daemons[epoll], epoll, bytes + 1, size - 1,
                    bytes[0] < 128 ? bytes[0] + 1U : bytes[0] * 100U);
        compare();
    }
    return 0;
}
