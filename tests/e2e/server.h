/* A server under test: a child process on two free ports of the loopback interface. */
#ifndef VGG_TESTS_SERVER_H
#define VGG_TESTS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t pid;
    uint16_t ports[2]; /* main, admin */
    char log[64];      /* name of the file with its standard error, for work_file */
    const char *ca;    /* the main listener speaks TLS and this file vouches for it; else NULL */
};

/* Start `vgg serve` on free ports with `args` (NULL-terminated) and wait until it is ready. */
void server_start(struct server *server, const char *const *args);
void server_start_with(struct server *server, const char *const *args, const char *const *env);

/* The same with its standard error to a descriptor, which stays the caller's; server->log is "". */
void server_start_to(struct server *server, const char *const *args, int err_fd);

/* Start one with a model, nothing else special. */
void server_start_model(struct server *server, const char *model);

/* SIGTERM, then wait for exit status 0: a sanitizer's finding would be another. */
void server_stop(struct server *server);

void server_signal(const struct server *server, int number);

/* One more, after the moment in which several count once (SIGNALS_MOMENT_NS). */
void server_signal_later(const struct server *server, int number);

/* Wait for the end: the exit status. */
int server_wait(struct server *server);

/* All that it has logged, malloc'ed. */
char *server_log(const struct server *server);

/* Wait until the log holds a text. */
void server_wait_log(const struct server *server, const char *text);

/* ---------------------------------------------------------------- metrics ------------------- */

/* The exposition, malloc'ed. */
char *metrics_read(const struct server *server);

/* The value of `series`, with its labels as they are written; a series that is missing fails. */
double metrics_value(const char *text, const char *series);
double server_metric(const struct server *server, const char *series);

/* Wait until a series has a value, or at least that. */
void server_wait_metric(const struct server *server, const char *series, double value);
void server_wait_metric_reaches(const struct server *server, const char *series, double value);

/*
 * Wait until `n` requests are in flight, the one that asks included; or, where that was missed,
 * until more than `answered` pictures have been classified since the start.
 */
void server_wait_begun(const struct server *server, double n, double answered);

#define CLASSIFIED "vgg_http_requests_total{route=\"/classify\",code=\"200\"}"
#define REFUSED "vgg_requests_shed_total{reason=\"queue_full\"}"

/* ---------------------------------------------------------------- health -------------------- */

/* A picture is classified: the server has survived what was done to it. */
void check_alive(const struct server *server);

/* No request is left but the one that asks, and no more than `fds` descriptors are open. */
void check_at_rest(const struct server *server, double fds);

#endif
