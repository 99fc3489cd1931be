/* The table of commands. */
#include "commands.h"

#include <string.h>

#include "cli/cli.h"
#include "serve/serve.h"

static int run_serve(int argc, char **argv)
{
    return command_serve(argc, argv, commands_check_environment);
}

const struct command commands[COMMANDS] = {
    {"serve", run_serve, &serve_usage, "answer POST /classify over HTTP", true},
    {"classify", command_classify, &classify_usage, "classify image files", false},
    {"eval", command_eval, &eval_usage, "measure error rates on labelled pictures", false},
    {"inspect", command_inspect, &inspect_usage, "describe a model file", false},
    {"bench", command_bench, &bench_usage, "measure the network layer by layer, and the machine",
     false},
    {"train", command_train, &train_usage, "train a network on a directory of photographs", false},
    {"init", command_init, &init_usage, "write an untrained model", false},
    {"health", command_health, &health_usage, "ask whether a running server is ready", false},
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

void commands_check_environment(environment_warn_fn *warn)
{
    const struct command_usage *usages[COMMANDS];

    for (size_t i = 0; i < COMMANDS; i++)
        usages[i] = commands[i].usage;
    environment_check(usages, COMMANDS, warn);
}
