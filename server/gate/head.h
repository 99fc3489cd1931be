/*
 * The head of a request, its request line and headers, read as RFC 9112 says and in no other way:
 * what a proxy in front might read otherwise is a fault. Bytes in, a verdict out; no I/O.
 *
 * Path of a request: listener -> peers, connections, [gate: head] -> http -> routes -> ...
 */
#ifndef HEAD_H
#define HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEAD_FIELDS_MAX = 100,   /* headers of one request */
    HEAD_PARAMETERS_MAX = 50 /* of its query */
};

/* Why a head is refused. */
struct head_fault {
    unsigned status;    /* of the answer: 400, 414, 417, 431, 501 or 505 */
    const char *detail; /* static storage */
};

/* What a head says. */
struct head {
    bool chunked;        /* the coding of the body, else it has a length */
    uint64_t body_bytes; /* its length */
    bool closes;         /* the connection must end after the answer (RFC 9112, 6.1) */
};

/* A head while it arrives. Zero-initialise. */
struct head_reader {
    struct head head;
    size_t size; /* read so far, and of the whole head in the end */
    size_t line; /* where the current line begins */
    size_t fields_n, hosts_n, lengths_n, codings_n, chunked_n;
    bool http_1_0, bad_codings;
    size_t target, target_end, path; /* offsets of the request target and of its path */
    char root;                       /* what its path lacks at the front, or '\0' */
};

enum head_state { HEAD_PARTIAL, HEAD_WHOLE, HEAD_FAULTY };

/*
 * Read on in a head that begins at `bytes` and of which `size` are there, as many as at the last
 * call or more. After HEAD_WHOLE it is bytes[0 .. reader->size - 1]; after HEAD_FAULTY, *fault says
 * why. Line by line: what is wrong with a line is said before the next is there.
 */
enum head_state head_read(struct head_reader *reader, const char *bytes, size_t size,
                          struct head_fault *fault);

/*
 * Write a whole head in place as libmicrohttpd reads it right, and return its new size, never more:
 * the target as a path, no blanks after values, no length beside chunks, no expectation without a
 * body, no cookies.
 */
size_t head_rewrite(const struct head_reader *reader, char *bytes);

/*
 * Of a head that is refused, the headers that its answer needs (Origin, X-Request-Id), as far as
 * they were read, and an empty line: moved together within bytes[0 .. reader->size - 1], behind the
 * target. Returns their size and, in *at, where they are; 0 where there are none.
 */
size_t head_remains(const struct head_reader *reader, char *bytes, size_t *at);

/* Is a line, without its end, a header? Where not, *fault says why. */
bool head_field_valid(const char *line, size_t size, struct head_fault *fault);

/* Characters at the front of a text that may be part of a token: a method or a header's name. */
size_t head_token(const char *text, size_t size);

/* May the byte be part of a line? (A blank and a TAB may, an end of line may not.) */
bool head_text(char c);

#endif
