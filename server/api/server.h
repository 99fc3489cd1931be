/* What the handlers of a running server share. */
#ifndef SERVER_H
#define SERVER_H

#include <string.h>

#include "http/http.h"
#include "models/model_slot.h"
#include "ops/log.h"
#include "ops/secrets.h"
#include "work/work.h"

struct openapi;
struct parsers;
struct reloader;
struct statistics;

/* The life of a server; it only moves forward. */
enum server_phase {
    SERVER_SERVING,
    SERVER_DRAINING, /* not ready any more, still accepting */
    SERVER_CLOSING   /* not accepting; the first request of a connection is still served */
};

/* Options of `vgg serve`. */
struct serve_options {
    const char *model, *listen, *admin_listen;
    struct secrets_files secrets;
    struct work_options work;
    bool fc_half;
    uint32_t precision, threads, images_max;
    uint64_t body_max;
    uint64_t queue_ns, deadline_ns, drain_delay_ns, drain_timeout_ns;
    uint32_t connections_max, connections_per_address;
    uint64_t header_max, header_ns, idle_ns;
    const char *cors_origins; /* as for cors_allows; NULL: none */
    enum option_log log;
};

struct server {
    const struct serve_options *options;
    struct work work;
    struct model_slot model;
    struct reloader *reloader;
    struct http *http;
    struct parsers *parsers;
    struct statistics *statistics;
    struct openapi *openapi;
    struct secrets secrets;
    _Atomic enum server_phase phase;
};

/* Bytes of a path without the slash at its end: it leads where it would without. */
static inline size_t server_path_size(const char *path)
{
    size_t size = strlen(path);

    return size > 1 && path[size - 1] == '/' ? size - 1 : size;
}

#endif
