/* Requests that are under way while a test does something else. */
#ifndef VGG_TESTS_BACKGROUND_H
#define VGG_TESTS_BACKGROUND_H

#include <pthread.h>

#include "client.h"

/* A POST to /classify on a thread of its own. */
struct background {
    const struct server *server;
    const char *target;
    struct blob image;
    pthread_t thread;
    bool answered; /* once it has ended */
    struct answer answer;
};

void background_start(struct background *request, const struct server *server, const char *target);

/* Wait for its end; the caller frees the answer. */
void background_end(struct background *request);

/* Views computed so far, of which the start takes one. */
#define VIEWS_DONE "vgg_batch_views_sum"

/*
 * More work than a test will wait for: a request of BUSY_VIEWS views at BUSY_SCALES, of which one
 * is computed when this returns. The end of its connection ends it.
 */
enum { BUSY_PICTURES = 6, BUSY_VIEWS = 14 * BUSY_PICTURES };

void busy_begin(struct raw *busy, const struct server *server);

#endif
