/* Intervals of rates, against values worked out by another program. */
#include "check.h"

#include <math.h>

#include "fit/rates.h"

/* Values of R's prop.test(..., correct = FALSE) and of the formula's ends. */
static void intervals_are_wilsons(void **state)
{
    static const struct {
        size_t hits, n;
        double low, high;
    } cases[] = {
        {0, 10, 0, 0.277532799862889},
        {10, 10, 0.722467200137111, 1},
        {1, 2, 0.0945312057342307, 0.905468794265769},
        {30, 203, 0.10552083721478964, 0.20312840160167392},
        {5, 10, 0.236593090512564, 0.763406909487436},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double interval[2];

        vgg_binomial_interval(cases[i].hits, cases[i].n, interval);
        assert_true(fabs(interval[0] - cases[i].low) < 1e-9);
        assert_true(fabs(interval[1] - cases[i].high) < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_wilsons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
