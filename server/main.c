/* vgg: the choice of a command. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "resources.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", command_serve, "answer POST /classify over HTTP"},
    {"classify", command_classify, "classify image files"},
    {"eval", command_eval, "measure error rates on labelled pictures"},
    {"inspect", command_inspect, "describe a model file"},
    {"bench", command_bench, "measure the network layer by layer, and the machine"},
    {"train", command_train, "train a network on a directory of photographs"},
    {"init", command_init, "write an untrained model"},
    {"health", command_health, "ask whether a running server is ready"},
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: vgg COMMAND [OPTIONS]\n\n"
                 "VGG-16/19 image classification by the paper's dense, multi-scale test protocol.\n"
                 "\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nvgg COMMAND --help tells a command's options; vgg --version the version.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("vgg " VGG_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return resources_enter() ? commands[i].run(argc - 1, argv + 1) : EXIT_USAGE;
    fprintf(stderr, "vgg: unknown command \"%s\" (see vgg --help)\n", argv[1]);
    return EXIT_USAGE;
}
