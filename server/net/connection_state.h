/*
 * The life of a connection, as a table: its states, what each of them means to the watch over
 * connections, and the events that lead from one to another. No clock, no socket, no lock:
 * connections.h has those.
 *
 *     ACCEPTED - HEAD - READ - BODY - WHOLE - HANDLED - ANSWER - IDLE - HEAD ...
 *                          \               \   |       |
 *                           EARLY - ENDING  \  DEFERRED - RESUMED
 *                                            \   |
 *                                             \  GONE - LOST
 */
#ifndef CONNECTION_STATE_H
#define CONNECTION_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum connection_state {
    CONNECTION_NONE,
    CONNECTION_HANDSHAKE, /* accepted; TLS, so that there may be a handshake before a request */
    CONNECTION_ACCEPTED,  /* nothing of a request has come */
    CONNECTION_HEAD,      /* some of a request's head has come */
    CONNECTION_READ,      /* all of it, and what becomes of the request is not decided */
    CONNECTION_BODY,      /* its body comes, to be kept or, where its answer is set, dropped */
    CONNECTION_WHOLE,     /* all of the request has come */
    CONNECTION_HANDLED,   /* its handler has it, on the network thread */
    CONNECTION_DEFERRED,  /* others have it */
    CONNECTION_GONE,      /* the same, but its client has gone */
    CONNECTION_RESUMED,   /* its answer is set */
    CONNECTION_LOST,      /* the same, but its client has gone */
    CONNECTION_ANSWER,    /* its answer is sent */
    CONNECTION_EARLY,     /* the same, though the client may be sending still */
    CONNECTION_IDLE,      /* a request is over, and the next has not begun */
    CONNECTION_ENDING,    /* the last is over, and the client may be sending still */
    CONNECTION_STATES_N
};

enum connection_event {
    EVENT_BYTE,      /* the first byte of a head has come; means nothing while a request is there */
    EVENT_HEAD,      /* a head is whole */
    EVENT_ADMIT,     /* the request's body may come */
    EVENT_WHOLE,     /* it has come */
    EVENT_HANDLE,    /* its handler is called */
    EVENT_DEFER,     /* it will be answered later; again: nothing */
    EVENT_LEAVE,     /* its client has closed the connection */
    EVENT_RESPOND,   /* its answer is set; means something only where it was deferred */
    EVENT_ANSWER,    /* the answer is sent from now on */
    EVENT_REFUSE,    /* the same, before the body has come, or though it is none */
    EVENT_OVER,      /* the request is over */
    EVENT_OVER_NEXT, /* the same, and the head of the next has begun to come */
    EVENT_OVER_LAST, /* the same, and the connection ends though its client may be sending still */
    CONNECTION_EVENTS_N
};

/*
 * X(name, label): why a connection was cut. For being late with its headers (or before them, with
 * its first request or the TLS handshake), its body, its next request, or reading its answer; for
 * what is not HTTP or breaks its limits; for a TLS handshake that failed.
 */
#define CONNECTION_CUTS(X)                                                                         \
    X(HEADERS, "headers")                                                                          \
    X(BODY, "body")                                                                                \
    X(IDLE, "idle")                                                                                \
    X(ANSWER, "answer")                                                                            \
    X(MALFORMED, "malformed")                                                                      \
    X(HANDSHAKE, "handshake")

#define CONNECTION_CUT_ENUM(name, label) CUT_##name,
enum connection_cut { CONNECTION_CUTS(CONNECTION_CUT_ENUM) CONNECTION_CUTS_N };

/* When a connection is cut that stays in a state; the times are those of struct connection_times.
 */
enum connection_deadline {
    DEADLINE_KEPT,    /* when it would have been cut in the state before this one */
    DEADLINE_NEVER,   /* it waits for the server */
    DEADLINE_FIRST,   /* header_ns after it was accepted */
    DEADLINE_HEAD,    /* header_ns after the first byte, or deadline_ns if that is less */
    DEADLINE_REQUEST, /* at the deadline of its request */
    DEADLINE_IDLE     /* after idle_ns */
};

struct connection_times {
    uint64_t deadline_ns; /* of a request, from its first byte */
    uint64_t header_ns;   /* from accepting, or from the first byte, to the end of the headers */
    uint64_t idle_ns;     /* between requests, or not reading an answer */
};

struct connection_rules {
    enum connection_deadline deadline;
    enum connection_cut late; /* what one that is cut for being late counts as */
    bool busy;                /* it has a request */
    bool expecting;           /* bytes of its client: it is cut once none can come any more */
    bool awaited;             /* its client is watched, which may go before its answer is there */
    bool lingers;             /* when it is closed, since its client may be sending still */
};

/* By state. */
extern const struct connection_rules connection_rules[CONNECTION_STATES_N];

/* Where an event leads from a state; NONE: it cannot happen there. */
enum connection_state connection_next(enum connection_state state, enum connection_event event);

/*
 * The deadline of one that comes into a state now, 0 for none; `kept_ns` is the one it had,
 * `request_ns` that of its request.
 */
uint64_t connection_deadline(enum connection_state state, const struct connection_times *times,
                             uint64_t now_ns, uint64_t kept_ns, uint64_t request_ns);

#endif
