/* The table of commands: what its rows promise, and that each command is in it. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

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

/* options_parse takes that for granted; the help shows a preset in brackets of its own. */
static void every_preset_can_be_read(void **state)
{
    static _Alignas(max_align_t) char target[4096]; /* any command's options */
    size_t presets = 0;

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++)
        for (size_t j = 0; j < commands[i].usage->options_n; j++) {
            const struct option *option = &commands[i].usage->options[j];
            char reason[OPTION_REASON_BYTES];

            assert_true(option->offset + sizeof(struct option_scales) <= sizeof target);
            if (option->preset == NULL)
                continue;
            presets++;
            if (!option_set(option, option->preset, target, reason))
                fail_msg("vgg %s --%s %s: %s", commands[i].name, option->name, option->preset,
                         reason);
            assert_null(strchr(option->help, '['));
        }
    assert_true(presets > COMMANDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_found_by_name),
        cmocka_unit_test(no_option_is_warned_of),
        cmocka_unit_test(every_preset_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
