/* The parts of a running server, from the first to the last. */
#ifndef STARTUP_H
#define STARTUP_H

#include "api/server.h"
#include "models/model_file.h"
#include "net/listener.h"

struct workers;

/* What the server's life takes beside what its handlers share. */
struct startup {
    struct server server;
    struct endpoint endpoints[2]; /* main, admin */
    struct workers *workers;
    struct listener *listener;
    struct model_file model; /* until the reloader has it */
    bool slot_ready;
};

/* Files and sockets that are not open yet. */
#define STARTUP_NONE                                                                               \
    {                                                                                              \
        .endpoints = {{.fd = -1}, {.fd = -1}}, .model = {.fd = -1 }                                \
    }

/*
 * Bind, load the model, measure the engine, then accept. Errors: those of its parts; CANCELLED
 * where a signal came meanwhile. startup_stop is due anyway.
 */
enum vgg_status startup_start(struct startup *startup, const struct serve_options *given,
                              struct vgg_error *error);

/* Stop in the order in which work flows; any part may be missing. */
void startup_stop(struct startup *startup);

/* Descriptors of a server beside its connections. */
enum { STARTUP_DESCRIPTORS = 64 };

#endif
