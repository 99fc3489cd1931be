/* Test scales. */
#include "check.h"

#include <string.h>

#include "vgg.h"

static void scales_are_sorted_and_distinct(void **state)
{
    static const struct {
        uint32_t scales[8];
        size_t n;
        uint32_t expected[8];
        size_t kept;
    } cases[] = {
        {{256, 384, 512}, 3, {256, 384, 512}, 3},
        {{512, 256, 384}, 3, {256, 384, 512}, 3},
        {{256, 256, 256}, 3, {256}, 1},
        {{2, 1, 2, 1, 3, 3, 2, 1}, 8, {1, 2, 3}, 3},
        {{4294967295, 0, 2147483648, 2147483647}, 4, {0, 2147483647, 2147483648, 4294967295}, 4},
        {{5}, 1, {5}, 1},
        {{5}, 0, {5}, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t scales[8];

        memcpy(scales, cases[i].scales, sizeof scales);
        assert_int_equal(vgg_scales_normalise(scales, cases[i].n), cases[i].kept);
        assert_memory_equal(scales, cases[i].expected, cases[i].kept * sizeof *scales);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_are_sorted_and_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
