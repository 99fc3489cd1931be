/* Variables of the environment that look like options and are none. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/*
 * Warn of each VGG_ variable that is no option of any command, in the order of the environment;
 * `proposal` is ": did you mean VGG_MODEL?" or empty. Empty variables are unset ones, and those
 * that Kubernetes sets for a service called vgg are not meant for us.
 */
void environment_check(void (*warn)(const char *variable, const char *proposal));

#endif
