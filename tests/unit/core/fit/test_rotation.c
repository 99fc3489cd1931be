/* A rotation keeps products of rows, and what a layer says of them. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/teams.h"
#include "fit/rotation.h"
#include "model_maker.h"

enum { PICTURES = 70, DIMS = 160, CLASSES = 3 };

static float rows[PICTURES * DIMS];

/* Of large mean, `free` independent ones; every other is an earlier one again. */
static struct vgg_fit_set make(size_t pictures, size_t dims, size_t free)
{
    uint64_t seed = 1;

    for (size_t i = 0; i < pictures; i++)
        for (size_t d = 0; d < dims; d++)
            rows[i * dims + d] =
                i < free ? (float)(40 + 10 * maker_random(&seed)) : rows[(i - free) * dims + d];
    return (struct vgg_fit_set){
        .rows = rows, .pictures = pictures, .views = 1, .dims = dims, .classes = CLASSES};
}

/* The product of two rows, centred and scaled. */
static double product(const struct vgg_fit_set *set, double scale, size_t i, size_t j)
{
    double sum = 0;

    for (size_t d = 0; d < set->dims; d++) {
        double mean = 0;

        for (size_t k = 0; k < set->pictures; k++)
            mean += (double)rows[k * set->dims + d] / (double)set->pictures;
        sum += ((double)rows[i * set->dims + d] - mean) * ((double)rows[j * set->dims + d] - mean);
    }
    return sum * scale * scale;
}

static void check_products(const struct vgg_fit_set *set, const struct vgg_rotation *rotation)
{
    double squares = 0;

    for (size_t i = 0; i < set->pictures; i++)
        for (size_t j = 0; j < 2; j++) {
            size_t other = j == 0 ? i : (7 * i) % set->pictures;
            double sum = 0;

            for (size_t d = 0; d < rotation->rank; d++)
                sum += (double)rotation->rows[i * rotation->rank + d] *
                       (double)rotation->rows[other * rotation->rank + d];
            assert_true(fabs(sum - product(set, rotation->scale, i, other)) < 1e-5);
            squares += j == 0 ? sum : 0;
        }
    assert_true(fabs(squares / (double)set->pictures - 1) < 1e-5);
}

/* Scores of the rows as given by the returned layer are those of the rotated rows by the layer. */
static void check_return(const struct vgg_fit_set *set, const struct vgg_rotation *rotation)
{
    double layer[CLASSES * (DIMS + 1)];
    float weights[CLASSES * DIMS], bias[CLASSES];
    uint64_t seed = 2;

    for (size_t i = 0; i < CLASSES * (rotation->rank + 1); i++)
        layer[i] = maker_random(&seed) - 0.5;
    vgg_rotation_return(rotation, CLASSES, layer, 2, weights, bias);
    for (size_t i = 0; i < set->pictures; i++)
        for (size_t c = 0; c < CLASSES; c++) {
            double want = layer[CLASSES * rotation->rank + c] / 2, got = (double)bias[c];

            for (size_t d = 0; d < rotation->rank; d++)
                want += layer[c * rotation->rank + d] *
                        (double)rotation->rows[i * rotation->rank + d] / 2;
            for (size_t d = 0; d < set->dims; d++)
                got += (double)weights[c * set->dims + d] * (double)rows[i * set->dims + d];
            assert_true(fabs(got - want) < 1e-4);
        }
}

static void nothing_is_lost(void **state)
{
    static const struct {
        size_t pictures, dims, free, rank;
    } cases[] = {
        {70, 160, 70, 69}, {70, 160, 40, 39}, {33, 66, 33, 32}, {1, 5, 1, 1},       {70, 160, 1, 1},
        {32, 65, 31, 30},  {2, 4, 2, 1},      {70, 20, 70, 20}, {64, 127, 64, 127},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vgg_fit_set set = make(cases[i].pictures, cases[i].dims, cases[i].free);
        struct vgg_rotation rotation, again;
        size_t numbers;

        for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
            struct vgg_fit_options options = {.team = teams[threads]};

            assert_int_equal(
                vgg_rotation_init(threads == 1 ? &rotation : &again, &set, &options, NULL), VGG_OK);
            numbers = set.pictures * rotation.rank;
            if (threads > 1) {
                assert_memory_equal(rotation.rows, again.rows, numbers * sizeof *again.rows);
                vgg_rotation_fini(&again);
            }
        }
        assert_int_equal(rotation.rank, cases[i].rank);
        if (cases[i].free > 1)
            check_products(&set, &rotation);
        check_return(&set, &rotation);
        vgg_rotation_fini(&rotation);
    }
}

static void what_is_not_finite_is_refused(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct vgg_fit_options options = {.team = teams[1]};
        struct vgg_fit_set set = make(PICTURES, DIMS, PICTURES);
        struct vgg_rotation rotation;
        struct vgg_error error = {0};

        rows[5 * DIMS + 7] = bad[i];
        assert_int_equal(vgg_rotation_init(&rotation, &set, &options, &error), VGG_BAD_ARGUMENT);
        assert_string_equal(error.text, "the features are not finite");
        vgg_rotation_fini(&rotation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(what_is_not_finite_is_refused),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
