/*
 * The log on standard error: one line an event, one write a line, as text or JSON.
 *
 * Between log_start and log_stop a thread of its own writes, so that whoever logs never waits for
 * a full pipe or a slow disk: lines wait in a buffer of fixed size, and what does not fit is
 * dropped and counted.
 */
#ifndef LOG_H
#define LOG_H

#include "http/http.h"
#include "process/options.h"

/* Before other threads start. */
void log_init(enum option_log format);

/* Start the thread. Errors: NO_MEMORY. */
enum vgg_status log_start(struct vgg_error *error);

/* Write what is left, for a second at most, and end the thread, if there is one. */
void log_stop(void);

/* Lines that were lost so far. */
uint64_t log_dropped(void);

/* Events of the server's life. A level of "info", "warning" or "error". */
void log_event(const char *level, const char *format, ...) VGG_PRINTF(2, 3);

/* A finished request; status 0: it ended without an answer. */
void log_access(const struct http_request *request, unsigned status);

#endif
