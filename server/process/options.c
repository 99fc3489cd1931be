/* Parsing options. */
#include "process/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/suggestion.h"
#include "process/terminal.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 80, MEANING_BYTES = 512 };

/* ---------------------------------------------------------------- presets, environment ------- */

void option_variable(const char *name, char variable[ENVIRONMENT_BYTES])
{
    size_t length = (size_t)snprintf(variable, ENVIRONMENT_BYTES, "VGG_%s", name);

    for (size_t i = 4; i < length; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
}

/* They can all be read, or the table is wrong: test_commands.c. */
static void set_presets(const struct command_usage *usage, void *target)
{
    char reason[OPTION_REASON_BYTES];

    for (size_t i = 0; i < usage->options_n; i++) {
        const struct option *option = &usage->options[i];

        if (option->preset != NULL)
            (void)option_set(option, option->preset, target, reason);
    }
}

/* Of a flag or a variable. */
static bool set_given(const struct command_usage *usage, const struct option *option,
                      const char *value, void *target, char reason[OPTION_REASON_BYTES])
{
    if (usage->given != 0)
        ((bool *)((char *)target + usage->given))[option - usage->options] = true;
    return option_set(option, value, target, reason);
}

static bool read_environment(const struct command_usage *usage, void *target)
{
    for (size_t i = 0; i < usage->options_n; i++) {
        char variable[ENVIRONMENT_BYTES], reason[OPTION_REASON_BYTES] = "";
        const char *value;

        option_variable(usage->options[i].name, variable);
        value = getenv(variable);
        /* An empty variable is an unset one: compose files write VGG_MODEL= for "no model". */
        if (value == NULL || value[0] == '\0')
            continue;
        if (!set_given(usage, &usage->options[i], value, target, reason)) {
            terminal_say("%s=%s: %s", variable, value, reason);
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- command line --------------- */

/* What an option means, its default in brackets, in lines of at most HELP_WIDTH. */
static void print_meaning(const struct option *option)
{
    char text[MEANING_BYTES];
    const char *rest = text;

    if (option->preset != NULL)
        snprintf(text, sizeof text, "%s [%s]", option->help, option->preset);
    else
        snprintf(text, sizeof text, "%s", option->help);
    while (strlen(rest) > HELP_WIDTH - HELP_COLUMN) {
        int cut = HELP_WIDTH - HELP_COLUMN;

        while (cut > 0 && rest[cut] != ' ')
            cut--;
        if (cut == 0)
            break;
        printf("%.*s\n%*s", cut, rest, HELP_COLUMN, "");
        rest += cut + 1;
    }
    printf("%s\n", rest);
}

static void print_help(const struct command_usage *usage)
{
    printf("usage: %s %s\n\n%s\n\noptions:\n", usage->command, usage->operands, usage->summary);
    for (size_t i = 0; i < usage->options_n; i++) {
        const struct option *option = &usage->options[i];
        int length = printf("  --%s%s%s", option->name, option->value != NULL ? " " : "",
                            option->value != NULL ? option->value : "");

        if (length > HELP_COLUMN - 2)
            length = printf("\n") - 1;
        printf("%*s", HELP_COLUMN - length, "");
        print_meaning(option);
    }
    printf("  --help%*sthis text; --version prints the version\n", HELP_COLUMN - 8, "");
    printf("\nEvery option is also an environment variable (--max-body is VGG_MAX_BODY); flags "
           "win.\n");
    if (usage->footer != NULL)
        printf("%s", usage->footer);
}

static const struct option *find_option(const struct command_usage *usage, const char *name,
                                        size_t length)
{
    for (size_t i = 0; i < usage->options_n; i++)
        if (strlen(usage->options[i].name) == length &&
            strncmp(usage->options[i].name, name, length) == 0)
            return &usage->options[i];
    return NULL;
}

/* One line, and where to read on. */
static bool complain(const struct command_usage *usage, const char *what, const char *argument)
{
    terminal_say("%s %s (see %s --help)", what, argument, usage->command);
    return false;
}

static bool refuse(const struct command_usage *usage, const char *argument)
{
    const char *word = argument + strspn(argument, "-");
    struct suggestion suggestion;
    char text[SUGGESTION_BYTES];

    suggestion_begin(&suggestion, word, strcspn(word, "="));
    for (size_t i = 0; i < usage->options_n; i++)
        suggestion_offer(&suggestion, usage->options[i].name, strlen(usage->options[i].name));
    suggestion_offer_words(&suggestion, "help|version");
    terminal_say("unknown option %s%s (see %s --help)", argument,
                 suggestion_text(&suggestion, "--", text), usage->command);
    return false;
}

/* One argument that begins with "-"; *i moves past a value in the next one. */
static bool parse_flag(const struct command_usage *usage, int argc, char **argv, int *i,
                       void *target)
{
    const char *argument = argv[*i];
    const char *name = strcmp(argument, "-o") == 0 ? "output" : argument + 2;
    const char *equals = strchr(name, '='), *value = equals != NULL ? equals + 1 : NULL;
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *option = NULL;
    char reason[OPTION_REASON_BYTES] = "";

    if (argument[1] == '-' || strcmp(argument, "-o") == 0)
        option = find_option(usage, name, length);
    if (option == NULL)
        return refuse(usage, argument);
    if (option->kind == OPTION_FLAG && value == NULL)
        value = "on";
    if (value == NULL) {
        if (*i + 1 >= argc)
            return complain(usage, "a value is missing after", argument);
        value = argv[++*i];
    }
    if (set_given(usage, option, value, target, reason))
        return true;
    terminal_say("--%s %s: %s", option->name, value, reason);
    return false;
}

enum options_result options_parse(const struct command_usage *usage, int argc, char **argv,
                                  void *target, struct operands *operands)
{
    bool flags = true;

    *operands = (struct operands){.items = argv + 1};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(usage);
            return OPTIONS_HELP;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("vgg " VGG_VERSION "\n");
            return OPTIONS_HELP;
        }
    set_presets(usage, target);
    if (!read_environment(usage, target))
        return OPTIONS_BAD;
    for (int i = 1; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!parse_flag(usage, argc, argv, &i, target))
                return OPTIONS_BAD;
        } else
            operands->items[operands->n++] = argv[i];
    }
    return OPTIONS_RUN;
}
