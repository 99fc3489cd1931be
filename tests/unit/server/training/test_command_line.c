/* Commands that are shown can be pasted. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "training/command_line.h"

static void expect_line(int argc, char *const *argv, const char *expected)
{
    struct text text = {0};
    char *name = program_invocation_name;

    program_invocation_name = (char *)"build/vgg";
    command_line_print(&text, argc, argv, " --resume");
    program_invocation_name = name;
    text_append(&text, "", 1);
    assert_string_equal(text.bytes, expected);
    free(text.bytes);
}

/* What is added stays an option. */
static void lines(void **state)
{
    (void)state;
    expect_line(3, (char *[]){"train", "-o", "my model"}, "build/vgg train -o 'my model' --resume");
    expect_line(3, (char *[]){"train", "--", "-photos"}, "build/vgg train --resume -- -photos");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
