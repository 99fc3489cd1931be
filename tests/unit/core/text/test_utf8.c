/* UTF-8: every first byte, the edges of the ranges, and what is cut. */
#include "check.h"

#include <string.h>

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
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(utf8_length(cases[i].text, strlen(cases[i].text)), cases[i].length);
}

static void strings(void **state)
{
    (void)state;
    assert_true(utf8_valid(""));
    assert_true(utf8_valid("K\xC3\xA4se \xE2\x98\x83 \xF0\x9F\x90\xB1"));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(utf8_valid(cases[i].text), cases[i].length != 0);
    assert_false(utf8_valid("good, then \xFF"));
}

/* ---------------------------------------------------------------- for a terminal ------------- */

static void expect_clean(const char *text, const char *expected)
{
    char copy[64];

    strcpy(copy, text);
    utf8_clean(copy);
    assert_string_equal(copy, expected);
}

static void text_stays(void **state)
{
    (void)state;
    expect_clean("", "");
    expect_clean("a b~", "a b~");
    expect_clean("na\xc3\xafve \xe2\x98\x83 \xf0\x9f\x97\x91",
                 "na\xc3\xafve \xe2\x98\x83 \xf0\x9f\x97\x91");
    expect_clean("\xc2\xa0", "\xc2\xa0"); /* the first after C1 */
}

static void controls_go(void **state)
{
    (void)state;
    expect_clean("a\nb\r\tc", "a?b??c");
    expect_clean("\033[31mred\x7f", "?[31mred?");
    expect_clean("\xc2\x9b"
                 "31m",
                 "?31m");                                         /* CSI as one character */
    expect_clean("\xe2\x80\xa8|\xe2\x80\xa9", "?|?");             /* line and paragraph separator */
    expect_clean("\xe2\x80\xaegpj.exe\xe2\x81\xa9", "?gpj.exe?"); /* the other way round */
}

static void other_bytes_go(void **state)
{
    (void)state;
    expect_clean("caf\xe9", "caf?");
    expect_clean("\x9b"
                 "1m",
                 "?1m"); /* CSI of Latin 1 */
    expect_clean("\xc3", "?");
    expect_clean("\xc0\xaf\xed\xa0\x80", "?????");
    expect_clean("\xe2\x98", "??");
}

/* It reads no further than the size. */
static void shows_one(void **state)
{
    const char *text = "\xe2\x98\x83", *shown;
    size_t bytes;

    (void)state;
    assert_int_equal(utf8_show(text, 3, &shown, &bytes), 3);
    assert_ptr_equal(shown, text);
    assert_int_equal(bytes, 3);
    assert_int_equal(utf8_show(text, 2, &shown, &bytes), 1);
    assert_int_equal(bytes, 1);
    assert_int_equal(*shown, '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters),     cmocka_unit_test(strings),
        cmocka_unit_test(text_stays),     cmocka_unit_test(controls_go),
        cmocka_unit_test(other_bytes_go), cmocka_unit_test(shows_one),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
