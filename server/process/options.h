/* Command lines and environment variables, by a table of options for each command. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "process/option_value.h"

enum { EXIT_USAGE = 2 }; /* bad flags, bad values, unreadable files */
enum { ENVIRONMENT_BYTES = 64 };

struct command_usage {
    const char *command;  /* "vgg serve" */
    const char *operands; /* "[OPTIONS] FILE..." */
    const char *summary;
    const struct option *options;
    size_t options_n;
    const char *footer; /* or NULL */
    size_t given; /* offset of a bool [options_n] that tells which were said; 0: nobody asks */
};

/* The operands of a command line, in order; they point into argv. */
struct operands {
    char **items;
    size_t n;
};

/* Anything but OPTIONS_RUN is the exit status to end with: --help and --version end well. */
enum options_result { OPTIONS_RUN = -1, OPTIONS_HELP = 0, OPTIONS_BAD = EXIT_USAGE };

/*
 * Fill *target, which is zero, from the presets of the rows, then from the environment and then
 * from argv[1 ..]. `-o FILE` is --output. --help prints the usage, --version the version. After
 * OPTIONS_BAD one line has been printed on stderr.
 */
enum options_result options_parse(const struct command_usage *usage, int argc, char **argv,
                                  void *target, struct operands *operands);

/* The variable of an option: VGG_MAX_BODY of "max-body". */
void option_variable(const char *name, char variable[ENVIRONMENT_BYTES]);

#endif
