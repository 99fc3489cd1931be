/*
 * Signals. A shared OpenBLAS starts threads before main, in which a blocked signal would still be
 * delivered, so signals are caught by handlers and not by sigwait or a signalfd.
 */
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int end_fd = -1, reload_fd = -1;
static atomic_uint ends;
static atomic_bool attended;

static void on_signal(int number)
{
    static const uint64_t one = 1;
    int reason = errno;
    ssize_t written = write(number == SIGHUP ? reload_fd : end_fd, &one, sizeof one);

    (void)written;
    if (number != SIGHUP && atomic_fetch_add(&ends, 1) != 0 && !attended)
        _exit(1);
    errno = reason;
}

enum vgg_status signals_init(struct vgg_error *error)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    ends = 0;
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
