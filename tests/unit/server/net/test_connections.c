/* The watch list: who is cut and when, who counts as busy. */
#include "check.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "net/connections.h"
#include "process/clock.h"

enum { HANG_S = 120, PAIRS = 40 };

static const uint64_t LATER_NS = 3600 * NS_PER_S;

static struct connections *connections;

static int setup(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    return connections_create(&connections, NULL) == VGG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    connections_destroy(connections);
    (void)alarm(0);
    return 0;
}

static void open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* Wait for the end of the stream; a byte instead is a failure. Hangs, and so fails, without one. */
static void wait_for_end(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static bool is_open(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0;
}

/* The peer of a cut socket sees its end; the others' peers do not, even one cut later. */
static void deadline_cuts(void **state)
{
    int late[2], never[2], later[2];
    struct connection_watch *watches[3];

    (void)state;
    open_pair(late);
    open_pair(never);
    open_pair(later);
    watches[0] = watch_add(connections, never[0], 0);
    watches[1] = watch_add(connections, late[0], 1); /* long ago */
    watches[2] = watch_add(connections, later[0], now_ns() + LATER_NS);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(watches[i]);
    wait_for_end(late[1]);
    assert_true(is_open(never[1]));
    assert_true(is_open(later[1]));
    assert_int_equal(connections_count(connections), 3); /* cut, but still its owner's to remove */

    /* Two more sweeps for certain: each cuts something watched after the last. */
    for (int i = 0; i < 2; i++) {
        watch_set(watches[1], 0, false);
        watch_remove(watches[1]);
        close_pair(late);
        open_pair(late);
        watches[1] = watch_add(connections, late[0], now_ns());
        wait_for_end(late[1]);
    }
    assert_true(is_open(never[1]));
    assert_true(is_open(later[1]));

    /* A new deadline takes the place of the old one. */
    watch_set(watches[2], now_ns(), false);
    wait_for_end(later[1]);
    assert_true(is_open(never[1]));
    for (size_t i = 0; i < 3; i++)
        watch_remove(watches[i]);
    close_pair(late);
    close_pair(never);
    close_pair(later);
}

/* A deadline moved on, or a watch removed, before its time cuts nothing. */
static void moved_and_removed_deadlines(void **state)
{
    int moved[2], removed[2], sentinel[2];
    struct connection_watch *watches[2];
    uint64_t soon_ns;

    (void)state;
    for (;;) {
        open_pair(moved);
        open_pair(removed);
        soon_ns = now_ns() + 300 * NS_PER_MS;
        watches[0] = watch_add(connections, moved[0], soon_ns);
        watches[1] = watch_add(connections, removed[0], soon_ns);
        watch_set(watches[0], now_ns() + LATER_NS, false);
        watch_remove(watches[1]);
        if (now_ns() < soon_ns)
            break; /* else this machine was too slow for it to mean anything */
        watch_remove(watches[0]);
        close_pair(moved);
        close_pair(removed);
    }
    open_pair(sentinel);
    watches[1] = watch_add(connections, sentinel[0], soon_ns);
    wait_for_end(sentinel[1]); /* the others' old time has come too */
    assert_true(is_open(moved[1]));
    assert_true(is_open(removed[1]));
    watch_remove(watches[0]);
    watch_remove(watches[1]);
    close_pair(moved);
    close_pair(removed);
    close_pair(sentinel);
}

static void busy_or_unread(void **state)
{
    int a[2], b[2];
    char byte;
    struct connection_watch *watch_a, *watch_b;

    (void)state;
    open_pair(a);
    open_pair(b);
    assert_int_equal(connections_busy(connections), 0);
    assert_int_equal(connections_count(connections), 0);
    watch_a = watch_add(connections, a[0], 0);
    watch_b = watch_add(connections, b[0], 0);
    assert_int_equal(connections_count(connections), 2);
    assert_int_equal(connections_busy(connections), 0);
    watch_set(watch_a, 0, true);
    assert_int_equal(connections_busy(connections), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(connections_busy(connections), 2);
    assert_int_equal(write(a[1], "x", 1), 1); /* both reasons at once count once */
    assert_int_equal(connections_busy(connections), 2);
    watch_set(watch_a, 0, false);
    assert_int_equal(connections_busy(connections), 2);
    assert_int_equal(read(a[0], &byte, 1), 1);
    assert_int_equal(connections_busy(connections), 1);
    assert_int_equal(read(b[0], &byte, 1), 1);
    assert_int_equal(connections_busy(connections), 0);
    watch_remove(watch_a);
    assert_int_equal(connections_count(connections), 1);
    watch_remove(watch_b);
    assert_int_equal(connections_count(connections), 0);
    watch_remove(NULL);
    connections_destroy(NULL);
    close_pair(a);
    close_pair(b);
}

/* First, middle and last of the list can go. */
static void removal_in_any_order(void **state)
{
    int pair[2];

    (void)state;
    open_pair(pair);
    for (size_t order = 0; order < 6; order++) {
        static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                            {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct connection_watch *watches[3];

        for (size_t i = 0; i < 3; i++)
            watches[i] = watch_add(connections, pair[0], 0);
        for (size_t i = 0; i < 3; i++) {
            watch_remove(watches[orders[order][i]]);
            assert_int_equal(connections_count(connections), 2 - i);
        }
    }
    close_pair(pair);
}

static void *churn_main(void *argument)
{
    int pair[2];

    (void)argument;
    for (int i = 0; i < PAIRS * 10; i++) {
        struct connection_watch *watch;

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
            return (void *)1;
        watch = watch_add(connections, pair[0], i % 2 == 0 ? 1 : now_ns() + LATER_NS);
        watch_set(watch, now_ns() + (uint64_t)(i % 3) * NS_PER_MS, true);
        (void)connections_busy(connections);
        watch_remove(watch);
        close(pair[0]);
        close(pair[1]);
    }
    return NULL;
}

/* Added, moved and removed by several threads while the sweeper runs. */
static void many_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn_main, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(connections_count(connections), 0);
    assert_int_equal(connections_busy(connections), 0);
}

/* Started and stopped without a connection, or with one watched a moment ago. */
static void stops_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct connections *own;

        assert_int_equal(connections_create(&own, NULL), VGG_OK);
        if (i % 2 == 0)
            watch_remove(watch_add(own, -1, now_ns() + LATER_NS));
        connections_destroy(own);
    }
}

static void out_of_memory(void **state)
{
    struct connections *own = NULL;
    struct vgg_error error = {0};
    struct connection_watch *watch;

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    watch = watch_add(connections, -1, 0);
    assert_true(fault_disarm());
    assert_null(watch);
    assert_int_equal(connections_count(connections), 0);
    fault_arm(1);
    assert_int_equal(connections_create(&own, &error), VGG_NO_MEMORY);
    assert_true(fault_disarm());
    assert_null(own);
    assert_int_equal(error.status, VGG_NO_MEMORY);
}

/* ---------------------------------------------------------------- who has gone --------------- */

/* TCP, whose end of a stream does not tell a close from a half-close. */
static void open_tcp(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[1], (struct sockaddr *)&address, size), 0);
    pair[0] = accept(listener, NULL, NULL);
    assert_true(pair[0] >= 0);
    close(listener);
}

static void the_closed_are_told_from_the_half_closed(void **state)
{
    enum { CLOSED, RESET, HALF, OPEN, UNASKED, N };
    const struct linger now = {.l_onoff = 1};
    struct connection_watch *watches[N];
    atomic_bool gone[N] = {false};
    int pairs[N][2];
    char text[8];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        open_tcp(pairs[i]);
        watches[i] = watch_add(connections, pairs[i][0], now_ns() + LATER_NS);
        watch_expect(watches[i], false);
        watch_await(watches[i], &gone[i]);
    }
    watch_await(watches[UNASKED], NULL);
    shutdown(pairs[HALF][1], SHUT_WR);
    close(pairs[UNASKED][1]);
    close(pairs[CLOSED][1]);
    setsockopt(pairs[RESET][1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(pairs[RESET][1]);
    while (!gone[CLOSED] || !gone[RESET])
        usleep(1000);
    usleep(300000); /* some sweeps more: nothing else changes */
    assert_false(gone[HALF] || gone[OPEN] || gone[UNASKED]);
    /* What it was sent to find out is not in its stream. */
    assert_int_equal(send(pairs[HALF][0], "answer", 6, 0), 6);
    assert_int_equal(recv(pairs[HALF][1], text, sizeof text, 0), 6);
    assert_memory_equal(text, "answer", 6);
    for (size_t i = 0; i < N; i++) {
        watch_remove(watches[i]);
        close(pairs[i][0]);
    }
    close(pairs[HALF][1]);
    close(pairs[OPEN][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deadline_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown(moved_and_removed_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(busy_or_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(removal_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(the_closed_are_told_from_the_half_closed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
