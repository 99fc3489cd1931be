/* Variables that look like options. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/environment.h"

/* Two commands. */
static const struct option serve_options[] = {{.name = "model"}, {.name = "top-k"}};
static const struct option train_options[] = {{.name = "validation-list"}};
static const struct command_usage serve = {.options = serve_options, .options_n = 2};
static const struct command_usage train = {.options = train_options, .options_n = 1};
static const struct command_usage *const usages[] = {&serve, &train};

static char warnings[1024];

static void note(const char *variable, const char *proposal)
{
    size_t used = strlen(warnings);

    snprintf(warnings + used, sizeof warnings - used, "%s%s\n", variable, proposal);
}

/* With this variable alone. */
static void expect(const char *name, const char *value, const char *expected)
{
    (void)setenv(name, value, 1);
    warnings[0] = '\0';
    environment_check(usages, 2, note);
    unsetenv(name);
    if (strcmp(warnings, expected) != 0)
        fail_msg("%s=%s: \"%s\"", name, value, warnings);
}

static void unknown(void **state)
{
    char name[200] = "VGG_";

    (void)state;
    expect("VGG_MODLE", "x", "VGG_MODLE: did you mean VGG_MODEL?\n");
    expect("VGG_TOPK", "3", "VGG_TOPK: did you mean VGG_TOP_K?\n");
    expect("VGG_model", "x", "VGG_model: did you mean VGG_MODEL?\n");
    expect("VGG_PORT", "8080", "VGG_PORT\n");
    expect("VGG_COLOR_SCHEME", "dark", "VGG_COLOR_SCHEME\n");
    memset(name + 4, 'X', sizeof name - 5);
    expect(name, "x", "");
}

/* Also of a command that is not run; of the kernels, the scripts and the tests. */
static void known(void **state)
{
    (void)state;
    expect("VGG_MODEL", "x", "");
    expect("VGG_TOP_K", "x", "");
    expect("VGG_VALIDATION_LIST", "x", "");
    expect("VGG_KERNELS", "avx2", "");
    expect("VGG_SHARED", "/", "");
    expect("VGG_BIN", "build/vgg", "");
    expect("VGG_DEPS", "x", "");
}

/* A service called vgg puts these into every pod. */
static void service_links(void **state)
{
    (void)state;
    expect("VGG_SERVICE_HOST", "10.0.0.1", "");
    expect("VGG_SERVICE_PORT", "80", "");
    expect("VGG_SERVICE_PORT_HTTP", "80", "");
    expect("VGG_PORT", "tcp://10.0.0.1:80", "");
    expect("VGG_PORT_80_TCP", "tcp://10.0.0.1:80", "");
    expect("VGG_PORT_80_TCP_ADDR", "10.0.0.1", "");
    expect("VGG_ADMIN_PORT_8081_TCP_PROTO", "tcp", "");
}

static void others(void **state)
{
    (void)state;
    expect("VGG_", "x", "");
    expect("VGG", "x", "");
    expect("VGGMODLE", "x", "");
    expect("vgg_modle", "x", "");
    expect("VGG_MODLE", "", ""); /* unset */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown),
        cmocka_unit_test(known),
        cmocka_unit_test(service_links),
        cmocka_unit_test(others),
    };
    extern char **environ;

    for (char **entry = environ; *entry != NULL;)
        if (strncmp(*entry, "VGG_", 4) == 0) {
            char name[128] = "";

            sscanf(*entry, "%127[^=]", name);
            unsetenv(name);
        } else
            entry++;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
