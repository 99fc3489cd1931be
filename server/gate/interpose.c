/*
 * The functions that are found in the place of the libraries', and the table of the connections
 * that go through gates. The table is global, since nothing but a descriptor or a session comes
 * with those calls.
 */
#undef _FORTIFY_SOURCE /* or <sys/socket.h> would define a recv of its own */
#include "gate/interpose.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/tls.h"

enum { BUCKETS = 1024 };

#define EXPORTED __attribute__((visibility("default"), used))

ssize_t gnutls_record_recv(void *session, void *bytes, size_t size);
size_t gnutls_record_check_pending(void *session);
int gnutls_handshake(void *session);

static struct {
    pthread_mutex_t mutex;
    struct interposed *first[BUCKETS];
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct interposed **bucket(int fd, const void *session)
{
    size_t hash = session != NULL ? (uintptr_t)session / 64 : (size_t)fd;

    return &table.first[hash % BUCKETS];
}

void interpose_add(struct interposed *entry, struct gate *gate, int fd, const void *session)
{
    struct interposed **first = bucket(fd, session);

    pthread_mutex_lock(&table.mutex);
    *entry = (struct interposed){gate, session, session != NULL ? -1 : fd, *first};
    *first = entry;
    pthread_mutex_unlock(&table.mutex);
}

void interpose_remove(struct interposed *entry)
{
    struct interposed **link = bucket(entry->fd, entry->session);

    pthread_mutex_lock(&table.mutex);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    pthread_mutex_unlock(&table.mutex);
}

/* The gate stays: only the thread that reads of a connection ends it. */
static struct gate *find(int fd, const void *session)
{
    struct interposed *entry;

    pthread_mutex_lock(&table.mutex);
    entry = *bucket(fd, session);
    while (entry != NULL && (entry->fd != fd || entry->session != session))
        entry = entry->next;
    pthread_mutex_unlock(&table.mutex);
    return entry != NULL ? entry->gate : NULL;
}

/* ---------------------------------------------------------------- the real ones -------------- */

/* The next definition of a name after ours, a sanitizer's or the library's. */
static void *real(const char *name, _Atomic(void *) *known)
{
    if (*known == NULL)
        *known = dlsym(RTLD_NEXT, name);
    return *known;
}

static ssize_t real_recv(int fd, void *bytes, size_t size, int flags)
{
    static _Atomic(void *) known;
    ssize_t (*function)(int, void *, size_t, int);

    *(void **)&function = real("recv", &known);
    return function != NULL ? function(fd, bytes, size, flags)
                            : (ssize_t)syscall(SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
}

static ssize_t real_record_recv(void *session, void *bytes, size_t size)
{
    static _Atomic(void *) known;
    ssize_t (*function)(void *, void *, size_t);

    *(void **)&function = real("gnutls_record_recv", &known);
    return function(session, bytes, size);
}

static size_t real_check_pending(void *session)
{
    static _Atomic(void *) known;
    size_t (*function)(void *);

    *(void **)&function = real("gnutls_record_check_pending", &known);
    return function(session);
}

static int real_handshake(void *session)
{
    static _Atomic(void *) known;
    int (*function)(void *);

    *(void **)&function = real("gnutls_handshake", &known);
    return function(session);
}

/* ---------------------------------------------------------------- ours ----------------------- */

static ssize_t read_socket(void *from, void *bytes, size_t size)
{
    return real_recv(*(const int *)from, bytes, size, 0);
}

EXPORTED ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    const struct gate_source source = {read_socket, &fd, -1};
    struct gate *gate = flags == 0 ? find(fd, NULL) : NULL;

    return gate != NULL ? gate_read(gate, &source, bytes, size) : real_recv(fd, bytes, size, flags);
}

EXPORTED ssize_t gnutls_record_recv(void *session, void *bytes, size_t size)
{
    const struct gate_source source = {real_record_recv, session, tls_again};
    struct gate *gate = find(-1, session);

    return gate != NULL ? gate_read(gate, &source, bytes, size)
                        : real_record_recv(session, bytes, size);
}

/* By this libmicrohttpd knows that there is more to read than the socket's readiness tells. */
EXPORTED size_t gnutls_record_check_pending(void *session)
{
    const struct gate *gate = find(-1, session);

    return real_check_pending(session) + (gate != NULL && gate_pending(gate));
}

EXPORTED int gnutls_handshake(void *session)
{
    int code = real_handshake(session);

    if (code != 0 && find(-1, session) != NULL)
        tls_refuse(session, code);
    return code;
}
