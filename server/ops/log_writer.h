/* The thread that writes the log, and the buffer before it. */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include "vgg.h"

enum { LOG_LINE_MAX = 8 << 10 }; /* bytes; longer ones are dropped */

/* See log.h. */
enum vgg_status log_writer_start(struct vgg_error *error);
void log_writer_stop(void);
uint64_t log_writer_dropped(void);

/* One line with its "\n"; NULL: it could not be made. Without the thread it is written at once. */
void log_writer_put(const char *line, size_t size);

#endif
