/* Distances, p and levels of small cases worked out by hand. */
#include "check.h"

#include <math.h>

#include "typicality/level.h"
#include "typicality/typicality.h"
#include "vgg_typicality.h"

static bool is_near(double value, double expected)
{
    return fabs(value - expected) < 1e-6;
}

static void distances(void **state)
{
    float transform[2 * 3] = {2, 0, 0, 0, 1, 1};
    float means[2 * 2] = {0, 0, 2, 1};
    const struct vgg_typicality typicality = {
        .features = 3, .dims = 2, .classes = 2, .transform = transform, .means = means};

    (void)state;
    /* (0.6, 0, 0.8) is (1.2, 0.8) transformed: 2.08 from the first mean, 0.68 from the second. */
    assert_true(is_near(vgg_typicality_distance(&typicality, (float[]){3, 0, 4}), 0.68));
    assert_true(is_near(vgg_typicality_distance(&typicality, (float[]){0, 0.5F, 0}), 1));
    assert_true(is_near(vgg_typicality_distance(&typicality, (float[]){0, 0, 0}), 0));
}

/* More features than are added side by side. */
static void long_rows(void **state)
{
    float transform[19], mean = 0, x[19];
    const struct vgg_typicality typicality = {
        .features = 19, .dims = 1, .classes = 1, .transform = transform, .means = &mean};

    (void)state;
    for (size_t i = 0; i < 19; i++) {
        transform[i] = (float)(1 + i);
        x[i] = 2;
    }
    /* 190 * 2 / (2 * sqrt(19)) */
    assert_true(is_near(vgg_typicality_distance(&typicality, x), 190 * 190 / 19.0));
}

static void p(void **state)
{
    float known[4] = {1, 2, 2, 5};
    const struct vgg_typicality typicality = {.known_n = 4, .distances = known};

    (void)state;
    assert_true(vgg_typicality_p(&typicality, 0) == 1);
    assert_true(vgg_typicality_p(&typicality, 1) == 1);
    assert_true(vgg_typicality_p(&typicality, 1.5) == 4 / 5.0);
    assert_true(vgg_typicality_p(&typicality, 2) == 4 / 5.0);
    assert_true(vgg_typicality_p(&typicality, 2.1) == 2 / 5.0);
    assert_true(vgg_typicality_p(&typicality, 5) == 2 / 5.0);
    assert_true(vgg_typicality_p(&typicality, 6) == 1 / 5.0);
    assert_true(vgg_typicality_p(&typicality, (double)INFINITY) == 1 / 5.0);
}

static void levels(void **state)
{
    const struct vgg_model_info none = {0};
    const struct vgg_model_info few = {.typicality = 24, .reject = 0.01};
    const struct vgg_model_info many = {.typicality = 999, .reject = 0.03};

    (void)state;
    assert_true(vgg_reject_level(&none, 0.05) == 0);
    assert_true(vgg_reject_level(&few, 0) == 2 / 25.0);
    assert_true(vgg_reject_level(&few, 0.05) == 2 / 25.0);
    assert_true(vgg_reject_level(&few, 0.1) == 0.1);
    assert_true(vgg_reject_level(&many, 0) == 0.03);
    assert_true(vgg_reject_level(&many, -1) == 0.03);
    assert_true(vgg_reject_level(&many, (double)NAN) == 0.03);
    assert_true(vgg_reject_level(&many, 0.0001) == 2 / 1000.0);
}

/* Of 999 known: levels of 2 to 50 thousandths. */
static void chosen_levels(void **state)
{
    static const double far[3] = {0.001, 0.001, 0.001}, near[2] = {0.4, 0.9};
    static const double some[5] = {0.001, 0.02, 0.0205, 0.049, 0.3};
    static const double at_the_end[2] = {0.001, 0.049};

    (void)state;
    assert_true(vgg_level_choose(far, 3, 999) == 2 / 1000.0);
    assert_true(vgg_level_choose(near, 2, 999) == 2 / 1000.0);
    assert_true(vgg_level_choose(some, 5, 999) == 50 / 1000.0);
    assert_true(vgg_level_choose(some, 4, 999) == 50 / 1000.0);
    assert_true(vgg_level_choose(some, 3, 999) == 21 / 1000.0);
    assert_true(vgg_level_choose(at_the_end, 2, 999) == 50 / 1000.0);
    assert_true(vgg_level_choose(at_the_end, 2, 20) == 2 / 21.0); /* above 0.05 */
    assert_true(vgg_level_caught(some, 5, 0.0205) == 2 / 5.0);
    assert_true(vgg_level_caught(some, 5, 1) == 1);
}

static void areas(void **state)
{
    double low[] = {3, 1, 2}, high[] = {9, 4}, same[] = {2, 2}, mixed[] = {2, 1};

    (void)state;
    assert_true(vgg_auroc(low, 3, high, 2) == 1);
    assert_true(vgg_auroc(high, 2, low, 3) == 0);
    assert_true(vgg_auroc(same, 2, same, 2) == 0.5);
    assert_true(vgg_auroc(mixed, 2, low, 3) == 4 / 6.0); /* 1 1 2 of 1, 2: 0.5 1.5 2 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances), cmocka_unit_test(long_rows),     cmocka_unit_test(p),
        cmocka_unit_test(levels),    cmocka_unit_test(chosen_levels), cmocka_unit_test(areas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
