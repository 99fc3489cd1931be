/* A minute of ten times the capacity; ten thousand requests among bad neighbours; every bomb. */
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

static void test_bombs(void **state)
{
    (void)state;
    chaos_bombs(4096, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_bombs),
    };

    return cmocka_run_group_tests_name("chaos", tests, work_setup, work_teardown);
}
