/* Whose form an answer has. */
#include "api/respond.h"
#include "check.h"

static void whose_errors(void **state)
{
    (void)state;
    assert_true(respond_in_v2("/v2"));
    assert_true(respond_in_v2("/v2/"));
    assert_true(respond_in_v2("/v2/any"));
    assert_false(respond_in_v2("/v20"));
    assert_false(respond_in_v2("/"));
    assert_false(respond_in_v2("/classify/v2/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whose_errors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
