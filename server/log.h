/* The log on standard error: one line an event, one write a line, as text or JSON. */
#ifndef LOG_H
#define LOG_H

#include "http.h"
#include "options.h"

/* Before other threads start. */
void log_init(enum option_log format);

/* Events of the server's life. A level of "info", "warning" or "error". */
void log_event(const char *level, const char *format, ...) VGG_PRINTF(2, 3);

/* A finished request; status 0: it ended without an answer of ours. */
void log_access(const struct http_request *request, unsigned status);

#endif
