/* Last layers: that they are optimal, what they do not depend on, and what is chosen for them. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/teams.h"
#include "fault.h"
#include "fit/calibration.h"
#include "fit/fit.h"

enum { PICTURES_MAX = 400, NUMBERS = 60000 };

/* Pictures of classes in turn: class centres, plus what is the picture's, plus what is the view's.
 */
struct made {
    struct vgg_fit_set set;
    float rows[NUMBERS];
    uint32_t labels[PICTURES_MAX], folds[PICTURES_MAX];
    double weights[PICTURES_MAX];
};

static void make(struct made *made, size_t pictures, size_t views, size_t dims, uint32_t classes,
                 double apart)
{
    struct vgg_random random;

    assert_true(pictures <= PICTURES_MAX && pictures * views * dims <= NUMBERS);
    vgg_random_init(&random, 7);
    for (size_t i = 0; i < pictures; i++) {
        made->labels[i] = (uint32_t)(i % classes);
        made->folds[i] = (uint32_t)(i / classes % 4);
        made->weights[i] = 1;
        for (size_t d = 0; d < dims; d++) {
            double own = vgg_random_normal(&random) + (d % classes == i % classes ? apart : 0);

            for (size_t v = 0; v < views; v++)
                made->rows[(i * views + v) * dims + d] =
                    (float)(own + 0.3 * vgg_random_normal(&random));
        }
    }
    made->set = (struct vgg_fit_set){.rows = made->rows,
                                     .pictures = pictures,
                                     .views = views,
                                     .dims = dims,
                                     .labels = made->labels,
                                     .classes = classes,
                                     .weights = made->weights};
}

static struct made first, second;

static struct vgg_fit_head fit(const struct made *made, double strength, bool folds,
                               unsigned threads)
{
    struct vgg_fit_options options = {.team = teams[threads],
                                      .folds = folds ? made->folds : NULL,
                                      .folds_n = 4,
                                      .strength = strength};
    struct vgg_fit_head head;

    assert_int_equal(vgg_fit_head(&made->set, &options, &head, NULL), VGG_OK);
    return head;
}

/* posterior[classes] of one row. */
static void posterior_of(const struct vgg_fit_set *set, const struct vgg_fit_head *head,
                         const float *row, double *posterior)
{
    double sum = 0;

    for (size_t c = 0; c < set->classes; c++) {
        posterior[c] = (double)head->bias[c];
        for (size_t d = 0; d < set->dims; d++)
            posterior[c] += (double)head->weights[c * set->dims + d] * (double)row[d];
        posterior[c] = exp(posterior[c]);
        sum += posterior[c];
    }
    for (size_t c = 0; c < set->classes; c++)
        posterior[c] /= sum;
}

static double squared_length(const struct vgg_fit_set *set)
{
    size_t n = set->pictures * set->views;
    double sum = 0;

    for (size_t d = 0; d < set->dims; d++) {
        double mean = 0;

        for (size_t i = 0; i < n; i++)
            mean += (double)set->rows[i * set->dims + d] / (double)n;
        for (size_t i = 0; i < n; i++)
            sum += pow((double)set->rows[i * set->dims + d] - mean, 2) / (double)n;
    }
    return sum;
}

/*
 * The gradient of the objective as fit.h has it, for rows as given: the penalty of W is then
 * strength / 2 * |W|^2 * mean squared length. Its length, relative to the penalty's.
 */
static double gradient_of(const struct vgg_fit_set *set, const struct vgg_fit_head *head)
{
    double penalty = head->strength * squared_length(set), total = 0, squares = 0, own = 0;

    for (size_t i = 0; i < set->pictures; i++)
        total += set->weights[i];
    for (size_t c = 0; c < set->classes; c++)
        for (size_t d = 0; d <= set->dims; d++) { /* at last, of the bias */
            double w = d < set->dims ? (double)head->weights[c * set->dims + d] : 0;
            double gradient = penalty * w, posterior[8];

            for (size_t i = 0; i < set->pictures * set->views; i++) {
                const float *row = set->rows + i * set->dims;

                posterior_of(set, head, row, posterior);
                gradient += set->weights[i / set->views] / total / (double)set->views *
                            (posterior[c] - (set->labels[i / set->views] == c)) *
                            (d < set->dims ? (double)row[d] : 1);
            }
            squares += gradient * gradient;
            own += penalty * w * penalty * w;
        }
    return sqrt(squares / own);
}

static void layers_are_optimal(void **state)
{
    static const struct {
        size_t pictures, views, dims;
        uint32_t classes;
        double strength;
    } cases[] = {
        {60, 1, 8, 2, 1e-2},  {60, 2, 10, 3, 1e-4}, {40, 1, 90, 3, 1e-2},
        {12, 2, 64, 4, 1e-4}, {90, 3, 6, 5, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_fit_head head;

        make(&first, cases[i].pictures, cases[i].views, cases[i].dims, cases[i].classes, 0.7);
        for (size_t k = 0; k < cases[i].pictures; k++)
            first.weights[k] = (double)(1 + k % 3);
        head = fit(&first, cases[i].strength, false, 2);
        assert_true(gradient_of(&first.set, &head) < 1e-3);
        assert_true(head.posteriors == NULL && head.temperature == 0);
        vgg_fit_head_fini(&head);
    }
}

static void a_given_temperature_is_folded_in(void **state)
{
    struct vgg_fit_options options = {.team = teams[2], .strength = 1e-3};
    struct vgg_fit_head plain, cool;

    (void)state;
    make(&first, 60, 2, 10, 3, 0.7);
    assert_int_equal(vgg_fit_head(&first.set, &options, &plain, NULL), VGG_OK);
    options.temperature = 2;
    assert_int_equal(vgg_fit_head(&first.set, &options, &cool, NULL), VGG_OK);
    for (size_t i = 0; i < 3 * 10; i++)
        assert_true(fabs(2 * (double)cool.weights[i] - (double)plain.weights[i]) <=
                    1e-6 * fabs((double)plain.weights[i]));
    for (size_t c = 0; c < 3; c++)
        assert_true(fabs(2 * (double)cool.bias[c] - (double)plain.bias[c]) <=
                    1e-6 * fabs((double)plain.bias[c]));
    vgg_fit_head_fini(&plain);
    vgg_fit_head_fini(&cool);
}

/* Two rows, +1 and -1, of one class each: the slope of log(1 + exp(-2 w)) + strength w^2. */
static void a_known_optimum(void **state)
{
    static const float rows[] = {1, -1};
    static const uint32_t labels[] = {0, 1};
    struct vgg_fit_set set = {
        .rows = rows, .pictures = 2, .views = 1, .dims = 1, .labels = labels, .classes = 2};

    (void)state;
    for (int power = 0; power > -6; power--) {
        const double strength = pow(10, power);
        struct vgg_fit_options options = {.team = teams[1], .strength = strength};
        struct vgg_fit_head head;
        double w;

        assert_int_equal(vgg_fit_head(&set, &options, &head, NULL), VGG_OK);
        w = (double)head.weights[0];
        assert_true(fabs((double)head.weights[1] + w) < 1e-5 * w);
        assert_true(fabs((double)head.bias[0] - (double)head.bias[1]) < 1e-5);
        assert_true(fabs(strength * w * (1 + exp(2 * w)) - 1) < 1e-3);
        vgg_fit_head_fini(&head);
    }
}

static double difference(const struct vgg_fit_set *set, const struct vgg_fit_head *a,
                         const struct vgg_fit_set *other, const struct vgg_fit_head *b)
{
    double most = 0;

    for (size_t i = 0; i < set->pictures; i++) {
        double one[8], two[8];

        posterior_of(set, a, set->rows + i * set->views * set->dims, one);
        posterior_of(other, b, other->rows + i * other->views * other->dims, two);
        for (size_t c = 0; c < set->classes; c++)
            most = fmax(most, fabs(one[c] - two[c]));
    }
    return most;
}

/* Threads change no bit of anything. */
static void threads_do_not_matter(void **state)
{
    static const size_t dims[] = {30, 250}; /* as they are; rotated */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dims); i++) {
        struct vgg_fit_head one;

        make(&first, 100 / (i + 1), 2, dims[i], 5, 0.5);
        one = fit(&first, 0, true, 1);
        for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
            struct vgg_fit_head head = fit(&first, 0, true, threads);

            assert_memory_equal(one.weights, head.weights, 5 * dims[i] * sizeof *one.weights);
            assert_memory_equal(one.bias, head.bias, 5 * sizeof *one.bias);
            assert_memory_equal(one.posteriors, head.posteriors,
                                first.set.pictures * 5 * sizeof *one.posteriors);
            assert_true(one.temperature == head.temperature && one.passes == head.passes);
            vgg_fit_head_fini(&head);
        }
        vgg_fit_head_fini(&one);
    }
}

/* Another unit and origin, and dimensions that are 0, so that rows are rotated: the same layer. */
static void neither_do_scale_and_rotation(void **state)
{
    struct vgg_fit_head one, two;

    (void)state;
    make(&first, 60, 1, 20, 3, 0.5);
    make(&second, 60, 1, 130, 3, 0);
    for (size_t i = 0; i < 60; i++)
        for (size_t d = 0; d < 130; d++)
            second.rows[i * 130 + d] = d < 20 ? 1000 * first.rows[i * 20 + d] + 4000 : 0;
    for (unsigned round = 0; round < 2; round++) {
        one = fit(&first, round == 0 ? 1e-3 : 0, true, 1);
        two = fit(&second, round == 0 ? 1e-3 : 0, true, 1);
        assert_true(one.strength == two.strength);
        assert_true(difference(&first.set, &one, &second.set, &two) < 1e-3);
        for (size_t i = 0; i < 60 * 3; i++)
            assert_true(fabs(one.posteriors[i] - two.posteriors[i]) < 1e-2);
        vgg_fit_head_fini(&one);
        vgg_fit_head_fini(&two);
    }
}

/* Each picture twice, or of double weight where others have none. */
static void duplicates_are_weights(void **state)
{
    struct vgg_fit_head one, two;

    (void)state;
    make(&first, 50, 1, 12, 2, 0.5);
    make(&second, 100, 1, 12, 2, 0);
    for (size_t i = 0; i < 100; i++) {
        memcpy(second.rows + i * 12, first.rows + i / 2 * 12, 12 * sizeof *first.rows);
        second.labels[i] = first.labels[i / 2];
    }
    one = fit(&first, 1e-3, false, 1);
    two = fit(&second, 1e-3, false, 1);
    for (size_t i = 0; i < 2 * 12; i++)
        assert_true(fabs((double)one.weights[i] - (double)two.weights[i]) < 1e-4);
    vgg_fit_head_fini(&two);
    for (size_t i = 0; i < 100; i++)
        second.weights[i] = i % 2 == 0 ? 2.5 : 0;
    two = fit(&second, 1e-3, false, 1);
    for (size_t i = 0; i < 2 * 12; i++)
        assert_true(fabs((double)one.weights[i] - (double)two.weights[i]) < 1e-4);
    vgg_fit_head_fini(&one);
    vgg_fit_head_fini(&two);
}

/* What says nothing gives the classes' shares; by weights, equal ones. */
static void constant_features_give_shares(void **state)
{
    static const size_t dims[] = {3, 200};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(dims); k++)
        for (unsigned balanced = 0; balanced < 2; balanced++) {
            struct vgg_fit_head head;
            double posterior[8];

            make(&first, 80, 1, dims[k], 2, 0);
            for (size_t i = 0; i < 80; i++) {
                first.labels[i] = i % 8 == 0;
                first.weights[i] = balanced == 0 ? 1 : i % 8 == 0 ? 7 : 1;
                for (size_t d = 0; d < dims[k]; d++)
                    first.rows[i * dims[k] + d] = 25;
            }
            head = fit(&first, 0, true, 1);
            for (size_t i = 0; i < 2 * dims[k]; i++)
                assert_true(head.weights[i] == 0);
            for (size_t c = 0; c < 2; c++)
                head.bias[c] *= (float)head.temperature;
            posterior_of(&first.set, &head, first.rows, posterior);
            assert_true(fabs(posterior[1] - (balanced == 0 ? 0.125 : 0.5)) < 1e-4);
            vgg_fit_head_fini(&head);
        }
}

static void separable_pictures_stay_finite(void **state)
{
    struct vgg_fit_head head;

    (void)state;
    make(&first, 60, 2, 20, 3, 8);
    head = fit(&first, 0, true, 2);
    assert_true(head.error == 0);
    assert_true(head.temperature > 0.06 && head.temperature <= 1); /* no bound of the search */
    assert_true(head.nll[1] <= head.nll[0]);
    for (size_t i = 0; i < 60 * 3; i++)
        assert_true(head.posteriors[i] >= 0 && head.posteriors[i] <= 1);
    for (size_t i = 0; i < 3 * 20; i++)
        assert_true(isfinite(head.weights[i]));
    vgg_fit_head_fini(&head);
}

/* Labels by chance: in dimensions enough any layer learns them, and left-out posteriors tell. */
static void left_out_is_left_out(void **state)
{
    struct vgg_fit_head head;
    struct vgg_calibration is;

    (void)state;
    make(&first, 200, 1, 250, 4, 0);
    head = fit(&first, 1e-4, true, 2);
    assert_true(head.error > 0.6);
    assert_true(head.nll[1] < head.nll[0] && head.temperature > 1.5);
    is = vgg_calibration_of(head.posteriors, 200, 4, first.labels);
    assert_true(is.nll == head.nll[1] && is.ece == head.ece[1] && is.error == head.error);
    vgg_fit_head_fini(&head);
}

/* No strength of the path is better by more than what is forgone for a plateau. */
static void the_strength_is_the_best(void **state)
{
    struct vgg_fit_head head;

    (void)state;
    make(&first, 120, 2, 40, 3, 0.25);
    head = fit(&first, 0, true, 2);
    assert_true(head.strength < 1 && head.strength > 1e-7);
    for (int i = 0; i <= 8; i++) {
        struct vgg_fit_head other = fit(&first, pow(10, -i / 2.0), true, 2);

        assert_true(head.nll[0] < 1.02 * other.nll[0]);
        vgg_fit_head_fini(&other);
    }
    vgg_fit_head_fini(&head);
}

/* What is said of validation pictures is what the layer that is served says. */
static void validation_is_as_served(void **state)
{
    static const size_t dims[] = {25, 180};

    (void)state;
    for (size_t k = 0; k < COUNT_OF(dims); k++) {
        struct vgg_fit_options options = {.team = teams[2], .validation = &second.set};
        struct vgg_fit_head head;

        make(&second, 150, 2, dims[k], 3, 0.8);
        make(&first, 40, 2, dims[k], 3, 0.8);
        memmove(second.rows, second.rows + 80 * dims[k], 70 * 2 * dims[k] * sizeof *second.rows);
        second.set.pictures = 70;
        for (size_t i = 0; i < 70; i++)
            second.labels[i] = (uint32_t)((i + 40) % 3);
        assert_int_equal(vgg_fit_head(&first.set, &options, &head, NULL), VGG_OK);
        for (size_t i = 0; i < 70; i++) {
            double one[8], two[8];

            posterior_of(&second.set, &head, second.rows + 2 * i * dims[k], one);
            posterior_of(&second.set, &head, second.rows + (2 * i + 1) * dims[k], two);
            for (size_t c = 0; c < 3; c++)
                assert_true(fabs((one[c] + two[c]) / 2 - head.posteriors[i * 3 + c]) < 1e-3);
        }
        assert_true(head.error < 0.5);
        vgg_fit_head_fini(&head);
    }
}

/* Two pictures a class, each the other's validation; a fold that holds all of a class. */
static void few_are_enough(void **state)
{
    struct vgg_fit_head head;

    (void)state;
    make(&first, 4, 3, 30, 2, 2);
    head = fit(&first, 0, true, 3);
    assert_true(head.error == 0);
    vgg_fit_head_fini(&head);
    make(&first, 40, 1, 10, 4, 1);
    for (size_t i = 0; i < 40; i++)
        first.folds[i] = i % 4 == 3 ? 0 : (uint32_t)(i / 4 % 4);
    head = fit(&first, 0, true, 1);
    assert_true(head.error >= 0.25 && head.error < 0.7);
    assert_true(isfinite(head.nll[0]));
    vgg_fit_head_fini(&head);
}

static bool after_some(void *user)
{
    unsigned *left = user;

    return (*left)-- == 0;
}

static void it_can_be_stopped(void **state)
{
    static const unsigned calls[] = {0, 1, 5, 40};

    (void)state;
    make(&first, 30, 2, 130, 3, 1);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        unsigned left = calls[i];
        struct vgg_fit_options options = {.team = teams[2],
                                          .folds = first.folds,
                                          .folds_n = 4,
                                          .stop = after_some,
                                          .user = &left};
        struct vgg_fit_head head;
        struct vgg_error error = {0};

        assert_int_equal(vgg_fit_head(&first.set, &options, &head, &error), VGG_CANCELLED);
        assert_true(head.weights == NULL && head.posteriors == NULL);
        assert_int_equal(error.status, VGG_CANCELLED);
    }
}

static void without_memory_it_says_so(void **state)
{
    bool fired = fault_available();

    (void)state;
    if (!fired)
        skip();
    make(&first, 12, 1, 40, 2, 1);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_fit_options options = {
            .team = teams[1], .folds = first.folds, .folds_n = 4, .strength = 0.1};
        long outstanding = fault_outstanding();
        struct vgg_error error = {0};
        struct vgg_fit_head head;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_fit_head(&first.set, &options, &head, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(error.status, status);
        vgg_fit_head_fini(&head);
        assert_int_equal(fault_outstanding(), outstanding);
    }
}

/* But for what malloc adds to each; no array is so large that it has huge pages. */
static void it_takes_no_more_than_predicted(void **state)
{
    enum { MALLOC_BYTES = 4096 };
    static const struct {
        size_t pictures, views, dims;
        uint32_t classes;
        bool folds;
    } cases[] = {{40, 2, 30, 4, true},   {8, 1, 3000, 2, true}, {8, 1, 3000, 2, false},
                 {50, 2, 400, 5, false}, {33, 1, 500, 3, true}, {60, 2, 100, 20, false}};

    (void)state;
    if (!fault_available())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_fit_options options = {.team = teams[1]};
        struct vgg_fit_head head;

        make(&first, cases[i].pictures, cases[i].views, cases[i].dims, cases[i].classes, 1);
        make(&second, cases[i].pictures, cases[i].views, cases[i].dims, cases[i].classes, 1);
        if (cases[i].folds) {
            options.folds = first.folds;
            options.folds_n = 4;
        } else
            options.validation = &second.set;
        fault_measure();
        assert_int_equal(vgg_fit_head(&first.set, &options, &head, NULL), VGG_OK);
        if (fault_measured() > vgg_fit_bytes(&first.set, &options) + MALLOC_BYTES)
            fail_msg("case %zu: %zu bytes", i, fault_measured());
        vgg_fit_head_fini(&head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_optimal),
        cmocka_unit_test(a_given_temperature_is_folded_in),
        cmocka_unit_test(a_known_optimum),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(neither_do_scale_and_rotation),
        cmocka_unit_test(duplicates_are_weights),
        cmocka_unit_test(constant_features_give_shares),
        cmocka_unit_test(separable_pictures_stay_finite),
        cmocka_unit_test(left_out_is_left_out),
        cmocka_unit_test(the_strength_is_the_best),
        cmocka_unit_test(validation_is_as_served),
        cmocka_unit_test(few_are_enough),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(without_memory_it_says_so),
        cmocka_unit_test(it_takes_no_more_than_predicted),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
