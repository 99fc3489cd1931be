/* UTF-8: every first byte, the edges of the ranges, and what is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "text/utf8.h"

static const struct {
    const char *text;
    size_t length; /* of the first character; 0: none */
} cases[] = {
    {"a", 1},
    {"\x7F", 1},
    {"\x80", 0},
    {"\xBF", 0},
    {"\xC0\x80", 0},
    {"\xC1\xBF", 0},
    {"\xC2\x80", 2},
    {"\xDF\xBF", 2},
    {"\xC2", 0},
    {"\xC2\x41", 0},
    {"\xE0\x9F\xBF", 0},
    {"\xE0\xA0\x80", 3},
    {"\xED\x9F\xBF", 3},
    {"\xED\xA0\x80", 0},
    {"\xEF\xBF\xBF", 3},
    {"\xE2\x98", 0},
    {"\xF0\x8F\xBF\xBF", 0},
    {"\xF0\x90\x80\x80", 4},
    {"\xF4\x8F\xBF\xBF", 4},
    {"\xF4\x90\x80\x80", 0},
    {"\xF5\x80\x80\x80", 0},
    {"\xFF", 0},
};

static void characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("", 0), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_length(cases[i].text, strlen(cases[i].text)), cases[i].length);
}

static void strings(void **state)
{
    (void)state;
    assert_true(utf8_valid(""));
    assert_true(utf8_valid("K\xC3\xA4se \xE2\x98\x83 \xF0\x9F\x90\xB1"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_valid(cases[i].text), cases[i].length != 0);
    assert_false(utf8_valid("good, then \xFF"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(characters), cmocka_unit_test(strings)};

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
