/* vgg: the choice of a command. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "process/resources.h"
#include "process/streams.h"
#include "process/suggestion.h"
#include "process/terminal.h"

static void print_usage(FILE *out)
{
    fprintf(out, "usage: vgg COMMAND [OPTIONS]\n\n"
                 "VGG-16/19 image classification by the paper's dense, multi-scale test protocol.\n"
                 "\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nvgg COMMAND --help tells a command's options; vgg --version the version.\n");
}

static int refuse(const char *name)
{
    static const char *const others[] = {"--help", "--version"};
    struct suggestion suggestion;
    char text[SUGGESTION_BYTES];

    suggestion_begin(&suggestion, name, strlen(name));
    for (size_t i = 0; i < COMMANDS; i++)
        suggestion_offer(&suggestion, commands[i].name, strlen(commands[i].name));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        suggestion_offer(&suggestion, others[i], strlen(others[i]));
    terminal_say("unknown command \"%s\"%s (see vgg --help)", name,
                 suggestion_text(&suggestion, "", text));
    return EXIT_USAGE;
}

static void warn(const char *variable, const char *proposal)
{
    terminal_say("%s is no variable of vgg%s", variable, proposal);
}

static int run(int argc, char **argv)
{
    const struct command *command;

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
    command = command_find(argv[1]);
    if (command == NULL)
        return refuse(argv[1]);
    if (!resources_enter())
        return EXIT_USAGE;
    if (!command->has_log)
        commands_check_environment(warn);
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (!streams_open()) {
        terminal_say("a standard stream is closed, and /dev/null cannot be opened for it");
        return EXIT_USAGE;
    }
    return streams_close(run(argc, argv));
}
