/* The list of connections: who is cut and when, who counts as busy, who has gone. */
#include "check.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "net/connections.h"
#include "process/clock.h"

enum { HANG_S = 240, PATIENCE_MS = 60000, PAIRS = 40 };

#define HOUR_NS (3600 * NS_PER_S)

static const struct connection_times slow = {HOUR_NS, HOUR_NS, HOUR_NS};

static struct connections *connections;

static void create(const struct connection_times *times)
{
    assert_int_equal(connections_create(times, &connections, NULL), VGG_OK);
}

static int setup(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    create(&slow);
    return 0;
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

/* From which state, and by what, one comes into another. */
static const struct {
    enum connection_state from;
    enum connection_event by;
} ways[CONNECTION_STATES_N] = {
    [CONNECTION_HEAD] = {CONNECTION_ACCEPTED, EVENT_BYTE},
    [CONNECTION_READ] = {CONNECTION_HEAD, EVENT_HEAD},
    [CONNECTION_BODY] = {CONNECTION_READ, EVENT_ADMIT},
    [CONNECTION_WHOLE] = {CONNECTION_BODY, EVENT_WHOLE},
    [CONNECTION_HANDLED] = {CONNECTION_WHOLE, EVENT_HANDLE},
    [CONNECTION_DEFERRED] = {CONNECTION_HANDLED, EVENT_DEFER},
    [CONNECTION_GONE] = {CONNECTION_DEFERRED, EVENT_LEAVE},
    [CONNECTION_RESUMED] = {CONNECTION_DEFERRED, EVENT_RESPOND},
    [CONNECTION_LOST] = {CONNECTION_GONE, EVENT_RESPOND},
    [CONNECTION_ANSWER] = {CONNECTION_HANDLED, EVENT_ANSWER},
    [CONNECTION_EARLY] = {CONNECTION_READ, EVENT_REFUSE},
    [CONNECTION_IDLE] = {CONNECTION_ANSWER, EVENT_OVER},
    [CONNECTION_ENDING] = {CONNECTION_ANSWER, EVENT_OVER_LAST},
};

static void move_to(struct connection *connection, enum connection_state state,
                    uint64_t deadline_ns)
{
    if (ways[state].from == CONNECTION_NONE)
        return;
    move_to(connection, ways[state].from, deadline_ns);
    if (ways[state].by == EVENT_ADMIT)
        connection_admit(connection, deadline_ns);
    else
        assert_true(connection_event(connection, ways[state].by));
    assert_int_equal(connection_get_state(connection), state);
}

/* One in a state, whose request has this deadline if there is one. */
static struct connection *add(int fd, enum connection_state state, uint64_t deadline_ns)
{
    struct connection *connection = connection_add(connections, fd, state == CONNECTION_HANDSHAKE);

    assert_non_null(connection);
    move_to(connection, state, deadline_ns);
    return connection;
}

/* Wait for the end of the stream; a byte instead is a failure. */
static void wait_for_end(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;

    if (poll(&polled, 1, PATIENCE_MS) != 1)
        fail_msg("the connection is not cut");
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static bool is_open(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0;
}

static uint64_t cuts(enum connection_cut why)
{
    uint64_t counts[CONNECTION_CUTS_N];

    connections_get_cuts(connections, counts);
    return counts[why];
}

/* ---------------------------------------------------------------- deadlines ------------------ */

/* The peer of a cut socket sees its end; the others' peers do not, even two sweeps later. */
static void deadlines_cut(void **state)
{
    int late[2], never[2], later[2];
    struct connection *those[3];

    (void)state;
    open_pair(never);
    open_pair(later);
    those[0] = add(never[0], CONNECTION_DEFERRED, 1);
    those[1] = add(later[0], CONNECTION_BODY, now_ns() + HOUR_NS);
    for (int i = 0; i < 3; i++) {
        open_pair(late);
        those[2] = add(late[0], CONNECTION_BODY, i == 0 ? 1 : now_ns());
        wait_for_end(late[1]);
        assert_int_equal(connections_in(connections, CONNECTION_BODY), 2); /* still its owner's */
        connection_remove(those[2]);
        close_pair(late);
    }
    assert_true(is_open(never[1]));
    assert_true(is_open(later[1]));
    assert_int_equal(cuts(CUT_BODY), 3);
    connection_remove(those[0]);
    connection_remove(those[1]);
    close_pair(never);
    close_pair(later);
}

/* In every state that has one; each counts as what it was late with. */
static void each_deadline(void **state)
{
    static const struct {
        enum connection_state state;
        struct connection_times times; /* 1 is over at once */
        enum connection_cut late;
    } cases[] = {
        {CONNECTION_HANDSHAKE, {HOUR_NS, 1, HOUR_NS}, CUT_HEADERS},
        {CONNECTION_ACCEPTED, {HOUR_NS, 1, HOUR_NS}, CUT_HEADERS},
        {CONNECTION_HEAD, {1, HOUR_NS, HOUR_NS}, CUT_HEADERS},
        {CONNECTION_READ, {1, HOUR_NS, HOUR_NS}, CUT_HEADERS},
        {CONNECTION_ANSWER, {HOUR_NS, HOUR_NS, 1}, CUT_ANSWER},
        {CONNECTION_EARLY, {HOUR_NS, HOUR_NS, 1}, CUT_ANSWER},
        {CONNECTION_IDLE, {HOUR_NS, HOUR_NS, 1}, CUT_IDLE},
        {CONNECTION_ENDING, {HOUR_NS, HOUR_NS, 1}, CUT_IDLE},
    };

    (void)state;
    (void)alarm(HANG_S);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t end_ns = now_ns() + PATIENCE_MS * NS_PER_MS;
        struct connection *connection;
        int pair[2];

        create(&cases[i].times);
        open_pair(pair);
        connection = add(pair[0], cases[i].state, now_ns() + HOUR_NS);
        wait_for_end(pair[1]);
        /* A sweep may have come on the way to that state: then this is the second cut. */
        while (cuts(cases[i].late) == 0 && now_ns() < end_ns)
            usleep(1000);
        assert_int_equal(cuts(cases[i].late), 1);
        assert_int_equal(cuts(CUT_BODY), 0);
        connection_remove(connection);
        connections_destroy(connections);
        close_pair(pair);
    }
    (void)alarm(0);
}

/* A deadline that is left behind, or a connection removed, before its time cuts nothing. */
static void moved_and_removed_deadlines(void **state)
{
    int moved[2], removed[2], sentinel[2];
    struct connection *those[2];
    uint64_t soon_ns;

    (void)state;
    for (;;) {
        open_pair(moved);
        open_pair(removed);
        soon_ns = now_ns() + 300 * NS_PER_MS;
        those[0] = add(moved[0], CONNECTION_DEFERRED, soon_ns);
        those[1] = add(removed[0], CONNECTION_BODY, soon_ns);
        connection_remove(those[1]);
        if (now_ns() < soon_ns)
            break; /* else this machine was too slow for it to mean anything */
        connection_remove(those[0]);
        close_pair(moved);
        close_pair(removed);
    }
    open_pair(sentinel);
    those[1] = add(sentinel[0], CONNECTION_HANDLED, soon_ns); /* which keeps that of its body */
    wait_for_end(sentinel[1]); /* the others' old time has come too */
    assert_true(is_open(moved[1]));
    assert_true(is_open(removed[1]));
    connection_remove(those[0]);
    connection_remove(those[1]);
    close_pair(moved);
    close_pair(removed);
    close_pair(sentinel);
}

/* A request has begun with its first byte, or with its head where there was none before. */
static void beginnings(void **state)
{
    struct connection *connection = add(-1, CONNECTION_HEAD, 0);
    uint64_t begun_ns = connection_get_begun_ns(connection), before_ns = now_ns();

    (void)state;
    assert_in_range(begun_ns, 1, before_ns);
    assert_false(connection_event(connection, EVENT_BYTE));
    assert_true(connection_event(connection, EVENT_HEAD));
    assert_int_equal(connection_get_begun_ns(connection), begun_ns);
    assert_true(connection_event(connection, EVENT_OVER));
    assert_true(connection_event(connection, EVENT_HEAD));
    begun_ns = connection_get_begun_ns(connection);
    assert_in_range(begun_ns, before_ns, now_ns());
    before_ns = now_ns();
    assert_true(connection_event(connection, EVENT_OVER_NEXT));
    assert_in_range(connection_get_begun_ns(connection), before_ns, now_ns());
    connection_remove(connection);
}

/* ---------------------------------------------------------------- counts --------------------- */

static void busy_or_unread(void **state)
{
    int a[2], b[2];
    char byte;
    struct connection *first, *second;

    (void)state;
    open_pair(a);
    open_pair(b);
    assert_int_equal(connections_busy(connections), 0);
    first = add(a[0], CONNECTION_HANDSHAKE, 0);
    second = add(b[0], CONNECTION_ACCEPTED, 0);
    assert_int_equal(connections_in(connections, CONNECTION_HANDSHAKE), 1);
    assert_int_equal(connections_in(connections, CONNECTION_ACCEPTED), 1);
    assert_int_equal(connections_busy(connections), 0);
    assert_true(connection_event(first, EVENT_BYTE));
    assert_int_equal(connections_in(connections, CONNECTION_HANDSHAKE), 0);
    assert_int_equal(connections_busy(connections), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(connections_busy(connections), 2);
    assert_int_equal(write(a[1], "x", 1), 1); /* both reasons at once count once */
    assert_int_equal(connections_busy(connections), 2);
    assert_true(connection_event(first, EVENT_HEAD));
    assert_true(connection_event(first, EVENT_OVER));
    assert_int_equal(connections_busy(connections), 2);
    assert_int_equal(read(a[0], &byte, 1), 1);
    assert_int_equal(connections_busy(connections), 1);
    assert_int_equal(read(b[0], &byte, 1), 1);
    assert_int_equal(connections_busy(connections), 0);
    connection_remove(first);
    connection_remove(second);
    connection_remove(NULL);
    connections_destroy(NULL);
    close_pair(a);
    close_pair(b);
}

/* First, middle and last of the list can go. */
static void removal_in_any_order(void **state)
{
    static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    int pair[2];

    (void)state;
    open_pair(pair);
    for (size_t order = 0; order < 6; order++) {
        struct connection *those[3];

        for (size_t i = 0; i < 3; i++)
            those[i] = add(pair[0], CONNECTION_ACCEPTED, 0);
        for (size_t i = 0; i < 3; i++) {
            connection_remove(those[orders[order][i]]);
            assert_int_equal(connections_in(connections, CONNECTION_ACCEPTED), 2 - i);
        }
    }
    close_pair(pair);
}

/* ---------------------------------------------------------------- threads -------------------- */

static void *churn_main(void *argument)
{
    int pair[2];

    (void)argument;
    for (unsigned i = 0; i < PAIRS * CONNECTION_STATES_N; i++) {
        enum connection_state state = 1 + i % (CONNECTION_STATES_N - 1);
        struct connection *connection;

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
            return (void *)1;
        connection = add(pair[0], state, i % 2 == 0 ? 1 : now_ns() + i % 3 * NS_PER_MS);
        (void)connections_busy(connections);
        connection_remove(connection);
        close_pair(pair);
    }
    return NULL;
}

/* Added, moved and removed by several threads while the connections are swept. */
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
    assert_int_equal(connections_busy(connections), 0);
}

/* Started and stopped without a connection, or with one added a moment ago. */
static void stops_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct connections *own;

        assert_int_equal(connections_create(&slow, &own, NULL), VGG_OK);
        if (i % 2 == 0)
            connection_remove(connection_add(own, -1, false));
        connections_destroy(own);
    }
}

static void out_of_memory(void **state)
{
    struct connections *own = NULL;
    struct vgg_error error = {0};
    struct connection *connection;

    (void)state;
    if (!fault_available())
        skip();
    fault_arm(1);
    connection = connection_add(connections, -1, false);
    assert_true(fault_disarm());
    assert_null(connection);
    assert_int_equal(connections_in(connections, CONNECTION_ACCEPTED), 0);
    fault_arm(1);
    assert_int_equal(connections_create(&slow, &own, &error), VGG_NO_MEMORY);
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

static void wait_until_gone(const struct connection *connection)
{
    uint64_t end_ns = now_ns() + PATIENCE_MS * NS_PER_MS;

    while (connection_get_state(connection) != CONNECTION_GONE) {
        if (now_ns() >= end_ns)
            fail_msg("nobody notices that the client has gone");
        usleep(1000);
    }
}

static void the_closed_are_told_from_the_half_closed(void **state)
{
    enum { CLOSED, RESET, HALF, OPEN, RESUMED, N };
    const struct linger now = {.l_onoff = 1};
    struct connection *those[N];
    int pairs[N][2];
    char text[8];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        open_tcp(pairs[i]);
        those[i] = add(pairs[i][0], i == RESUMED ? CONNECTION_RESUMED : CONNECTION_DEFERRED, 1);
    }
    shutdown(pairs[HALF][1], SHUT_WR);
    close(pairs[RESUMED][1]);
    close(pairs[CLOSED][1]);
    setsockopt(pairs[RESET][1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(pairs[RESET][1]);
    wait_until_gone(those[CLOSED]);
    wait_until_gone(those[RESET]);
    usleep(300000); /* some sweeps more: nothing else changes */
    assert_int_equal(connection_get_state(those[HALF]), CONNECTION_DEFERRED);
    assert_int_equal(connection_get_state(those[OPEN]), CONNECTION_DEFERRED);
    assert_int_equal(connection_get_state(those[RESUMED]), CONNECTION_RESUMED);
    /* What it was sent to find out is not in its stream. */
    assert_int_equal(send(pairs[HALF][0], "answer", 6, 0), 6);
    assert_int_equal(recv(pairs[HALF][1], text, sizeof text, 0), 6);
    assert_memory_equal(text, "answer", 6);
    for (size_t i = 0; i < N; i++) {
        connection_remove(those[i]);
        close(pairs[i][0]);
    }
    close(pairs[HALF][1]);
    close(pairs[OPEN][1]);
}

/* Who closes its side is cut where bytes of it are expected, once all it sent has been read. */
static void no_more_bytes(void **state)
{
    enum { EXPECTED, UNREAD, ANSWERED, N };
    static const enum connection_state states[N] = {CONNECTION_BODY, CONNECTION_BODY,
                                                    CONNECTION_ANSWER};
    struct connection *those[N];
    int pairs[N][2];
    char byte;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        open_pair(pairs[i]);
        those[i] = add(pairs[i][0], states[i], now_ns() + HOUR_NS);
    }
    assert_int_equal(write(pairs[UNREAD][1], "x", 1), 1);
    for (size_t i = N; i-- > 0;)
        shutdown(pairs[i][1], SHUT_WR);
    wait_for_end(pairs[EXPECTED][1]);
    assert_true(is_open(pairs[UNREAD][1]));
    assert_true(is_open(pairs[ANSWERED][1]));
    assert_int_equal(read(pairs[UNREAD][0], &byte, 1), 1);
    wait_for_end(pairs[UNREAD][1]);
    assert_true(is_open(pairs[ANSWERED][1]));
    assert_int_equal(cuts(CUT_BODY), 0); /* none of them was late */
    for (size_t i = 0; i < N; i++) {
        connection_remove(those[i]);
        close_pair(pairs[i]);
    }
}

/* ---------------------------------------------------------------- mistakes ------------------- */

/* One that gets an event which its state does not know; the others go on. */
static void what_cannot_happen_ends_the_connection(void **state)
{
    (void)state;
    for (enum connection_state from = 1; from < CONNECTION_STATES_N; from++)
        for (enum connection_event event = 0; event < CONNECTION_EVENTS_N; event++) {
            enum connection_state to = connection_next(from, event);
            struct connection *connection;
            int pair[2];

            open_pair(pair);
            connection = add(pair[0], from, now_ns() + HOUR_NS);
            assert_int_equal(connection_event(connection, event),
                             to != CONNECTION_NONE && to != from);
            /* One that is awaited may be seen to have gone, since it was shut down. */
            if (to != CONNECTION_NONE || !connection_rules[from].awaited)
                assert_int_equal(connection_get_state(connection),
                                 to != CONNECTION_NONE ? to : from);
            if (is_open(pair[1]) != (to != CONNECTION_NONE))
                fail_msg("state %d, event %d", (int)from, (int)event);
            connection_remove(connection);
            close(pair[0]);
            close(pair[1]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_deadline),
        cmocka_unit_test_setup_teardown(what_cannot_happen_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(moved_and_removed_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(beginnings, setup, teardown),
        cmocka_unit_test_setup_teardown(busy_or_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(removal_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(the_closed_are_told_from_the_half_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_bytes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
