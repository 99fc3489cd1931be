/* Variables of the environment that look like options and are none. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "process/options.h"

/* Told of a variable; `proposal` is ": did you mean VGG_MODEL?" or empty. */
typedef void environment_warn_fn(const char *variable, const char *proposal);

/*
 * Warn of each VGG_ variable that is no option of any of these commands, in the order of the
 * environment. Empty variables are unset ones, and those that Kubernetes sets for a service called
 * vgg are not meant for us.
 */
void environment_check(const struct command_usage *const *usages, size_t usages_n,
                       environment_warn_fn *warn);

#endif
