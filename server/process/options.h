/* Command lines and environment variables, by a table of options for each command. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "vgg.h"

enum { EXIT_USAGE = 2 }; /* bad flags, bad values, unreadable files */
enum { ENVIRONMENT_BYTES = 64 };

enum option_kind {
    OPTION_STRING,   /* const char * */
    OPTION_COUNT,    /* uint32_t */
    OPTION_SEED,     /* uint64_t */
    OPTION_REAL,     /* double, not below 0 */
    OPTION_POSITIVE, /* double, above 0 */
    OPTION_SIZE,     /* uint64_t; suffixes K, M, G are powers of 1024, "iB" and "B" may follow */
    OPTION_GMAC,     /* uint64_t MACs, above 0, written in units of 1e9 */
    OPTION_DURATION, /* uint64_t ns; suffixes ms, s (or none), m */
    OPTION_SWITCH,   /* bool; on, off */
    OPTION_FLAG,     /* bool; no value on the command line */
    OPTION_SCALES,   /* struct option_scales */
    OPTION_WEIGHTS,  /* bool: f16 (true) or f32 */
    OPTION_CHOICE,   /* uint32_t: which of the words in `value`, as in "dense|both" */
    OPTION_LOG       /* enum option_log */
};

struct option_scales {
    uint32_t scales[VGG_SCALES_MAX]; /* ascending, distinct */
    size_t n;
};

enum option_log { LOG_TEXT, LOG_JSON };

struct option {
    const char *name;  /* "max-body": --max-body and VGG_MAX_BODY */
    const char *value; /* its name in the help, NULL for a flag */
    enum option_kind kind;
    size_t offset;     /* of the field in the command's options struct */
    uint64_t min, max; /* of numbers; 0, 0: any */
    const char *help;  /* with the default in brackets */
};

struct command_usage {
    const char *command;  /* "vgg serve" */
    const char *operands; /* "[OPTIONS] FILE..." */
    const char *summary;
    const struct option *options;
    size_t options_n;
    const char *footer; /* or NULL */
};

/* The operands of a command line, in order; they point into argv. */
struct operands {
    char **items;
    size_t n;
};

/* Anything but OPTIONS_RUN is the exit status to end with: --help and --version end well. */
enum options_result { OPTIONS_RUN = -1, OPTIONS_HELP = 0, OPTIONS_BAD = EXIT_USAGE };

/*
 * Fill *target, which holds the defaults, from the environment and then from argv[1 ..]. `-o FILE`
 * is --output. --help prints the usage, --version the version. After OPTIONS_BAD one line has been
 * printed on stderr.
 */
enum options_result options_parse(const struct command_usage *usage, int argc, char **argv,
                                  void *target, struct operands *operands);

/* The variable of an option: VGG_MAX_BODY of "max-body". */
void option_variable(const char *name, char variable[ENVIRONMENT_BYTES]);

/* Parse "256,384,512": sorted, distinct. False with one line in reason[reason_size]. */
bool scales_parse(const char *text, struct option_scales *scales, char *reason, size_t reason_size);

/* Requests spell a switch as flags do, as 1 and 0, or as JSON or Python does, in any case. */
bool switch_parse_request(const char *text, bool *value);

#endif
