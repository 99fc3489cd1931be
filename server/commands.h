/*
 * The table of commands: what the program can do, and where. main.c and this table alone
 * lie above all rooms, and no room knows of them.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "process/environment.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const struct command_usage *usage;
    const char *help;
    bool has_log; /* in which it warns of the environment itself */
};

enum { COMMANDS = 8 };

extern const struct command commands[COMMANDS];

/* The command of this name, or NULL. */
const struct command *command_find(const char *name);

/* Warn of variables that are options of no command. */
void commands_check_environment(environment_warn_fn *warn);

#endif
