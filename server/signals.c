/*
 * Signals. OpenBLAS starts threads before main, in which a blocked signal would still be delivered,
 * so signals are caught by handlers and not by sigwait or a signalfd.
 */
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int signal_fd = -1;

static void on_signal(int number)
{
    static const uint64_t one = 1;
    int reason = errno;
    ssize_t written = write(signal_fd, &one, sizeof one);

    (void)number, (void)written;
    errno = reason;
}

enum vgg_status signals_init(struct vgg_error *error)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (signal_fd < 0)
        return vgg_fail(error, VGG_IO, "eventfd: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL); /* a closed terminal is no reason to stop serving */
    return VGG_OK;
}

bool signals_wait(int timeout_ms)
{
    struct pollfd polled = {.fd = signal_fd, .events = POLLIN};
    uint64_t one;

    /* A signal interrupts poll, then the descriptor is readable. */
    while (poll(&polled, 1, timeout_ms) < 0 && errno == EINTR)
        ;
    return read(signal_fd, &one, sizeof one) == sizeof one;
}
