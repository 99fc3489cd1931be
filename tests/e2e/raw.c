/* Bare sockets: requests that no library would send. */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

enum { RECEIVE_S = 120, PIECE_BYTES = 65536, HEAD_BYTES = 512 };

struct raw_tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static int connect_to(const struct server *server)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(server->ports[0]),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = RECEIVE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

bool can_connect(const struct server *server)
{
    int fd = connect_to(server);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void raw_open(struct raw *raw, const struct server *server)
{
    *raw = (struct raw){.fd = connect_to(server)};
    assert_true(raw->fd >= 0);
}

void raw_open_tls(struct raw *raw, const struct server *server)
{
    struct raw_tls *tls = calloc(1, sizeof *tls);
    int code;

    raw_open(raw, server);
    assert_non_null(tls);
    raw->tls = tls;
    assert_int_equal(gnutls_certificate_allocate_credentials(&tls->credentials), 0);
    assert_int_equal(gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_set_default_priority(tls->session), 0);
    assert_int_equal(gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials),
                     0);
    gnutls_transport_set_int(tls->session, raw->fd);
    do
        code = gnutls_handshake(tls->session);
    while (code != 0 && !gnutls_error_is_fatal(code));
    assert_int_equal(code, 0);
}

static ssize_t send_some(struct raw *raw, const void *bytes, size_t size)
{
    return raw->tls != NULL ? gnutls_record_send(raw->tls->session, bytes, size)
                            : send(raw->fd, bytes, size, MSG_NOSIGNAL);
}

/* A TLS session that ends as TCP does has ended too; with no more patience it says so at once. */
static ssize_t receive_some(struct raw *raw, void *bytes, size_t size)
{
    ssize_t n = raw->tls != NULL ? gnutls_record_recv(raw->tls->session, bytes, size)
                                 : recv(raw->fd, bytes, size, 0);

    if (n == GNUTLS_E_AGAIN && raw->tls != NULL)
        errno = EAGAIN;
    else if (n < 0 && raw->tls != NULL)
        n = 0;
    return n;
}

void raw_close(struct raw *raw)
{
    if (raw->tls != NULL) {
        gnutls_deinit(raw->tls->session);
        gnutls_certificate_free_credentials(raw->tls->credentials);
        free(raw->tls);
    }
    close(raw->fd);
    free(raw->bytes);
    *raw = (struct raw){.fd = -1};
}

void raw_reset(struct raw *raw)
{
    const struct linger now = {.l_onoff = 1};

    setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    raw_close(raw);
}

bool raw_send(struct raw *raw, const void *bytes, size_t size)
{
    for (const char *next = bytes; size != 0;) {
        ssize_t n = send_some(raw, next, size);

        if (n <= 0)
            return false;
        next += n;
        size -= (size_t)n;
    }
    return true;
}

bool raw_text(struct raw *raw, const char *text)
{
    return raw_send(raw, text, strlen(text));
}

bool raw_post(struct raw *raw, const char *query, const struct blob *body, size_t sent)
{
    char head[HEAD_BYTES];

    snprintf(head, sizeof head,
             "POST /classify%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", query,
             body->size);
    return raw_text(raw, head) && raw_send(raw, body->bytes, sent);
}

/* Receive some more; false at the end. */
static bool receive(struct raw *raw)
{
    char *grown = realloc(raw->bytes, raw->size + PIECE_BYTES + 1);
    ssize_t n;

    assert_non_null(grown);
    raw->bytes = grown;
    n = receive_some(raw, raw->bytes + raw->size, PIECE_BYTES);
    if (n < 0 && errno == EAGAIN)
        fail_msg("the server neither answers nor closes the connection");
    if (n > 0)
        raw->size += (size_t)n;
    raw->bytes[raw->size] = '\0';
    return n > 0;
}

static char *copy_text(const char *text, size_t size)
{
    char *copy = malloc(size + 1);

    assert_non_null(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

/* An answer whose headers end at `head` of what was received. */
static bool cut_answer(struct raw *raw, size_t head, struct answer *answer)
{
    const char *length;
    size_t size;

    *answer = (struct answer){.headers = copy_text(raw->bytes, head)};
    if (sscanf(answer->headers, "HTTP/1.%*d %ld", &answer->status) != 1)
        fail_msg("not HTTP: %s", answer->headers);
    length = answer_header(answer, "Content-Length");
    size = length != NULL ? strtoul(length, NULL, 10) : 0;
    while (raw->size < head + size)
        if (!receive(raw)) {
            answer_free(answer);
            return false;
        }
    answer->body = copy_text(raw->bytes + head, size);
    answer->size = size;
    if (size != 0)
        answer->json = json_loadb(answer->body, size, 0, NULL);
    raw->size -= head + size;
    memmove(raw->bytes, raw->bytes + head + size, raw->size + 1);
    return true;
}

bool raw_answer(struct raw *raw, struct answer *answer)
{
    for (;;) {
        const char *end = raw->size != 0 ? strstr(raw->bytes, "\r\n\r\n") : NULL;

        if (end != NULL)
            return cut_answer(raw, (size_t)(end - raw->bytes) + 4, answer);
        if (!receive(raw))
            return false;
    }
}

bool raw_ends(struct raw *raw)
{
    bool silent = raw->size == 0;

    while (receive(raw)) {
        silent = false;
        raw->size = 0;
    }
    return silent;
}
