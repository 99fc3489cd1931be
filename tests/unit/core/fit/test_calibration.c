/* Temperatures that were planted, calibration that is known. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "core/teams.h"
#include "fit/calibration.h"

enum { PICTURES = 4000, VIEWS = 3, CLASSES = 4 };

static float rows[PICTURES * VIEWS * CLASSES];
static uint32_t labels[PICTURES];
static double posteriors[PICTURES * CLASSES];

/* Labels drawn from the served posterior of logits at a temperature of 1, then all times `factor`.
 */
static struct vgg_logits make(size_t views, double factor)
{
    struct vgg_logits logits = {
        .rows = rows, .pictures = PICTURES, .views = views, .classes = CLASSES, .labels = labels};
    struct vgg_random random;

    vgg_random_init(&random, 5);
    for (size_t i = 0; i < PICTURES; i++) {
        double own[CLASSES];

        for (size_t c = 0; c < CLASSES; c++)
            own[c] = 2 * vgg_random_normal(&random);
        for (size_t v = 0; v < views; v++)
            for (size_t c = 0; c < CLASSES; c++)
                rows[(i * views + v) * CLASSES + c] =
                    (float)(own[c] + 0.5 * vgg_random_normal(&random));
    }
    vgg_temperature_apply(&logits, 1, teams[1], posteriors);
    for (size_t i = 0; i < PICTURES; i++) {
        double left = vgg_random_uniform(&random);

        for (labels[i] = 0; labels[i] < CLASSES - 1; labels[i]++)
            if ((left -= posteriors[i * CLASSES + labels[i]]) < 0)
                break;
    }
    for (size_t i = 0; i < PICTURES * views * CLASSES; i++)
        rows[i] *= (float)factor;
    return logits;
}

static void posteriors_are_means_of_views(void **state)
{
    static const float two[] = {0, 0, 1000, 0};
    struct vgg_logits logits = {.rows = two, .pictures = 1, .views = 2, .classes = 2};
    double out[2];

    (void)state;
    vgg_temperature_apply(&logits, 3, teams[1], out);
    assert_true(fabs(out[0] - 0.75) < 1e-12 && fabs(out[1] - 0.25) < 1e-12);
    logits.views = 1;
    logits.rows = (const float[]){(float)log(16), 0};
    vgg_temperature_apply(&logits, 2, teams[1], out);
    assert_true(fabs(out[0] - 0.8) < 1e-6);
}

static void planted_temperatures_are_found(void **state)
{
    static const double factors[] = {0.2, 0.7, 1, 3, 10};

    (void)state;
    for (size_t views = 1; views <= VIEWS; views += VIEWS - 1)
        for (size_t i = 0; i < COUNT_OF(factors); i++) {
            struct vgg_logits logits = make(views, factors[i]);
            double found[THREADS_MAX + 1];

            for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
                assert_int_equal(
                    vgg_temperature_fit(&logits, teams[threads], &found[threads], NULL), VGG_OK);
                assert_true(found[threads] == found[1]);
            }
            assert_true(fabs(found[1] / factors[i] - 1) < 0.05);
        }
}

/* All right: no certainty, but what so many tell. All alike: the limit, and no search without end.
 */
static void extremes_have_bounds(void **state)
{
    enum { FEW = 20 };
    static const uint32_t wrong[FEW] = {0};
    struct vgg_logits logits = {
        .rows = rows, .pictures = FEW, .views = 1, .classes = 2, .labels = wrong};
    double temperature, out[FEW * 2];

    (void)state;
    for (size_t i = 0; i < FEW * 2; i++) {
        rows[2 * i] = 1;
        rows[2 * i + 1] = 0;
    }
    for (logits.views = 2; logits.views > 0; logits.views--) {
        assert_int_equal(vgg_temperature_fit(&logits, teams[1], &temperature, NULL), VGG_OK);
        vgg_temperature_apply(&logits, temperature, teams[1], out);
        assert_true(fabs(out[0] - (FEW + 1.0) / (FEW + 2)) < 1e-3);
    }
    logits.views = 1;
    for (size_t i = 0; i < FEW; i++)
        rows[2 * i + 1] = 2;
    assert_int_equal(vgg_temperature_fit(&logits, teams[1], &temperature, NULL), VGG_OK);
    assert_true(temperature > 18 && temperature <= 20.001);
}

static void calibrated_scores_err_by_their_noise(void **state)
{
    struct vgg_calibration right, sure;
    struct vgg_logits logits = make(1, 1);

    (void)state;
    vgg_temperature_apply(&logits, 1, teams[1], posteriors);
    right = vgg_calibration_of(posteriors, PICTURES, CLASSES, labels);
    assert_true(right.ece < 2 * right.noise && right.ece > right.noise / 2);
    vgg_temperature_apply(&logits, 0.3, teams[1], posteriors);
    sure = vgg_calibration_of(posteriors, PICTURES, CLASSES, labels);
    assert_true(sure.ece > 5 * sure.noise);
    assert_true(sure.nll > right.nll + 0.1);
    assert_true(sure.error == right.error);
}

static void small_cases_are_exact(void **state)
{
    static const double four[] = {0.9, 0.1, 0.9, 0.1, 0.3, 0.7, 0.5, 0.5};
    static const uint32_t truth[] = {0, 1, 1, 0};
    static const double weights[] = {1, 0, 3, 0};
    double many[200], certain[] = {1, 0};
    static const uint32_t zeros[100] = {0};
    struct vgg_calibration is = vgg_calibration_of(four, 4, 2, truth);

    (void)state;
    assert_true(fabs(is.error - 0.25) < 1e-12);
    assert_true(fabs(is.nll + (log(0.9) + log(0.1) + log(0.7) + log(0.5)) / 4) < 1e-12);
    assert_true(fabs(is.ece - (0.8 + 0.3 + 0.5) / 4) < 1e-12);
    assert_true(fabs(vgg_log_loss(four, 4, 2, truth, weights) + (log(0.9) + 3 * log(0.7)) / 4) <
                1e-12);
    for (size_t i = 0; i < 100; i++) {
        many[2 * i] = 0.8;
        many[2 * i + 1] = 0.2;
    }
    is = vgg_calibration_of(many, 100, 2, zeros);
    assert_true(fabs(is.noise - 0.0318) < 0.003); /* a binomial's mean distance from its mean */
    is = vgg_calibration_of(certain, 1, 2, zeros);
    assert_true(is.nll == 0 && is.ece == 0 && is.noise == 0 && is.error == 0);
    is = vgg_calibration_of(certain, 1, 2, (const uint32_t[]){1});
    assert_true(is.error == 1 && is.ece == 1 && fabs(is.nll + log(1e-30)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posteriors_are_means_of_views),
        cmocka_unit_test(planted_temperatures_are_found),
        cmocka_unit_test(extremes_have_bounds),
        cmocka_unit_test(calibrated_scores_err_by_their_noise),
        cmocka_unit_test(small_cases_are_exact),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
