/* What reaches a terminal of names and messages from outside. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "process/terminal.h"
#include "server/capture.h"

static void expect_text(const char *text, size_t width, const char *expected)
{
    struct capture out;
    size_t used;

    capture_begin(&out, STDOUT_FILENO);
    used = terminal_text(stdout, text, width);
    capture_end(&out);
    assert_string_equal(out.text, expected);
    assert_int_equal(used, strlen(expected));
}

/* Whole characters, no controls, and the number of bytes that a column is filled up from. */
static void columns(void **state)
{
    (void)state;
    expect_text("tabby, tabby cat", SIZE_MAX, "tabby, tabby cat");
    expect_text("tabby", 3, "tab");
    expect_text("tabby", 0, "");
    expect_text("\033[1m\n\x7f", SIZE_MAX, "?[1m??");
    expect_text("na\xc3\xafve", 3, "na");
    expect_text("na\xc3\xafve", 4, "na\xc3\xaf");
    expect_text("\xc2\x9b\xe2\x80\xae"
                "x",
                2, "??");
    expect_text("\xff\xfe", SIZE_MAX, "??");
}

static void messages(void **state)
{
    struct capture err;

    (void)state;
    (void)setenv("NO_COLOR", "1", 1);
    capture_begin(&err, STDERR_FILENO);
    terminal_say("%s: %d\n", "a\033b", 5);
    terminal_failure("c\rd", "e\nf");
    capture_end(&err);
    assert_string_equal(err.text, "vgg: a?b: 5?\nvgg: c?d: e?f\n");
}

/* A longer one is cut. */
static void long_messages(void **state)
{
    char text[20000];
    struct capture err;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    capture_begin(&err, STDERR_FILENO);
    terminal_say("%s", text);
    capture_end(&err);
    assert_true(is_one_line(err.text));
    assert_in_range(strlen(err.text), 8000, 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(messages),
        cmocka_unit_test(long_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
