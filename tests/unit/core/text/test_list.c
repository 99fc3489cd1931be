/* Names in a line. */
#include "check.h"

#include <string.h>

#include "text/list.h"

static void few(void **state)
{
    struct text_list list = {0};

    (void)state;
    assert_string_equal(text_list_end(&list), "");
    text_list_add(&list, "a");
    assert_string_equal(text_list_end(&list), "a");
    text_list_add(&list, "b c");
    assert_string_equal(text_list_end(&list), "a, b c");
}

/* The rest is counted, also short names behind one that did not fit; a long first one is cut. */
static void many(void **state)
{
    struct text_list list = {0}, one = {0};
    char name[1000];

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        text_list_add(&list, i == 20 ? "x" : "0123456789");
    assert_int_equal(list.n, 60);
    assert_in_range(list.named, 12, 20);
    assert_null(strchr(text_list_end(&list), 'x'));
    assert_non_null(strstr(list.text, "0123456789 and 4"));
    assert_string_equal(list.text + strlen(list.text) - 5, " more");
    memset(name, 'y', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    text_list_add(&one, name);
    text_list_add(&one, "z");
    assert_int_equal(one.named, 1);
    assert_non_null(strstr(text_list_end(&one), "yyy and 1 more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
