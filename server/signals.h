/* Signals as something to wait for: handlers write to an eventfd. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "vgg.h"

/* Catch SIGTERM and SIGINT; ignore SIGPIPE and SIGHUP. Errors: IO. */
enum vgg_status signals_init(struct vgg_error *error);

/* Wait for a signal to end, at most timeout_ms (-1: for ever). True if one came. */
bool signals_wait(int timeout_ms);

#endif
