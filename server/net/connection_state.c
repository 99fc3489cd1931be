/* The table of states and events. */
#include "net/connection_state.h"

/* Those of a request without an answer yet count as BODY, whatever they wait for. */
const struct connection_rules connection_rules[CONNECTION_STATES_N] = {
    [CONNECTION_HANDSHAKE] = {DEADLINE_FIRST, CUT_HEADERS, .expecting = true},
    [CONNECTION_ACCEPTED] = {DEADLINE_FIRST, CUT_HEADERS, .expecting = true},
    [CONNECTION_HEAD] = {DEADLINE_HEAD, CUT_HEADERS, .busy = true, .expecting = true},
    [CONNECTION_READ] = {DEADLINE_KEPT, CUT_HEADERS, .busy = true, .expecting = true},
    [CONNECTION_BODY] = {DEADLINE_REQUEST, CUT_BODY, .busy = true, .expecting = true},
    [CONNECTION_WHOLE] = {DEADLINE_KEPT, CUT_BODY, .busy = true, .expecting = true},
    [CONNECTION_HANDLED] = {DEADLINE_KEPT, CUT_BODY, .busy = true, .expecting = true},
    [CONNECTION_DEFERRED] = {DEADLINE_NEVER, CUT_BODY, .busy = true, .awaited = true},
    [CONNECTION_GONE] = {DEADLINE_NEVER, CUT_BODY, .busy = true},
    [CONNECTION_RESUMED] = {DEADLINE_NEVER, CUT_BODY, .busy = true},
    [CONNECTION_LOST] = {DEADLINE_NEVER, CUT_BODY, .busy = true},
    [CONNECTION_ANSWER] = {DEADLINE_IDLE, CUT_ANSWER, .busy = true},
    [CONNECTION_EARLY] = {DEADLINE_IDLE, CUT_ANSWER, .busy = true, .lingers = true},
    [CONNECTION_IDLE] = {DEADLINE_IDLE, CUT_IDLE, .expecting = true},
    [CONNECTION_ENDING] = {DEADLINE_IDLE, CUT_IDLE, .expecting = true, .lingers = true},
};

#define OVER                                                                                       \
    [EVENT_OVER] = CONNECTION_IDLE, [EVENT_OVER_NEXT] = CONNECTION_HEAD,                           \
    [EVENT_OVER_LAST] = CONNECTION_ENDING

static const enum connection_state next[CONNECTION_STATES_N][CONNECTION_EVENTS_N] = {
    [CONNECTION_HANDSHAKE] = {[EVENT_BYTE] = CONNECTION_HEAD, [EVENT_HEAD] = CONNECTION_READ},
    [CONNECTION_ACCEPTED] = {[EVENT_BYTE] = CONNECTION_HEAD, [EVENT_HEAD] = CONNECTION_READ},
    [CONNECTION_HEAD] = {[EVENT_BYTE] = CONNECTION_HEAD, [EVENT_HEAD] = CONNECTION_READ},
    [CONNECTION_READ] = {[EVENT_BYTE] = CONNECTION_READ,
                         [EVENT_ADMIT] = CONNECTION_BODY,
                         [EVENT_RESPOND] = CONNECTION_READ,
                         [EVENT_REFUSE] = CONNECTION_EARLY,
                         OVER},
    [CONNECTION_BODY] = {[EVENT_BYTE] = CONNECTION_BODY, [EVENT_WHOLE] = CONNECTION_WHOLE, OVER},
    [CONNECTION_WHOLE] = {[EVENT_BYTE] = CONNECTION_WHOLE,
                          [EVENT_HANDLE] = CONNECTION_HANDLED,
                          [EVENT_RESPOND] = CONNECTION_WHOLE,
                          [EVENT_ANSWER] = CONNECTION_ANSWER,
                          [EVENT_REFUSE] = CONNECTION_EARLY,
                          OVER},
    [CONNECTION_HANDLED] = {[EVENT_DEFER] = CONNECTION_DEFERRED,
                            [EVENT_RESPOND] = CONNECTION_HANDLED,
                            [EVENT_ANSWER] = CONNECTION_ANSWER},
    [CONNECTION_DEFERRED] = {[EVENT_DEFER] = CONNECTION_DEFERRED,
                             [EVENT_LEAVE] = CONNECTION_GONE,
                             [EVENT_RESPOND] = CONNECTION_RESUMED},
    [CONNECTION_GONE] = {[EVENT_DEFER] = CONNECTION_GONE, [EVENT_RESPOND] = CONNECTION_LOST},
    [CONNECTION_RESUMED] =
        {[EVENT_BYTE] = CONNECTION_RESUMED, [EVENT_ANSWER] = CONNECTION_ANSWER, OVER},
    [CONNECTION_LOST] = {[EVENT_BYTE] = CONNECTION_LOST, OVER},
    [CONNECTION_ANSWER] = {[EVENT_BYTE] = CONNECTION_ANSWER, OVER},
    [CONNECTION_EARLY] = {[EVENT_BYTE] = CONNECTION_EARLY,
                          [EVENT_OVER] = CONNECTION_ENDING,
                          [EVENT_OVER_NEXT] = CONNECTION_ENDING,
                          [EVENT_OVER_LAST] = CONNECTION_ENDING},
    [CONNECTION_IDLE] = {[EVENT_BYTE] = CONNECTION_HEAD, [EVENT_HEAD] = CONNECTION_READ},
    [CONNECTION_ENDING] = {[EVENT_BYTE] = CONNECTION_ENDING},
};

enum connection_state connection_next(enum connection_state state, enum connection_event event)
{
    return next[state][event];
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t connection_deadline(enum connection_state state, const struct connection_times *times,
                             uint64_t now_ns, uint64_t kept_ns, uint64_t request_ns)
{
    switch (connection_rules[state].deadline) {
    case DEADLINE_NEVER:
        return 0;
    case DEADLINE_FIRST:
        return now_ns + times->header_ns;
    case DEADLINE_HEAD:
        return now_ns + least(times->header_ns, times->deadline_ns);
    case DEADLINE_REQUEST:
        return request_ns;
    case DEADLINE_IDLE:
        return now_ns + times->idle_ns;
    case DEADLINE_KEPT:
        break;
    }
    return kept_ns;
}
