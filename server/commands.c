/* The table of commands. */
#include "commands.h"

#include <string.h>

const struct command commands[COMMANDS] = {
    {"serve", command_serve, &serve_usage, "answer POST /classify over HTTP"},
    {"classify", command_classify, &classify_usage, "classify image files"},
    {"eval", command_eval, &eval_usage, "measure error rates on labelled pictures"},
    {"inspect", command_inspect, &inspect_usage, "describe a model file"},
    {"bench", command_bench, &bench_usage, "measure the network layer by layer, and the machine"},
    {"train", command_train, &train_usage, "train a network on a directory of photographs"},
    {"init", command_init, &init_usage, "write an untrained model"},
    {"health", command_health, &health_usage, "ask whether a running server is ready"},
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
