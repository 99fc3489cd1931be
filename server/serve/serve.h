/* vgg serve: the command that goes on until it is told to end. */
#ifndef SERVE_H
#define SERVE_H

#include "process/environment.h"

extern const struct command_usage serve_usage;

/*
 * Serve until a signal; the exit status of the program. Once there is a log, `check` has it told of
 * variables that are no options: the server knows its own only.
 */
int command_serve(int argc, char **argv, void (*check)(environment_warn_fn *warn));

#endif
