/* The worker threads: each takes a request from the queue and stays with it until it is answered.
 */
#ifndef WORKERS_H
#define WORKERS_H

#include "server.h"

struct workers;

/* Errors: NO_MEMORY. */
enum vgg_status workers_create(struct server *server, unsigned n, struct workers **workers,
                               struct vgg_error *error);

/* Wait for the workers to end; the queue must have been closed. NULL is allowed. */
void workers_destroy(struct workers *workers);

#endif
