/* The streams that a process begins with. */
#include "process/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/terminal.h"

bool streams_open(void)
{
    int fd;

    /* The least free number is taken: at the first over 2 there is no gap below. */
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
    return fd > STDERR_FILENO ||
           (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
            fcntl(STDERR_FILENO, F_GETFD) >= 0);
}

/* A pipe tells, even where the error that it gave is long forgotten. */
static bool reader_has_gone(void)
{
    struct pollfd polled = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&polled, 1, 0) == 1 && (polled.revents & (POLLERR | POLLHUP)) != 0;
}

int streams_close(int status)
{
    bool gone = reader_has_gone(), failed = ferror(stdout) != 0;

    errno = 0; /* of a failure before this, which the stream has forgotten */
    failed = fclose(stdout) != 0 || failed;
    if (!failed)
        return status;
    if (!gone && errno != EPIPE)
        terminal_say("cannot write to standard output%s%s", errno != 0 ? ": " : "",
                     errno != 0 ? strerror(errno) : "");
    return status != 0 ? status : 1;
}
