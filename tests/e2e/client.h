/* Requests: ordinary ones by libcurl, hostile ones by a bare socket or a bare TLS session. */
#ifndef VGG_TESTS_CLIENT_H
#define VGG_TESTS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "server.h"
#include "work.h"

/* ---------------------------------------------------------------- requests ------------------ */

struct call {
    const char *target; /* path and query */
    const char *method; /* POST with a body, else GET */
    const void *body;
    size_t size;
    const char *const *headers; /* "Name: value", NULL-terminated */
    bool admin;                 /* to the admin listener */
};

struct answer {
    long status;
    char *headers, *body; /* NUL-terminated */
    size_t size;
    json_t *json; /* of a JSON body, else NULL */
};

/* Send a request on a connection of its own. False where no whole answer came. Thread-safe. */
bool call_try(const struct server *server, const struct call *call, struct answer *answer);

/* The same, where no answer fails the test. */
void ask(const struct server *server, const struct call *call, struct answer *answer);

/* POST bytes to /classify with a query ("?top_k=3" or ""). */
void classify(const struct server *server, const char *query, const struct blob *body,
              struct answer *answer);

void answer_free(struct answer *answer);

/* The value of a header, valid until the next call; NULL where there is none. */
const char *answer_header(const struct answer *answer, const char *name);

/* A request that must be answered with a problem of this status and type; frees the answer. */
void check_problem(struct answer *answer, long status, const char *slug);

/* POST to /classify what must be a problem. */
void check_refused(const struct server *server, const char *query, const struct blob *body,
                   long status, const char *slug);

/* ---------------------------------------------------------------- multipart ----------------- */

struct part {
    const char *filename; /* NULL: an ordinary field */
    const void *bytes;
    size_t size;
};

#define MULTIPART_BOUNDARY "VggTestBoundary"
#define MULTIPART_TYPE "Content-Type: multipart/form-data; boundary=" MULTIPART_BOUNDARY

struct blob multipart(const struct part *parts, size_t n);

/* POST a body to /classify with a header, such as its Content-Type. `query` is "" or "?...". */
void classify_body(const struct server *server, const char *query, const char *header,
                   const void *body, size_t size, struct answer *answer);

/* POST it to /classify. */
void classify_parts(const struct server *server, const char *query, const struct part *parts,
                    size_t n, struct answer *answer);

/* ---------------------------------------------------------------- bare sockets -------------- */

struct raw {
    int fd;
    struct raw_tls *tls; /* or NULL */
    char *bytes;         /* received and not yet read as an answer */
    size_t size;
};

void raw_open(struct raw *raw, const struct server *server);

/* The same, and then TLS. What is sent at once is one record. */
void raw_open_tls(struct raw *raw, const struct server *server);
void raw_close(struct raw *raw);

/* Close with a reset, as a process that dies does. */
void raw_reset(struct raw *raw);

/* False where the server has closed the connection. */
bool raw_send(struct raw *raw, const void *bytes, size_t size);
bool raw_text(struct raw *raw, const char *text);

/* POST /classify with a declared length and the first `sent` bytes of the body. */
bool raw_post(struct raw *raw, const char *query, const struct blob *body, size_t sent);

/* The next answer; false where the connection ends before it. */
bool raw_answer(struct raw *raw, struct answer *answer);

/* Wait for the end of the connection; true if nothing (more) came before it. */
bool raw_ends(struct raw *raw);

/* Can a new connection be opened? */
bool can_connect(const struct server *server);

#endif
