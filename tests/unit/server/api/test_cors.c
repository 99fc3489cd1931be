/* Lists of origins. */
#include "check.h"

#include <string.h>

#include "api/cors.h"

static void lists(void **state)
{
    static const char *const good[] = {"*",
                                       "https://a.example",
                                       "http://localhost:3000",
                                       "https://a.example,http://b.example:8443",
                                       "null",
                                       "http://[::1]:8080",
                                       "chrome-extension://abcdef"};
    static const char *const bad[] = {"",
                                      ",",
                                      "a.example",
                                      "https://",
                                      "https://a.example/",
                                      "https://a.example,",
                                      ",https://a.example",
                                      "://a",
                                      "https://a.example, https://b.example",
                                      "https://a/b",
                                      "https://a?b",
                                      "https://a#b",
                                      "https://u@a",
                                      "https://*.a",
                                      "*,https://a.example",
                                      "https://a.example,*",
                                      "https://a\nb"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(cors_check(good[i], NULL), VGG_OK);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct vgg_error error = {0};

        if (cors_check(bad[i], &error) != VGG_BAD_ARGUMENT)
            fail_msg("%s", bad[i]);
        assert_non_null(strstr(error.text, "--cors-origin"));
    }
}

static void origins(void **state)
{
    static const char list[] = "https://a.example,http://b.example:8443";

    (void)state;
    assert_true(cors_allows(list, "https://a.example"));
    assert_true(cors_allows(list, "HTTPS://A.example"));
    assert_true(cors_allows(list, "http://b.example:8443"));
    assert_false(cors_allows(list, NULL));
    assert_false(cors_allows(list, ""));
    assert_false(cors_allows(list, "http://a.example"));
    assert_false(cors_allows(list, "https://a.example:443"));
    assert_false(cors_allows(list, "https://a.exampl"));
    assert_false(cors_allows(list, "https://a.example.org"));
    assert_false(cors_allows(list, list));
    assert_false(cors_allows(list, "null"));
    assert_true(cors_allows("*", "null"));
    assert_true(cors_allows("*", "https://any.example"));
    assert_false(cors_allows("*", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(origins)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
