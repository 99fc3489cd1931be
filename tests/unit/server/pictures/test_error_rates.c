/* Known posteriors give known error rates; random ones those of plain loops. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "model_maker.h"
#include "pictures/error_rates.h"

enum { SIX = 6, CLASSES_MAX = 9, SCALES = 3, PICTURES = 200 };

static void expect_wrong(const struct error_rates *rates, enum test_protocol protocol, bool mirrors,
                         size_t scale, size_t top1, size_t top5)
{
    assert_int_equal(rates->wrong[protocol][mirrors][scale].top1, top1);
    assert_int_equal(rates->wrong[protocol][mirrors][scale].top5, top5);
}

/* Two scales with mirrors, each of which leans elsewhere; class 5 is last everywhere. */
static void by_hand(void **state)
{
    static const float views[4][SIX] = {
        {0.6F, 0.4F, 0, 0, 0, 0}, /* alone: 0 */
        {0.1F, 0.9F, 0, 0, 0, 0}, /* with it: 1 */
        {0, 0, 0.3F, 0.7F, 0, 0}, /* alone: 3; with the first: 3 */
        {0, 0, 0.9F, 0.1F, 0, 0}, /* with it: 2 */
    };
    static const float answer[SIX] = {0.2F, 0.1F, 0.1F, 0.1F, 0.4F, 0.1F};
    const struct protocol_views dense[2] = {
        {.answer = answer, .views = {views[0], views[1], views[2], views[3]}, .n = 4}};
    /* Truth, then right (top-1) by: scale 0, 1, both; the same with mirrors. */
    static const bool right[SIX][6] = {
        {true, false, false, false, false, false}, {false, false, false, true, false, false},
        {false, false, false, false, true, false}, {false, true, true, false, false, false},
        {false, false, false, false, false, true}, {false}};

    (void)state;
    for (uint32_t truth = 0; truth < SIX; truth++) {
        struct error_rates rates;
        struct protocol_answer best;

        assert_true(error_rates_init(&rates, PROTOCOL_DENSE, SIX, 2, true));
        best = error_rates_add(&rates, truth, dense);
        assert_int_equal(best.class, 4);
        assert_true(best.score == 0.4F);
        for (size_t i = 0; i < 6; i++)
            expect_wrong(&rates, PROTOCOL_DENSE, i >= 3, i % 3, !right[truth][i], truth == 5);
        expect_wrong(&rates, PROTOCOL_CROPS, true, 2, 0, 0);
        expect_wrong(&rates, PROTOCOL_BOTH, true, 2, 0, 0);
        assert_int_equal(rates.pictures, 1);
        assert_int_equal(rates.class_pictures[truth], 1);
        assert_int_equal(rates.class_wrong[truth], truth != 4);
        assert_int_equal(rates.confusion[truth * SIX + 4], 1);
        error_rates_fini(&rates);
    }
}

static void ties_go_to_the_lower_index(void **state)
{
    static const float equal[SIX] = {0.25F, 0.25F, 0.25F, 0.25F, 0.25F, 0.25F};
    const struct protocol_views dense[2] = {{.answer = equal, .views = {equal}, .n = 1}};
    struct error_rates rates;

    (void)state;
    assert_true(error_rates_init(&rates, PROTOCOL_DENSE, SIX, 1, false));
    for (uint32_t truth = 0; truth < SIX; truth++)
        assert_int_equal(error_rates_add(&rates, truth, dense).class, 0);
    expect_wrong(&rates, PROTOCOL_DENSE, false, 0, 5, 1);
    expect_wrong(&rates, PROTOCOL_DENSE, false, 1, 5, 1);
    expect_wrong(&rates, PROTOCOL_DENSE, true, 1, 0, 0);
    for (uint32_t truth = 0; truth < SIX; truth++)
        assert_int_equal(rates.confusion[truth * SIX], 1);
    error_rates_fini(&rates);
}

static void one_class(void **state)
{
    static const float certain[1] = {1};
    const struct protocol_views crops[2] = {{.n = 0},
                                            {.answer = certain, .views = {certain}, .n = 1}};
    struct error_rates rates;

    (void)state;
    assert_true(error_rates_init(&rates, PROTOCOL_CROPS, 1, 1, false));
    assert_false(error_rates_has_top5(&rates));
    assert_int_equal(error_rates_add(&rates, 0, crops).class, 0);
    expect_wrong(&rates, PROTOCOL_CROPS, false, 1, 0, 0);
    assert_int_equal(rates.confusion[0], 1);
    error_rates_fini(&rates);
}

static void many_classes(void **state)
{
    struct error_rates rates;

    (void)state;
    assert_true(error_rates_init(&rates, PROTOCOL_DENSE, RATES_CONFUSION_MAX, 1, false));
    assert_non_null(rates.confusion);
    assert_true(error_rates_has_top5(&rates));
    error_rates_fini(&rates);
    assert_true(error_rates_init(&rates, PROTOCOL_DENSE, RATES_CONFUSION_MAX + 1, 1, false));
    assert_null(rates.confusion);
    error_rates_fini(&rates);
    assert_true(error_percent(1, 8) == 12.5);
}

/* ---------------------------------------------------------------- against plain loops -------- */

/* Posteriors of one protocol: [scale][position][mirror]. */
struct said {
    size_t positions;
    float views[SCALES * RATES_GRID * RATES_GRID * 2][CLASSES_MAX];
    float answer[CLASSES_MAX];
};

static void mean_of(const struct said *said, size_t begin, size_t end, bool mirrors, double *mean)
{
    size_t n = 0;

    memset(mean, 0, CLASSES_MAX * sizeof *mean);
    for (size_t scale = begin; scale < end; scale++)
        for (size_t position = 0; position < said->positions; position++)
            for (size_t mirror = 0; mirror < (mirrors ? 2 : 1); mirror++, n++)
                for (size_t c = 0; c < CLASSES_MAX; c++)
                    mean[c] +=
                        (double)said->views[(scale * said->positions + position) * 2 + mirror][c];
    for (size_t c = 0; c < CLASSES_MAX; c++)
        mean[c] /= (double)n;
}

static struct protocol_views say(struct said *said, size_t positions, uint64_t *seed)
{
    struct protocol_views views = {.answer = said->answer, .n = SCALES * positions * 2};
    double mean[CLASSES_MAX];

    said->positions = positions;
    for (size_t i = 0; i < views.n; i++) {
        for (size_t c = 0; c < CLASSES_MAX; c++)
            said->views[i][c] = (float)maker_random(seed);
        views.views[i] = said->views[i];
    }
    mean_of(said, 0, SCALES, true, mean);
    for (size_t c = 0; c < CLASSES_MAX; c++)
        said->answer[c] = (float)mean[c];
    return views;
}

static void count_plainly(const struct said said[2], uint32_t truth,
                          struct error_count wrong[PROTOCOLS][2][SCALES + 1])
{
    for (unsigned i = 0; i < PROTOCOLS * 2 * (SCALES + 1); i++) {
        size_t protocol = i / (2 * (SCALES + 1)), scale = i % (SCALES + 1), better = 0;
        size_t begin = scale == SCALES ? 0 : scale, end = scale == SCALES ? SCALES : scale + 1;
        bool mirrors = i / (SCALES + 1) % 2 == 1;
        double means[2][CLASSES_MAX], score[CLASSES_MAX];

        for (size_t p = 0; p < 2; p++)
            mean_of(&said[p], begin, end, mirrors, means[p]);
        for (size_t c = 0; c < CLASSES_MAX; c++)
            score[c] =
                protocol == PROTOCOL_BOTH ? (means[0][c] + means[1][c]) / 2 : means[protocol][c];
        for (size_t c = 0; c < CLASSES_MAX; c++)
            better += score[c] > score[truth];
        wrong[protocol][mirrors][scale].top1 += better > 0;
        wrong[protocol][mirrors][scale].top5 += better > 4;
    }
}

static void agrees_with_plain_loops(void **state)
{
    static struct said said[2];
    struct error_count wrong[PROTOCOLS][2][SCALES + 1] = {0};
    struct error_rates rates;
    uint64_t seed = 7;

    (void)state;
    assert_true(error_rates_init(&rates, PROTOCOL_BOTH, CLASSES_MAX, SCALES, true));
    for (unsigned i = 0; i < PICTURES; i++) {
        uint32_t truth = i % CLASSES_MAX;
        const struct protocol_views views[2] = {say(&said[0], 1, &seed),
                                                say(&said[1], i % 2 == 0 ? 25 : 3, &seed)};

        error_rates_add(&rates, truth, views);
        count_plainly(said, truth, wrong);
    }
    for (unsigned protocol = 0; protocol < PROTOCOLS; protocol++)
        for (unsigned mirrors = 0; mirrors < 2; mirrors++)
            for (size_t scale = 0; scale <= SCALES; scale++) {
                const struct error_count *expected = &wrong[protocol][mirrors][scale];

                assert_in_range(expected->top1, PICTURES / 2, PICTURES - 1);
                expect_wrong(&rates, protocol, mirrors == 1, scale, expected->top1, expected->top5);
            }
    error_rates_fini(&rates);
}

static void out_of_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = fault_available();

    (void)state;
    for (unsigned long n = 1; fired; n++) {
        struct error_rates rates;
        bool made;

        fault_arm(n);
        made = error_rates_init(&rates, PROTOCOL_BOTH, SIX, 1, true);
        fired = fault_disarm();
        assert_int_equal(made, !fired);
        if (made)
            error_rates_fini(&rates);
        assert_int_equal(fault_outstanding(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),       cmocka_unit_test(ties_go_to_the_lower_index),
        cmocka_unit_test(one_class),     cmocka_unit_test(many_classes),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(agrees_with_plain_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
