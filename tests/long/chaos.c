/* A minute of ten times the capacity; ten thousand requests among bad neighbours. */
#include "chaos.h"
#include "check.h"
#include "work.h"

static void test_overload(void **state)
{
    (void)state;
    chaos_overload(60);
}

static void test_mix(void **state)
{
    (void)state;
    chaos_mix(10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_mix),
    };

    return cmocka_run_group_tests_name("chaos", tests, work_setup, work_teardown);
}
