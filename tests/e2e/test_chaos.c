/* The chaos programs of check-long, for a few seconds. */
#include "chaos.h"
#include "check.h"
#include "work.h"

/* Under a sanitizer a few seconds are no load; the parts have tests of their own. */
static void skip_if_slow(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    skip();
#endif
}

static void test_overload(void **state)
{
    (void)state;
    skip_if_slow();
    chaos_overload(2);
}

static void test_mix(void **state)
{
    (void)state;
    skip_if_slow();
    chaos_mix(200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_mix),
    };

    return cmocka_run_group_tests_name("chaos", tests, work_setup, work_teardown);
}
