/*
 * Requests without a network, for tests of handlers. A program that makes one has fake_http.c in
 * the place of http/exchange.c and http/http.c.
 *
 *     fake_init(&fake, "POST", "/classify");
 *     fake_part(&fake, jpeg, jpeg_size);
 *     classify_handle(&server, fake.request);
 *     assert_int_equal(fake_wait(&fake), 200);
 *     ... fake.left.response.body ...
 *     fake_fini(&fake);
 */
#ifndef VGG_TESTS_FAKE_HTTP_H
#define VGG_TESTS_FAKE_HTTP_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/request.h"

enum { FAKE_HEADERS_MAX = 8, FAKE_PARTS_MAX = 8, FAKE_FIELDS_MAX = 8 };

struct fake {
    struct http_request *request;                     /* for the handlers; its answer frees it */
    struct http_header headers[FAKE_HEADERS_MAX + 1]; /* up to one without a name */
    const char *query;                                /* as in a URI, without escapes; or NULL */
    struct http_part parts[FAKE_PARTS_MAX];
    struct http_field fields[FAKE_FIELDS_MAX];
    void (*inflate)(struct http_request *request); /* what http_inflate does; NULL: nothing */
    atomic_bool gone;                              /* the client */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t answering;
    bool deferred, answered;
    struct http_request left; /* as it was answered, with its response */
};

/* A request of the main listener without a body, an hour before its deadline. */
void fake_init(struct fake *fake, const char *method, const char *path);

/* Add a file to its body, which is multipart from the second on. The bytes stay the caller's. */
void fake_part(struct fake *fake, const void *bytes, size_t size);

/* Add a text field of a form. */
void fake_field(struct fake *fake, const char *name, const char *value);

/* Wait for the answer, which is in fake->left then: its status. */
unsigned fake_wait(struct fake *fake);

/* Was it answered? */
bool fake_answered(struct fake *fake);

void fake_fini(struct fake *fake);

#endif
