/* Variables that nobody reads. */
#include "process/environment.h"

#include <ctype.h>
#include <string.h>

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
static bool is_option(const struct command_usage *usage, const char *name,
                      struct suggestion *suggestion)
{
    for (size_t i = 0; i < usage->options_n; i++) {
        const char *option = usage->options[i].name;
        char variable[ENVIRONMENT_BYTES];

        option_variable(option, variable);
        if (strcmp(variable, name) == 0)
            return true;
        suggestion_offer(suggestion, option, strlen(option));
    }
    return false;
}

static void check(const char *name, const char *value, const struct command_usage *const *usages,
                  size_t usages_n, environment_warn_fn *warn)
{
    struct suggestion suggestion;
    char proposal[SUGGESTION_BYTES], variable[ENVIRONMENT_BYTES];

    if (is_other(name) || is_service_link(name, value))
        return;
    suggestion_begin(&suggestion, name + PREFIX, strlen(name + PREFIX));
    for (size_t i = 0; i < usages_n; i++)
        if (is_option(usages[i], name, &suggestion))
            return;
    if (suggestion.best != NULL) {
        option_variable(suggestion.best, variable);
        suggestion.best = variable;
        suggestion.best_length = strlen(variable);
    }
    warn(name, suggestion_text(&suggestion, "", proposal));
}

void environment_check(const struct command_usage *const *usages, size_t usages_n,
                       environment_warn_fn *warn)
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
        check(name, equals + 1, usages, usages_n, warn);
    }
}
