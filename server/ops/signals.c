/*
 * Signals. A shared OpenBLAS starts threads before main, in which a blocked signal would still be
 * delivered, so signals are caught by handlers and not by sigwait or a signalfd.
 */
#include "ops/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int end_fd = -1, reload_fd = -1;
static atomic_uint ends;
static _Atomic uint64_t last_end_ns; /* that counted; 0: none has */
static atomic_bool attended;

/*
 * `timeout make run` sends one to its process group and one to make, which passes it on: what comes
 * within a moment is one. Of two threads that are interrupted at once, one counts.
 */
static bool is_another_end(void)
{
    uint64_t last = last_end_ns, now = now_ns(); /* in this order: no other thread's is later */

    return (last == 0 || now - last >= SIGNALS_MOMENT_NS) &&
           atomic_compare_exchange_strong(&last_end_ns, &last, now);
}

static void on_signal(int number)
{
    static const uint64_t one = 1;
    int reason = errno;
    ssize_t written = 0;

    if (number == SIGHUP)
        written = write(reload_fd, &one, sizeof one);
    else if (is_another_end()) {
        written = write(end_fd, &one, sizeof one);
        if (atomic_fetch_add(&ends, 1) != 0 && !attended)
            _exit(1);
    }
    (void)written;
    errno = reason;
}

enum vgg_status signals_init(struct vgg_error *error)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    ends = 0;
    last_end_ns = 0;
    attended = false;
    /* Each end counts, since the second one ends at once; many reloads are one. */
    end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (end_fd < 0 || reload_fd < 0)
        return vgg_fail(error, VGG_IO, "eventfd: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    return VGG_OK;
}

bool signals_ended(void)
{
    return ends != 0;
}

void signals_attend(bool attend)
{
    attended = attend;
}

static bool take(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof count) == sizeof count;
}

enum signals_event signals_wait(int timeout_ms)
{
    struct pollfd polled[2] = {{.fd = end_fd, .events = POLLIN},
                               {.fd = reload_fd, .events = POLLIN}};

    /* A signal interrupts poll, then the descriptor is readable. */
    while (poll(polled, 2, timeout_ms) < 0 && errno == EINTR)
        ;
    if (take(end_fd))
        return SIGNALS_END;
    return take(reload_fd) ? SIGNALS_RELOAD : SIGNALS_NONE;
}
