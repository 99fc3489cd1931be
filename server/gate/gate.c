/* The gate: pour what may pass, take a step where nothing may, read more where no step can be. */
#include "gate/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/hex.h"

enum { CHUNK_LINE_MAX = 1024 }; /* bytes of a chunk's size and extensions */

bool gate_init(struct gate *gate, size_t head_max, void (*on_head)(void *context), void *context)
{
    size_t size = head_max > CHUNK_LINE_MAX ? head_max : CHUNK_LINE_MAX;

    *gate = (struct gate){.on_head = on_head, .context = context, .size_max = size};
    gate->bytes = malloc(size);
    return gate->bytes != NULL;
}

void gate_fini(struct gate *gate)
{
    free(gate->bytes);
    gate->bytes = NULL;
}

static char *held(const struct gate *gate)
{
    return gate->bytes + gate->held;
}

static void drop(struct gate *gate, size_t n)
{
    gate->held += n;
    gate->held_n -= n;
}

/* ---------------------------------------------------------------- refusing ------------------- */

static void shut(struct gate *gate, const char *own)
{
    gate->own = own;
    gate->own_n = strlen(own);
    gate->phase = GATE_SHUT;
}

/* Nothing more is handed on: the held bytes can keep the words of a bad request line. */
static void keep_words(struct gate *gate)
{
    char *word = held(gate), *last = word + gate->held_n - 1;
    size_t method = head_token(word, gate->held_n - 1);

    gate->fault.method = gate->fault.path = "";
    if (method == 0 || word[method] != ' ')
        return;
    gate->fault.method = word;
    word += method;
    while (word != last && *word == ' ')
        *word++ = '\0';
    gate->fault.path = word;
    while (word != last && *word > ' ' && *word != '?')
        word++;
    *word = '\0';
}

static void refuse_head(struct gate *gate, const struct head_fault *why)
{
    static const char heads[2][64] = {
        "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"};
    size_t rest, rest_n;

    gate->faulty = ++gate->heads_n;
    gate->fault = (struct gate_fault){.why = *why};
    keep_words(gate);
    shut(gate, heads[strcmp(gate->fault.method, "HEAD") == 0]);
    rest_n = head_remains(&gate->reader, held(gate), &rest);
    if (rest_n == 0)
        return;
    gate->own_n -= 2; /* they have an empty line of their own */
    gate->held += rest;
    gate->held_n = gate->passing = rest_n;
}

static void refuse_body(struct gate *gate, const char *own, const char *detail)
{
    gate->faulty = gate->heads_n;
    gate->fault = (struct gate_fault){.why = {400, detail}};
    shut(gate, own);
}

/* ---------------------------------------------------------------- heads ---------------------- */

/* Some clients send an empty line after a body; it is no part of the next request. */
static bool begin_head(struct gate *gate)
{
    while (gate->held_n >= 2 && memcmp(held(gate), "\r\n", 2) == 0)
        drop(gate, 2);
    gate->begun = gate->held_n > 1 || (gate->held_n == 1 && held(gate)[0] != '\r');
    if (gate->begun)
        gate->on_head(gate->context);
    return gate->begun;
}

static void end_head(struct gate *gate)
{
    const struct head *head = &gate->reader.head;
    size_t size = head_rewrite(&gate->reader, held(gate)), cut = gate->reader.size - size;

    if (cut != 0)
        memmove(held(gate) + cut, held(gate), size);
    drop(gate, cut);
    gate->heads_n++;
    if (head->closes)
        gate->last = gate->heads_n;
    gate->passing = head->body_bytes > UINT64_MAX - size ? UINT64_MAX : size + head->body_bytes;
    gate->phase = head->chunked ? GATE_CHUNK : GATE_HEAD;
    gate->begun = false;
    gate->reader = (struct head_reader){0};
}

static bool step_head(struct gate *gate)
{
    struct head_fault why;

    if (!gate->begun && !begin_head(gate))
        return false;
    switch (head_read(&gate->reader, held(gate), gate->held_n, &why)) {
    case HEAD_WHOLE:
        end_head(gate);
        return true;
    case HEAD_PARTIAL:
        if (gate->held_n < gate->size_max)
            return false;
        why = gate->reader.line == 0
                  ? (struct head_fault){414, "the request line is over the limit (--max-header)"}
                  : (struct head_fault){431, "the headers are over the limit (--max-header)"};
        break;
    case HEAD_FAULTY:
        break;
    }
    refuse_head(gate, &why);
    return true;
}

/* ---------------------------------------------------------------- chunks --------------------- */

/* The held line, without its end, or NULL where it is not whole or, with *bad, never will be. */
static const char *next_line(const struct gate *gate, size_t max, size_t *size, bool *bad)
{
    const char *line = held(gate);
    const char *end = gate->held_n != 0 ? memchr(line, '\n', gate->held_n) : NULL;

    /* However it comes in pieces: too long is what has `max` bytes before its end. */
    *bad = (end != NULL ? (size_t)(end - line) : gate->held_n) >= max ||
           (end != NULL && (end == line || end[-1] != '\r'));
    if (end == NULL || *bad)
        return NULL;
    *size = (size_t)(end - 1 - line);
    for (size_t i = 0; i < *size; i++)
        *bad = *bad || !head_text(line[i]);
    return *bad ? NULL : line;
}

/* "1a" or "1a;name=value": no sign, no prefix, and at most what fits 63 bits. */
static bool parse_chunk(const char *line, size_t size, uint64_t *bytes)
{
    size_t i;

    *bytes = 0;
    for (i = 0; i < size && line[i] != ';'; i++) {
        int digit = hex_digit(line[i]);

        if (digit < 0 || *bytes > (uint64_t)INT64_MAX >> 4)
            return false;
        *bytes = *bytes << 4 | (uint64_t)digit;
    }
    return i != 0;
}

static bool step_chunk(struct gate *gate)
{
    size_t size;
    uint64_t bytes;
    bool bad;
    const char *line = next_line(gate, CHUNK_LINE_MAX, &size, &bad);
    char plain[24];
    int plain_n;

    if (bad || (line != NULL && !parse_chunk(line, size, &bytes))) {
        refuse_body(gate, "0\r\n\r\n", "a chunk does not begin with its size in hexadecimal");
        return true;
    }
    if (line == NULL)
        return false;
    drop(gate, size + 2);
    if (bytes == 0) {
        gate->trailer_n = 0;
        gate->phase = GATE_TRAILER;
        return true;
    }
    /* Never longer than what it replaces. */
    plain_n = snprintf(plain, sizeof plain, "%llx\r\n", (unsigned long long)bytes);
    gate->held -= (size_t)plain_n;
    gate->held_n += (size_t)plain_n;
    memcpy(held(gate), plain, (size_t)plain_n);
    gate->passing = (uint64_t)plain_n + bytes;
    gate->phase = GATE_CHUNK_END;
    return true;
}

static bool step_chunk_end(struct gate *gate)
{
    size_t n = gate->held_n < 2 ? gate->held_n : 2;

    if (n != 0 && memcmp(held(gate), "\r\n", n) != 0) {
        refuse_body(gate, "\r\n0\r\n\r\n", "a chunk is longer than its size says");
        return true;
    }
    if (n < 2)
        return false;
    gate->passing = 2;
    gate->phase = GATE_CHUNK;
    return true;
}

static bool step_trailer(struct gate *gate)
{
    size_t size;
    bool bad;
    const char *line = next_line(gate, gate->size_max, &size, &bad);
    struct head_fault why;

    if (line != NULL)
        gate->trailer_n += size + 2;
    if (bad || gate->trailer_n > gate->size_max ||
        (line != NULL && size != 0 && !head_field_valid(line, size, &why))) {
        refuse_body(gate, "0\r\n\r\n", "what follows the last chunk are no headers");
        return true;
    }
    if (line == NULL)
        return false;
    drop(gate, size + 2);
    if (size != 0)
        return true;
    if (gate->last != 0)
        shut(gate, "0\r\n\r\n");
    else {
        gate->own = "0\r\n\r\n";
        gate->own_n = 5;
        gate->phase = GATE_HEAD;
    }
    return true;
}

/* ---------------------------------------------------------------- pouring -------------------- */

/* Find out what may pass next. False: that takes more bytes. */
static bool step(struct gate *gate)
{
    if (gate->passing != 0)
        return false;
    switch (gate->phase) {
    case GATE_HEAD:
        return step_head(gate);
    case GATE_CHUNK:
        return step_chunk(gate);
    case GATE_CHUNK_END:
        return step_chunk_end(gate);
    case GATE_TRAILER:
        return step_trailer(gate);
    case GATE_SHUT:
        break;
    }
    return false;
}

static size_t least(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

static size_t pour(struct gate *gate, char *out, size_t size)
{
    size_t n = least(size, gate->own_n), m;

    if (n != 0)
        memcpy(out, gate->own, n);
    gate->own += n;
    gate->own_n -= n;
    m = gate->own_n != 0 ? 0 : least(least(size - n, gate->held_n), gate->passing);
    if (m != 0)
        memcpy(out + n, held(gate), m);
    drop(gate, m);
    gate->passing -= m;
    return n + m;
}

bool gate_pending(const struct gate *gate)
{
    return gate->own_n != 0 || (gate->passing != 0 && gate->held_n != 0);
}

static size_t pour_all(struct gate *gate, char *out, size_t size)
{
    size_t done = 0;

    do
        done += pour(gate, out + done, size - done);
    while (!gate_pending(gate) && step(gate));
    return done;
}

/* Behind what is held; *full: there was as much as was asked for. */
static ssize_t read_held(struct gate *gate, const struct gate_source *source, bool *full)
{
    ssize_t n;

    if (gate->held != 0 && gate->held_n != 0)
        memmove(gate->bytes, held(gate), gate->held_n);
    gate->held = 0;
    n = source->read(source->from, gate->bytes + gate->held_n, gate->size_max - gate->held_n);
    *full = n > 0 && (size_t)n == gate->size_max - gate->held_n;
    if (n > 0)
        gate->held_n += (size_t)n;
    return n;
}

ssize_t gate_read(struct gate *gate, const struct gate_source *source, void *bytes, size_t size)
{
    char *out = bytes;
    size_t done = pour_all(gate, out, size);
    ssize_t n = 1;
    bool full = true;

    while (done < size && full) {
        size_t room = size - done;

        if (gate->phase == GATE_SHUT) {
            n = source->read(source->from, out + done, room); /* and drop it */
            break;
        }
        if (gate->passing >= room && gate->held_n == 0) {
            n = source->read(source->from, out + done, room);
            full = n > 0 && (size_t)n == room;
            gate->passing -= n > 0 ? (uint64_t)n : 0;
            done += n > 0 ? (size_t)n : 0;
        } else {
            n = read_held(gate, source, &full);
            done += pour_all(gate, out + done, room);
        }
    }
    if (done != 0 || n <= 0)
        return done != 0 ? (ssize_t)done : n;
    errno = EAGAIN;
    return source->again;
}

/* ---------------------------------------------------------------- asking --------------------- */

bool gate_holds(const struct gate *gate)
{
    return gate->begun || gate_pending(gate);
}

const struct gate_fault *gate_fault(const struct gate *gate, size_t n)
{
    /* A request that did not come through the gate: the library reads past it. */
    static const struct gate_fault unseen = {
        {500, "the request was not checked; see gate.h"}, NULL, NULL};

    if (n > gate->heads_n)
        return &unseen;
    return n == gate->faulty ? &gate->fault : NULL;
}

bool gate_ends(const struct gate *gate, size_t n)
{
    return n > gate->heads_n || n == gate->faulty || n == gate->last;
}
