/*
 * The gate before libmicrohttpd: it sees the bytes of a connection first, follows requests by the
 * length or the chunks of their bodies, and hands on only heads that have one reading (head.h).
 * A head is held until it is whole; everything else goes on at once. In the place of a bad head the
 * gate hands on a head of its own, in the place of a bad chunk the end of the body, and nothing
 * after that: whoever gets the request asks gate_fault and refuses it. Chunks are handed on without
 * extensions, and without trailers.
 *
 * libmicrohttpd knows nothing of it (interpose.h); a gate belongs to its connection's thread.
 */
#ifndef GATE_H
#define GATE_H

#include <sys/types.h>

#include "gate/head.h"

/* Where bytes come from. */
struct gate_source {
    /* As recv: the number of bytes, 0 at the end, less where there are none. */
    ssize_t (*read)(void *from, void *bytes, size_t size);
    void *from;
    ssize_t again; /* what read returns, and gate_read, where none have come yet */
};

/* A request that is refused. */
struct gate_fault {
    struct head_fault why;
    /* Of a bad head, as far as they could be read, else "". NULL: its body is bad. */
    const char *method, *path;
};

enum gate_phase { GATE_HEAD, GATE_CHUNK, GATE_CHUNK_END, GATE_TRAILER, GATE_SHUT };

struct gate {
    /* Called as the first byte of a head comes. */
    void (*on_head)(void *context);
    void *context;
    char *bytes; /* what came and is not handed on yet: held_n of them from `held` on */
    size_t size_max, held, held_n;
    const char *own; /* to be handed on before those */
    size_t own_n;
    uint64_t passing; /* bytes that may go on as they are */
    enum gate_phase phase;
    bool begun; /* a head */
    struct head_reader reader;
    size_t trailer_n;    /* bytes of it so far */
    size_t heads_n;      /* handed on, or faulty */
    size_t faulty, last; /* which of them, from 1, is refused; after which the connection ends */
    struct gate_fault fault;
};

/* Room for heads of `head_max` bytes. False: out of memory. */
bool gate_init(struct gate *gate, size_t head_max, void (*on_head)(void *context), void *context);
void gate_fini(struct gate *gate);

/*
 * Read from the source and hand on what may be: as recv. Fewer bytes than `size` mean that no more
 * have come, or none that make a head whole.
 */
ssize_t gate_read(struct gate *gate, const struct gate_source *source, void *bytes, size_t size);

/* Would gate_read hand on something without a byte from the source? */
bool gate_pending(const struct gate *gate);

/* Has a head begun that is not handed on? */
bool gate_holds(const struct gate *gate);

/* Why the nth request of the connection, from 1, is to be refused, or NULL. Valid until fini. */
const struct gate_fault *gate_fault(const struct gate *gate, size_t n);

/* Must the connection end with the nth request? */
bool gate_ends(const struct gate *gate, size_t n);

#endif
