/* Growing text: all of it, or none. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "text/base64.h"
#include "text/text.h"

enum { LINES = 20000, LINE_BYTES = 12 };

static void print_lines(struct text *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        text_print(text, "line %06u\n", i);
}

static void all_of_it(void **state)
{
    struct text text = {0};
    size_t size = 0;
    char *bytes;

    (void)state;
    print_lines(&text, LINES);
    text_print(&text, "%s", "");
    bytes = text_take(&text, &size);
    assert_non_null(bytes);
    assert_int_equal(size, (size_t)LINES * LINE_BYTES);
    assert_int_equal(strlen(bytes), size);
    for (unsigned i = 0; i < LINES; i++)
        assert_int_equal(strtoul(bytes + i * LINE_BYTES + 5, NULL, 10), i);
    free(bytes);
    /* It can be used again. */
    text_print(&text, "%d", 7);
    bytes = text_take(&text, &size);
    assert_string_equal(bytes, "7");
    free(bytes);
}

/* Pieces around every size of the block, and one larger than it. */
static void pieces_of_any_length(void **state)
{
    static char piece[100000];

    (void)state;
    memset(piece, 'p', sizeof piece - 1);
    for (size_t length = (16 << 10) - 3; length <= (16 << 10) + 3; length++) {
        struct text text = {0};
        size_t size;
        char *bytes;

        text_print(&text, "%.*s", (int)length, piece);
        text_print(&text, "%s", "end");
        bytes = text_take(&text, &size);
        assert_int_equal(size, length + 3);
        assert_string_equal(bytes + length, "end");
        free(bytes);
    }
    for (unsigned n = 0; n < 3; n++) {
        struct text text = {0};
        size_t size;
        char *bytes;

        print_lines(&text, n);
        text_print(&text, "%s", piece);
        bytes = text_take(&text, &size);
        assert_int_equal(size, n * LINE_BYTES + sizeof piece - 1);
        free(bytes);
    }
}

/* One piece that is missing spoils the whole, even where later ones would fit. */
static void or_none_of_it(void **state)
{
    unsigned long failures = 0;
    long before = fault_outstanding();

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1;; n++) {
        struct text text = {0};
        size_t size;
        char *bytes;
        bool fired;

        fault_arm(n);
        print_lines(&text, LINES);
        fired = fault_disarm();
        text_print(&text, "and more");
        bytes = text_take(&text, &size);
        assert_int_equal(bytes == NULL, fired);
        free(bytes);
        assert_int_equal(fault_outstanding(), before);
        if (!fired)
            break;
        failures++;
    }
    assert_true(failures >= 4);
}

static void words_of_a_shell(void **state)
{
    static const char *const pairs[][2] = {{"", "''"},
                                           {"photos/a-b_c.jpg", "photos/a-b_c.jpg"},
                                           {"--scales", "--scales"},
                                           {"my photos", "'my photos'"},
                                           {"it's $HOME", "'it'\\''s $HOME'"},
                                           {"$(reboot)", "'$(reboot)'"},
                                           {"~", "'~'"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct text text = {0};

        text_shell(&text, pairs[i][0]);
        assert_int_equal(text.size, strlen(pairs[i][1]));
        assert_memory_equal(text.bytes, pairs[i][1], text.size);
        free(text.bytes);
    }
}

/* RFC 4648, section 10; the digits beyond the letters; what base64_decode makes of any bytes. */
static void base64(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "+/8="}};
    struct text text = {0};
    unsigned char bytes[256];
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        text_base64(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_int_equal(text.size, strlen(pairs[i][1]));
        assert_memory_equal(text.bytes, pairs[i][1], text.size);
        text.size = 0;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(7 * i);
    text_base64(&text, bytes, sizeof bytes);
    assert_true(base64_decode(text.bytes, text.size, &size));
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(text.bytes, bytes, size);
    free(text.bytes);
}

static void strings_of_json(void **state)
{
    static const char *const pairs[][2] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\t\x01", "\"\\u000a\\u0009\\u0001\""},
        {"\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae", "\"\\u007f\\u009b\\u2028\\u202e\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xff\xc3(\xc0\xaf\xed\xa0\x80\xe2\x82", "\"\?\?(\?\?\?\?\?\?\?\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct text text = {0};
        size_t size;
        char *bytes;

        text_json(&text, pairs[i][0]);
        text_append(&text, "\0end", 5);
        bytes = text_take(&text, &size);
        assert_string_equal(bytes, pairs[i][1]);
        assert_int_equal(size, strlen(pairs[i][1]) + 5);
        assert_memory_equal(bytes + size - 4, "end", 4);
        free(bytes);
    }
}

/* No blank and no control character is left, and never more than is asked for. */
static void quoted(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},
        {"/x", "/x"},
        {"a b\tc", "a%20b%09c"},
        {"\r\nFORGED\x1b\x7f", "%0d%0aFORGED%1b%7f"},
        {"\xc2\x9b"
         "31m\xe2\x80\xaeX",
         "%c2%9b31m%e2%80%aeX"},
        {"caf\xc3\xa9 \"%\"", "caf\xc3\xa9%20\"%\""},
    };
    char blanks[TEXT_QUOTED_MAX + 10];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(text_quote(cases[i].bytes, strlen(cases[i].bytes)).text, cases[i].text);
    assert_string_equal(text_quote("abc", 2).text, "ab");
    assert_string_equal(text_quote(NULL, 0).text, "");
    memset(blanks, ' ', sizeof blanks);
    assert_int_equal(strlen(text_quote(blanks, sizeof blanks).text), 3 * TEXT_QUOTED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_of_json),
        cmocka_unit_test(base64),
        cmocka_unit_test(words_of_a_shell),
        cmocka_unit_test(all_of_it),
        cmocka_unit_test(pieces_of_any_length),
        cmocka_unit_test(or_none_of_it),
        cmocka_unit_test(quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
