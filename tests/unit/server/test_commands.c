/* The table of commands: what its rows promise, and that each command is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands.h"

static unsigned warnings;

static void count(const char *variable, const char *proposal)
{
    (void)variable;
    (void)proposal;
    warnings++;
}

static void commands_are_found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *name = commands[i].usage->command; /* "vgg serve" */

        assert_ptr_equal(command_find(commands[i].name), &commands[i]);
        assert_string_equal(name + strlen("vgg "), commands[i].name);
    }
    assert_null(command_find("serv"));
    assert_null(command_find(""));
}

/* A variable is known that is an option of any command. */
static void no_option_is_warned_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++)
        for (size_t j = 0; j < commands[i].usage->options_n; j++) {
            char variable[ENVIRONMENT_BYTES];

            option_variable(commands[i].usage->options[j].name, variable);
            setenv(variable, "x", 1);
            commands_check_environment(count);
            unsetenv(variable);
            if (warnings != 0)
                fail_msg("%s is warned of", variable);
        }
    setenv("VGG_MODLE", "x", 1);
    commands_check_environment(count);
    unsetenv("VGG_MODLE");
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_found_by_name),
        cmocka_unit_test(no_option_is_warned_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
