/*
 * The commands that end by themselves. Each takes its own argv (argv[0] is the command's name) and
 * returns the exit status of the program.
 */
#ifndef CLI_H
#define CLI_H

#include "process/options.h"

int command_classify(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_train(int argc, char **argv);
int command_init(int argc, char **argv);
int command_health(int argc, char **argv);

/* Their options. */
extern const struct command_usage classify_usage, eval_usage, inspect_usage, bench_usage,
    train_usage, init_usage, health_usage;

#endif
