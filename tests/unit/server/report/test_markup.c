/* Names from outside are never markup. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "report/markup.h"

static void expect(struct text *text, const char *expected)
{
    size_t size;
    char *bytes;

    text_append(text, "", 1);
    bytes = text_take(text, &size);
    assert_non_null(bytes);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static void names_are_escaped(void **state)
{
    struct text text = {0};

    (void)state;
    markup_print(&text, "<b title=\"%s\">%s</b>", "\"'><script>alert(1)</script>", "a&b ]]> <!--");
    expect(&text, "<b title=\"&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\">"
                  "a&amp;b ]]&gt; &lt;!--</b>");
    /* Lines, terminals' sequences, a turned direction (U+202E, U+2066), bytes that are no UTF-8. */
    markup_print(&text, "%s", "a\nb\033[1m\xe2\x80\xaegpj.exe\xe2\x81\xa6 \xff\xc3 \xe2\x82");
    expect(&text, "a?b?[1m?gpj.exe? ?? ??");
    markup_print(&text, "%s", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d caf\xc3\xa9 \xf0\x9f\x8d\xb5");
    expect(&text, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d caf\xc3\xa9 \xf0\x9f\x8d\xb5");
}

static void numbers(void **state)
{
    struct text text = {0};

    (void)state;
    markup_print(&text, "%u %zu %.1f %% %g %.3f%s", 7U, (size_t)8, 9.25, 0.5, (double)NAN, "");
    expect(&text, "7 8 9.2 % 0.5 –");
    markup_print(&text, "%.1f %g", (double)INFINITY, -(double)INFINITY);
    expect(&text, "– –");
    markup_print(&text, "100%%");
    expect(&text, "100%");
}

/* The end of a long one is what tells files apart; no character is cut in two. */
static void long_names(void **state)
{
    struct text text = {0};
    char name[2 * MARKUP_NAME_BYTES + 1];
    size_t size;
    char *bytes;

    (void)state;
    memset(name, 'x', sizeof name);
    memcpy(name + sizeof name - 5, ".jpg", 5);
    markup_print(&text, "%s", name);
    bytes = text_take(&text, &size);
    assert_int_equal(size, MARKUP_NAME_BYTES + strlen("…"));
    assert_memory_equal(bytes, "…xxx", strlen("…xxx"));
    assert_memory_equal(bytes + size - 4, ".jpg", 4);
    free(bytes);
    for (size_t i = 0; i + 1 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    for (size_t odd = 0; odd < 2; odd++) {
        strcpy(name + sizeof name - 5, odd ? "e" : ""); /* then the cut is within a character */
        markup_print(&text, "%s", name);
        bytes = text_take(&text, &size);
        assert_int_equal(size, MARKUP_NAME_BYTES - odd + strlen("…"));
        assert_null(memchr(bytes, '?', size));
        free(bytes);
    }
    markup_text(&text, name);
    assert_int_equal(text.size, strlen(name));
    free(text.bytes);
}

static void without_memory(void **state)
{
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct text text = {0};
        long before = fault_outstanding();

        fault_arm(n);
        for (unsigned i = 0; i < 3000; i++)
            markup_print(&text, "%s %u ", "<name>", i);
        fired = fault_disarm();
        assert_int_equal(text.failed, fired);
        free(text.bytes);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(numbers),
        cmocka_unit_test(long_names),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
