/* The last bytes of connections that are closed early. */
#include "check.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "net/linger.h"

enum { HANG_S = 120, MEGABYTES = 8, CROWD = 300 };

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

/* Hand over one end as http.c does: it closes its own descriptor at once. */
static int open_lingering(struct lingerers *linger)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
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

            assert_true(n > 0);
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

    while (send(endless, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        ;
    close(endless);
    while (send(silent, bytes, 1, MSG_NOSIGNAL) > 0)
        sleep(3); /* longer than it may be silent */
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
