/* Signals as something to wait for: handlers write to eventfds. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "process/clock.h"
#include "vgg.h"

/* Signals to end that come within it count once. */
#define SIGNALS_MOMENT_NS (NS_PER_S / 2)

enum signals_event { SIGNALS_NONE, SIGNALS_END, SIGNALS_RELOAD };

/* Catch SIGTERM and SIGINT to end, SIGHUP to reload; ignore SIGPIPE. Errors: IO. */
enum vgg_status signals_init(struct vgg_error *error);

/* Has there been a signal to end? It is still to be waited for. */
bool signals_ended(void);

/*
 * Does somebody wait for signals? Nobody does at first, and while a server starts or stops: the
 * second signal to end then ends the process at once. Where somebody waits, the waiter decides.
 */
void signals_attend(bool attend);

/* Wait for a signal, at most timeout_ms (-1: for ever); one to end comes first. */
enum signals_event signals_wait(int timeout_ms);

#endif
