/* The area under a ROC curve and intervals of rates, against values worked out by hand. */
#include "check.h"

#include <math.h>

#include "fit/rates.h"
#include "model_maker.h"

static void assert_near(double is, double should)
{
    assert_true(fabs(is - should) < 1e-12);
}

static void small_cases_are_exact(void **state)
{
    double low[] = {3, 1, 2}, high[] = {6, 4, 5}, mixed[] = {2, 1, 3, 2}, one[] = {2};

    (void)state;
    assert_near(vgg_auroc(low, 3, high, 3), 1);
    assert_near(vgg_auroc(high, 3, low, 3), 0);
    assert_near(vgg_auroc(one, 1, one, 1), 0.5);
    assert_near(vgg_auroc(mixed, 4, one, 1), (1 + 0.5 + 0.5) / 4);
    assert_near(vgg_auroc(low, 3, mixed, 4), (0.5 + 1.5 + 1.5 + 2.5) / 12);
    assert_near(vgg_auroc(low, 3, (double[]){-INFINITY, INFINITY}, 2), 0.5);
}

static void pairs_are_counted(void **state)
{
    enum { LOW = 40, HIGH = 57, ROUNDS = 50 };
    uint64_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double low[LOW], high[HIGH], sum = 0;

        for (size_t i = 0; i < LOW; i++)
            low[i] = floor(10 * maker_random(&seed));
        for (size_t i = 0; i < HIGH; i++)
            high[i] = floor(12 * maker_random(&seed));
        for (size_t i = 0; i < LOW; i++)
            for (size_t j = 0; j < HIGH; j++)
                sum += (high[j] > low[i]) + 0.5 * (high[j] == low[i]);
        assert_near(vgg_auroc(low, LOW, high, HIGH), sum / (LOW * HIGH));
    }
}

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
        cmocka_unit_test(small_cases_are_exact),
        cmocka_unit_test(pairs_are_counted),
        cmocka_unit_test(intervals_are_wilsons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
