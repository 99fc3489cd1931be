/* Soft-max and mean against the oracle's, top-k against a sort. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/posterior.h"
#include "model_maker.h"
#include "oracle.h"

enum { CLASSES_MAX = 1000 };

static void softmax_agrees_with_the_oracle(void **state)
{
    static const double scales[] = {1e-6, 1, 30, 700, 1e5, 1e300};
    double logits[CLASSES_MAX], expected[CLASSES_MAX];
    uint64_t seed = 1;

    (void)state;
    for (size_t s = 0; s < COUNT_OF(scales); s++)
        for (size_t n = 1; n <= CLASSES_MAX; n = n * 3 + 1) {
            double sum = 0;

            for (size_t i = 0; i < n; i++)
                logits[i] = scales[s] * (2 * maker_random(&seed) - 1);
            oracle_softmax(logits, n, expected);
            assert_true(vgg_softmax(logits, n));
            for (size_t i = 0; i < n; i++) {
                assert_true(fabs(logits[i] - expected[i]) <= 1e-15);
                sum += logits[i];
            }
            assert_true(fabs(sum - 1) < 1e-12);
        }
}

static void softmax_by_hand(void **state)
{
    double logits[3] = {0, log(2), log(5)}, same[4] = {-1e9, -1e9, -1e9, -1e9};

    (void)state;
    assert_true(vgg_softmax(logits, 3));
    assert_true(fabs(logits[0] - 0.125) < 1e-15);
    assert_true(fabs(logits[1] - 0.25) < 1e-15);
    assert_true(fabs(logits[2] - 0.625) < 1e-15);
    assert_true(vgg_softmax(same, 4));
    for (size_t i = 0; i < 4; i++)
        assert_true(same[i] == 0.25);
}

static void softmax_tells_what_is_not_finite(void **state)
{
    static const double bad[] = {(double)NAN, (double)INFINITY};

    (void)state;
    for (size_t b = 0; b < 2; b++)
        for (size_t place = 0; place < 5; place++) {
            double logits[5] = {1, 2, 3, 4, 5};

            logits[place] = bad[b];
            assert_false(vgg_softmax(logits, 5));
        }
    for (size_t n = 1; n < 4; n++) {
        double logits[4] = {-(double)INFINITY, -(double)INFINITY, -(double)INFINITY};

        assert_false(vgg_softmax(logits, n));
    }
}

static void mean_is_rounded_once(void **state)
{
    enum { ROWS = 16, N = 37 };
    double rows[ROWS * N];
    float out[N + 1];
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < ROWS * N; i++)
        rows[i] = maker_random(&seed);
    for (size_t count = 1; count <= ROWS; count++) {
        out[N] = 77;
        vgg_mean_rows(rows, NULL, count, N, out);
        for (size_t i = 0; i < N; i++) {
            double sum = 0;

            for (size_t row = 0; row < count; row++)
                sum += rows[row * N + i];
            assert_true(out[i] == (float)(sum / (double)count));
        }
        assert_true(out[N] == 77);
    }
}

/* ---------------------------------------------------------------- top-k ---------------------- */

static const float *sorted_by;

static int best_first(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    if (sorted_by[first] != sorted_by[second])
        return sorted_by[first] > sorted_by[second] ? -1 : 1;
    return first < second ? -1 : 1;
}

/* Every k: the beginning of the sorted order, and not an element more is written. */
static void check_top(const float *posterior, uint32_t classes, size_t step)
{
    uint32_t order[CLASSES_MAX], top[CLASSES_MAX + 1];

    for (uint32_t i = 0; i < classes; i++)
        order[i] = i;
    sorted_by = posterior;
    qsort(order, classes, sizeof *order, best_first);
    for (size_t k = 0; k <= classes + 2; k += step) {
        size_t kept = k < classes ? k : classes;

        memset(top, 0xEE, sizeof top);
        assert_int_equal(vgg_top_k(posterior, classes, k, top), kept);
        assert_memory_equal(top, order, kept * sizeof *top);
        assert_int_equal(top[kept], 0xEEEEEEEE);
        if (k < classes)
            assert_int_equal(vgg_class_rank(posterior, classes, order[k]), k);
    }
}

static void top_k_is_the_start_of_a_sort(void **state)
{
    float posterior[CLASSES_MAX];
    uint64_t seed = 9;

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        uint32_t classes = 1 + (uint32_t)(maker_random(&seed) * 60);
        /* Few different values: many ties. */
        double levels = round % 4 == 0 ? 1e9 : 1 + round % 7;

        for (uint32_t i = 0; i < classes; i++)
            posterior[i] = (float)(floor(maker_random(&seed) * levels) / levels);
        check_top(posterior, classes, 1);
    }
}

static void top_k_of_a_thousand(void **state)
{
    float posterior[CLASSES_MAX];
    uint64_t seed = 10;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < CLASSES_MAX; i++)
            posterior[i] = round == 0   ? (float)maker_random(&seed)
                           : round == 1 ? (float)(i % 10)
                                        : (float)i;
        check_top(posterior, CLASSES_MAX, 13);
        check_top(posterior, CLASSES_MAX, CLASSES_MAX + 2);
    }
}

static void ties_go_to_the_lower_index(void **state)
{
    static const float posterior[6] = {0.1F, 0.3F, 0.1F, 0.3F, 0.1F, 0.1F};
    uint32_t top[6];

    (void)state;
    assert_int_equal(vgg_top_k(posterior, 6, 4, top), 4);
    assert_int_equal(top[0], 1);
    assert_int_equal(top[1], 3);
    assert_int_equal(top[2], 0);
    assert_int_equal(top[3], 2);
    assert_int_equal(vgg_top_k(posterior, 6, SIZE_MAX, top), 6);
    assert_int_equal(top[5], 5);
    assert_int_equal(vgg_top_k(posterior, 6, 0, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_agrees_with_the_oracle),   cmocka_unit_test(softmax_by_hand),
        cmocka_unit_test(softmax_tells_what_is_not_finite), cmocka_unit_test(mean_is_rounded_once),
        cmocka_unit_test(top_k_is_the_start_of_a_sort),     cmocka_unit_test(top_k_of_a_thousand),
        cmocka_unit_test(ties_go_to_the_lower_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
