/* The commands of the program. Each takes its own argv (argv[0] is the command's name). */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "process/options.h"

int command_serve(int argc, char **argv);
int command_classify(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_train(int argc, char **argv);
int command_init(int argc, char **argv);
int command_health(int argc, char **argv);

/* Their options. */
extern const struct command_usage serve_usage, classify_usage, inspect_usage, eval_usage,
    bench_usage, train_usage, init_usage, health_usage;

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const struct command_usage *usage;
    const char *help;
};

enum { COMMANDS = 8 };

extern const struct command commands[COMMANDS];

/* The command of this name, or NULL. */
const struct command *command_find(const char *name);

#endif
