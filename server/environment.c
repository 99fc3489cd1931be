/* Variables that nobody reads. */
#include "environment.h"

#include <ctype.h>
#include <string.h>

#include "commands.h"
#include "process/suggestion.h"

enum { NAME_BYTES = 128, PREFIX = 4 }; /* "VGG_" */

extern char **environ;

/* Of the kernels, of docker/ and of the tests: no options. */
static const char *const others[] = {"VGG_BIN",    "VGG_CPUS",     "VGG_DEPS",
                                     "VGG_HUB",    "VGG_HUB_SUMS", "VGG_KERNELS",
                                     "VGG_MEMORY", "VGG_SHARED",   "VGG_VERBOSE"};

static bool is_other(const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], name) == 0)
            return true;
    return false;
}

/* VGG_SERVICE_HOST, VGG_ADMIN_SERVICE_PORT_HTTP; VGG_PORT=tcp://..., VGG_PORT_8080_TCP_ADDR. */
static bool is_service_link(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT");

    if (strstr(name, "_SERVICE_HOST") != NULL || strstr(name, "_SERVICE_PORT") != NULL)
        return true;
    return port != NULL &&
           (strstr(value, "://") != NULL || (port[5] == '_' && isdigit((unsigned char)port[6])));
}

/* Is it an option's? If not, the nearest one is kept. */
static bool is_option(const char *name, struct suggestion *suggestion)
{
    for (size_t i = 0; i < COMMANDS; i++)
        for (size_t j = 0; j < commands[i].usage->options_n; j++) {
            const char *option = commands[i].usage->options[j].name;
            char variable[ENVIRONMENT_BYTES];

            option_variable(option, variable);
            if (strcmp(variable, name) == 0)
                return true;
            suggestion_offer(suggestion, option, strlen(option));
        }
    return false;
}

static void check(const char *name, const char *value,
                  void (*warn)(const char *variable, const char *proposal))
{
    struct suggestion suggestion;
    char proposal[SUGGESTION_BYTES], variable[ENVIRONMENT_BYTES];

    suggestion_begin(&suggestion, name + PREFIX, strlen(name + PREFIX));
    if (is_other(name) || is_service_link(name, value) || is_option(name, &suggestion))
        return;
    if (suggestion.best != NULL) {
        option_variable(suggestion.best, variable);
        suggestion.best = variable;
        suggestion.best_length = strlen(variable);
    }
    warn(name, suggestion_text(&suggestion, "", proposal));
}

void environment_check(void (*warn)(const char *variable, const char *proposal))
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        char name[NAME_BYTES];
        size_t length = equals != NULL ? (size_t)(equals - *entry) : 0;

        if (length <= PREFIX || length >= sizeof name || equals[1] == '\0' ||
            memcmp(*entry, "VGG_", PREFIX) != 0)
            continue;
        memcpy(name, *entry, length);
        name[length] = '\0';
        check(name, equals + 1, warn);
    }
}
