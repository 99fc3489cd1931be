/* What was left out is counted by reason, and named as far as a line goes. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "pictures/left_out.h"
#include "server/capture.h"

static void expect(struct left_out *left_out, const char *expected)
{
    struct capture err;

    capture_begin(&err, STDERR_FILENO);
    left_out_say(left_out);
    capture_end(&err);
    assert_string_equal(err.text, expected);
}

static void nothing(void **state)
{
    struct left_out left_out = {0};

    (void)state;
    expect(&left_out, "");
}

static void by_reason(void **state)
{
    struct left_out left_out = {0};

    (void)state;
    left_out_add(&left_out, "a/.x", "hidden");
    left_out_add(&left_out, "notes\n\033.txt", "other");
    for (unsigned i = 0; i < 9; i++) {
        char name[8];

        snprintf(name, sizeof name, "b/.%u", i);
        left_out_add(&left_out, name, "hidden");
    }
    expect(&left_out, "vgg: 10 left out (hidden): a/.x, b/.0, b/.1, b/.2, b/.3 ...\n"
                      "vgg: 1 left out (other): notes??.txt\n");
    expect(&left_out, "");
}

/* A line each, up to a bound. */
static void pictures(void **state)
{
    struct left_out left_out = {0};
    struct capture err;

    (void)state;
    for (unsigned i = 0; i < LEFT_OUT_LOST + 3; i++) {
        char name[16];

        snprintf(name, sizeof name, "p%u\033.jpg", i);
        capture_begin(&err, STDERR_FILENO);
        left_out_lose(&left_out, name, "bad\nreason");
        capture_end(&err);
        if (i == 0)
            assert_string_equal(err.text, "vgg: p0?.jpg: left out: bad?reason\n");
        assert_int_equal(err.text[0] != '\0', i < LEFT_OUT_LOST);
    }
    expect(&left_out, "vgg: 23 left out (cannot be read): the first are named above\n");
}

/* More reasons than there is room for have lines of their own. */
static void many_reasons(void **state)
{
    struct left_out left_out = {0};
    struct capture err;

    (void)state;
    for (unsigned i = 0; i <= LEFT_OUT_REASONS; i++) {
        char reason[16];

        snprintf(reason, sizeof reason, "reason %u", i);
        capture_begin(&err, STDERR_FILENO);
        left_out_add(&left_out, "x", reason);
        capture_end(&err);
        assert_string_equal(err.text, i < LEFT_OUT_REASONS ? "" : "vgg: x: reason 12\n");
    }
    capture_begin(&err, STDERR_FILENO);
    left_out_say(&left_out);
    capture_end(&err);
}

static void keep(void *user, const char *path, const char *reason)
{
    snprintf(user, 64, "%s: %s", path, reason);
}

/* Another listens too: to each, in whole, and after what was said. */
static void told(void **state)
{
    char heard[64] = "";
    struct left_out left_out = {.tell = keep, .user = heard};
    struct capture err;

    (void)state;
    left_out_add(&left_out, "a", "hidden");
    assert_string_equal(heard, "a: hidden");
    expect(&left_out, "vgg: 1 left out (hidden): a\n");
    capture_begin(&err, STDERR_FILENO);
    left_out_lose(&left_out, "b", "bad");
    capture_end(&err);
    assert_string_equal(heard, "b: bad");
}

static void without_memory(void **state)
{
    struct left_out left_out = {0};
    long live = fault_outstanding();

    (void)state;
    if (!fault_available())
        skip();
    left_out_add(&left_out, "a", "hidden");
    fault_arm(1);
    left_out_add(&left_out, "b", "hidden");
    assert_true(fault_disarm());
    expect(&left_out, "vgg: 2 left out (hidden): a ...\n");
    assert_int_equal(fault_outstanding(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),  cmocka_unit_test(by_reason),
        cmocka_unit_test(pictures), cmocka_unit_test(many_reasons),
        cmocka_unit_test(told),     cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
