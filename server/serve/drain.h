/*
 * The orderly end: /readyz becomes 503; after --drain-delay no new connections are taken, and
 * everything accepted is answered.
 */
#ifndef DRAIN_H
#define DRAIN_H

#include "serve/startup.h"

/* False: --drain-timeout passed, and what was not answered yet is dropped. A signal meanwhile ends
 * the process. */
bool drain(struct startup *startup);

#endif
