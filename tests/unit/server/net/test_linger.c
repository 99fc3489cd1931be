/* The last bytes of connections that are closed early. */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fault.h"
#include "net/linger.h"
#include "process/clock.h"

enum { HANG_S = 240, PATIENCE_S = 60, MEGABYTES = 8, CROWD = 300 };

static int setup(void **state)
{
    (void)alarm(HANG_S);
    *state = linger_create();
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    linger_destroy(*state);
    linger_destroy(NULL);
    (void)alarm(0);
    return 0;
}

/* Hand over one end as peers.c does: it closes its own descriptor at once. */
static int open_lingering(struct lingerers *linger)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(send(pair[0], "answer", 6, 0), 6);
    linger_add(linger, pair[0]);
    close(pair[0]);
    return pair[1];
}

/* All that is sent is taken; the answer and then the end come all the same. */
static void sender_is_heard_out(void **state)
{
    static char bytes[1 << 20];
    char answer[16];
    int fd = open_lingering(*state);

    for (int i = 0; i < MEGABYTES; i++)
        for (size_t sent = 0; sent < sizeof bytes;) {
            ssize_t n = send(fd, bytes + sent, sizeof bytes - sent, MSG_NOSIGNAL);

            if (n <= 0)
                fail_msg("%s", errno == EAGAIN ? "nobody reads what is sent" : "it is closed");
            sent += (size_t)n;
        }
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 6);
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 0);
    close(fd);
}

/* One who says nothing more, and one who never ends, are let go. */
static void not_for_ever(void **state)
{
    static char bytes[4096];
    int silent = open_lingering(*state), endless = open_lingering(*state);
    struct pollfd polled = {.fd = silent}; /* for POLLHUP, which a half-close does not raise */
    uint64_t end_ns = now_ns() + PATIENCE_S * NS_PER_S;

    assert_int_equal(poll(&polled, 1, 0), 0);
    while (send(endless, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        if (now_ns() >= end_ns)
            fail_msg("a client that sends without end is never let go");
    if (errno == EAGAIN)
        fail_msg("nobody reads what is sent");
    if (poll(&polled, 1, PATIENCE_S * 1000) != 1)
        fail_msg("a client that sends nothing more is never let go");
    close(endless);
    close(silent);
}

/* More than it takes on, and all of them still open at its end. */
static void crowd(void **state)
{
    int fds[CROWD];

    for (size_t i = 0; i < CROWD; i++)
        fds[i] = open_lingering(*state);
    linger_destroy(*state);
    *state = NULL;
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(send(fds[i], "x", 1, MSG_NOSIGNAL), -1);
        close(fds[i]);
    }
}

static void no_memory(void **state)
{
    long before = fault_outstanding();

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    assert_null(linger_create());
    assert_true(fault_disarm());
    assert_int_equal(fault_outstanding(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sender_is_heard_out, setup, teardown),
        cmocka_unit_test_setup_teardown(not_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(crowd, setup, teardown),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
