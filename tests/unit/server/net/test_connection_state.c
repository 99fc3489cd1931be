/* Every pair of a state and an event, and what every state means. */
#include "check.h"

#include <string.h>

#include "net/connection_state.h"

/* All that can happen, event by event. */
static const struct {
    enum connection_event event;
    enum connection_state from, to;
} arrows[] = {
    {EVENT_BYTE, CONNECTION_HANDSHAKE, CONNECTION_HEAD},
    {EVENT_BYTE, CONNECTION_ACCEPTED, CONNECTION_HEAD},
    {EVENT_BYTE, CONNECTION_IDLE, CONNECTION_HEAD},
    /* The next request's, sent before the answer to this one. */
    {EVENT_BYTE, CONNECTION_HEAD, CONNECTION_HEAD},
    {EVENT_BYTE, CONNECTION_READ, CONNECTION_READ},
    {EVENT_BYTE, CONNECTION_BODY, CONNECTION_BODY},
    {EVENT_BYTE, CONNECTION_WHOLE, CONNECTION_WHOLE},
    {EVENT_BYTE, CONNECTION_RESUMED, CONNECTION_RESUMED},
    {EVENT_BYTE, CONNECTION_LOST, CONNECTION_LOST},
    {EVENT_BYTE, CONNECTION_ANSWER, CONNECTION_ANSWER},
    {EVENT_BYTE, CONNECTION_EARLY, CONNECTION_EARLY},
    {EVENT_BYTE, CONNECTION_ENDING, CONNECTION_ENDING},

    {EVENT_HEAD, CONNECTION_HANDSHAKE, CONNECTION_READ},
    {EVENT_HEAD, CONNECTION_ACCEPTED, CONNECTION_READ},
    {EVENT_HEAD, CONNECTION_HEAD, CONNECTION_READ},
    {EVENT_HEAD, CONNECTION_IDLE, CONNECTION_READ},
    {EVENT_ADMIT, CONNECTION_READ, CONNECTION_BODY},
    {EVENT_WHOLE, CONNECTION_BODY, CONNECTION_WHOLE},
    {EVENT_HANDLE, CONNECTION_WHOLE, CONNECTION_HANDLED},

    {EVENT_DEFER, CONNECTION_HANDLED, CONNECTION_DEFERRED},
    {EVENT_DEFER, CONNECTION_DEFERRED, CONNECTION_DEFERRED},
    {EVENT_DEFER, CONNECTION_GONE, CONNECTION_GONE},
    {EVENT_LEAVE, CONNECTION_DEFERRED, CONNECTION_GONE},
    {EVENT_RESPOND, CONNECTION_DEFERRED, CONNECTION_RESUMED},
    {EVENT_RESPOND, CONNECTION_GONE, CONNECTION_LOST},
    {EVENT_RESPOND, CONNECTION_READ, CONNECTION_READ},
    {EVENT_RESPOND, CONNECTION_WHOLE, CONNECTION_WHOLE},
    {EVENT_RESPOND, CONNECTION_HANDLED, CONNECTION_HANDLED},

    {EVENT_ANSWER, CONNECTION_WHOLE, CONNECTION_ANSWER},
    {EVENT_ANSWER, CONNECTION_HANDLED, CONNECTION_ANSWER},
    {EVENT_ANSWER, CONNECTION_RESUMED, CONNECTION_ANSWER},
    {EVENT_REFUSE, CONNECTION_READ, CONNECTION_EARLY},
    {EVENT_REFUSE, CONNECTION_WHOLE, CONNECTION_EARLY},

    {EVENT_OVER, CONNECTION_READ, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_BODY, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_WHOLE, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_RESUMED, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_LOST, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_ANSWER, CONNECTION_IDLE},
    {EVENT_OVER, CONNECTION_EARLY, CONNECTION_ENDING},
    {EVENT_OVER_NEXT, CONNECTION_READ, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_BODY, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_WHOLE, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_RESUMED, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_LOST, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_ANSWER, CONNECTION_HEAD},
    {EVENT_OVER_NEXT, CONNECTION_EARLY, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_READ, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_BODY, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_WHOLE, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_RESUMED, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_LOST, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_ANSWER, CONNECTION_ENDING},
    {EVENT_OVER_LAST, CONNECTION_EARLY, CONNECTION_ENDING},
};

static enum connection_state expected(int state, int event)
{
    for (size_t i = 0; i < COUNT_OF(arrows); i++)
        if ((int)arrows[i].from == state && (int)arrows[i].event == event)
            return arrows[i].to;
    return CONNECTION_NONE;
}

static void every_pair(void **state)
{
    (void)state;
    for (int from = 0; from < CONNECTION_STATES_N; from++)
        for (int event = 0; event < CONNECTION_EVENTS_N; event++) {
            int to =
                (int)connection_next((enum connection_state)from, (enum connection_event)event);

            if (to != (int)expected(from, event))
                fail_msg("from state %d event %d leads to %d, not to %d", from, event, to,
                         (int)expected(from, event));
        }
}

static void every_state(void **state)
{
    enum { NOW = 100000, KEPT = 77, REQUEST = 123456 };
    static const struct connection_times times = {1000, 200, 30};
    static const struct {
        enum connection_state state;
        uint64_t deadline_ns;
        enum connection_cut late; /* where there is a deadline */
        const char *flags;        /* busy, expecting, awaited, lingers */
    } cases[] = {
        {CONNECTION_HANDSHAKE, NOW + 200, CUT_HEADERS, "-e--"},
        {CONNECTION_ACCEPTED, NOW + 200, CUT_HEADERS, "-e--"},
        {CONNECTION_HEAD, NOW + 200, CUT_HEADERS, "be--"},
        {CONNECTION_READ, KEPT, CUT_HEADERS, "be--"},
        {CONNECTION_BODY, REQUEST, CUT_BODY, "be--"},
        {CONNECTION_WHOLE, KEPT, CUT_BODY, "be--"},
        {CONNECTION_HANDLED, KEPT, CUT_BODY, "be--"},
        {CONNECTION_DEFERRED, 0, 0, "b-a-"},
        {CONNECTION_GONE, 0, 0, "b---"},
        {CONNECTION_RESUMED, 0, 0, "b---"},
        {CONNECTION_LOST, 0, 0, "b---"},
        {CONNECTION_ANSWER, NOW + 30, CUT_ANSWER, "b---"},
        {CONNECTION_EARLY, NOW + 30, CUT_ANSWER, "b--l"},
        {CONNECTION_IDLE, NOW + 30, CUT_IDLE, "-e--"},
        {CONNECTION_ENDING, NOW + 30, CUT_IDLE, "-e-l"},
    };

    (void)state;
    assert_int_equal(COUNT_OF(cases), CONNECTION_STATES_N - 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct connection_rules *rules = &connection_rules[cases[i].state];
        const char flags[] = {rules->busy ? 'b' : '-', rules->expecting ? 'e' : '-',
                              rules->awaited ? 'a' : '-', rules->lingers ? 'l' : '-', '\0'};

        assert_int_equal(cases[i].state, i + 1);
        if (connection_deadline(cases[i].state, &times, NOW, KEPT, REQUEST) !=
                cases[i].deadline_ns ||
            (cases[i].deadline_ns != 0 && rules->late != cases[i].late) ||
            strcmp(flags, cases[i].flags) != 0)
            fail_msg("state %d", (int)cases[i].state);
    }
}

/* A head has the time of its request where that is less. */
static void short_requests(void **state)
{
    static const struct connection_times times = {.deadline_ns = 20, .header_ns = 200};

    (void)state;
    assert_int_equal(connection_deadline(CONNECTION_HEAD, &times, 1000, 0, 0), 1020);
    assert_int_equal(connection_deadline(CONNECTION_ACCEPTED, &times, 1000, 0, 0), 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair),
        cmocka_unit_test(every_state),
        cmocka_unit_test(short_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
