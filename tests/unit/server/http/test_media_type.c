/* Which Content-Type names which media type. */
#include "check.h"

#include "http/media_type.h"

static void names(void **state)
{
    static const struct {
        const char *content_type;
        bool json;
    } cases[] = {{"application/json", true},
                 {"Application/JSON", true},
                 {"application/json; charset=utf-8", true},
                 {"application/json;charset=utf-8", true},
                 {"application/json\t", true},
                 {"application/jsonl", false},
                 {"application/json-patch+json", false},
                 {"application/jso", false},
                 {" application/json", false},
                 {"", false},
                 {NULL, false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (media_type_is(cases[i].content_type, "application/json") != cases[i].json)
            fail_msg("%s", cases[i].content_type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};

    return cmocka_run_group_tests_name("media type", tests, NULL, NULL);
}
