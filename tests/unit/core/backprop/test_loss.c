/* The loss and its gradient, against its slope in double and at the ends of the range. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backprop/loss.h"
#include "model_maker.h"

enum { CLASSES_MAX = 40 };

/* The targets of a label alone. */
static const float *only(uint32_t label)
{
    static float targets[CLASSES_MAX];

    memset(targets, 0, sizeof targets);
    targets[label] = 1;
    return targets;
}

/* -log of the soft-max at the label, as it reads. */
static double definition(const double *logits, size_t classes, size_t label)
{
    double sum = 0;

    for (size_t i = 0; i < classes; i++)
        sum += exp(logits[i]);
    return -log(exp(logits[label]) / sum);
}

static void agrees_with_its_definition(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t classes = 1; classes <= CLASSES_MAX; classes++) {
        double wide[CLASSES_MAX], loss, weight = 1.0 / (double)classes;
        float logits[CLASSES_MAX], grad[CLASSES_MAX];
        bool right, largest = true;
        uint32_t label;

        for (size_t i = 0; i < classes; i++) {
            logits[i] = (float)(10 * maker_random(&seed) - 5);
            wide[i] = (double)logits[i];
        }
        label = (uint32_t)(maker_random(&seed) * (double)classes);
        for (size_t i = 0; i < classes; i++)
            largest = largest && logits[i] <= logits[label];
        loss = vgg_loss(logits, classes, only(label), weight, grad);
        right = vgg_loss_right(logits, classes, label);
        assert_true(fabs(loss - definition(wide, classes, label)) < 1e-9);
        assert_int_equal(right, largest);
        for (size_t i = 0; i < classes; i++) {
            double above, kept = wide[i];

            wide[i] = kept + 1e-5;
            above = definition(wide, classes, label);
            wide[i] = kept - 1e-5;
            assert_true(fabs((double)grad[i] -
                             weight * (above - definition(wide, classes, label)) / 2e-5) < 1e-7);
            wide[i] = kept;
        }
    }
}

static void huge_logits_stay_finite(void **state)
{
    static const float logits[] = {FLT_MAX, -FLT_MAX, 0};
    static const float alike[] = {1e30F, 1e30F};
    float grad[3];

    (void)state;
    assert_true(vgg_loss(logits, 3, only(0), 1, grad) == 0);
    assert_true(grad[0] == 0 && grad[1] == 0 && grad[2] == 0);
    assert_true(vgg_loss_right(logits, 3, 0) && !vgg_loss_right(logits, 3, 1));
    assert_true(fabs(vgg_loss(logits, 3, only(1), 1, grad) / (2 * (double)FLT_MAX) - 1) < 1e-12);
    assert_true(grad[0] == 1 && grad[1] == -1 && grad[2] == 0);
    assert_true(fabs(vgg_loss(alike, 2, only(1), 1, grad) - log(2)) < 1e-12);
    assert_true(vgg_loss_right(alike, 2, 1) && grad[0] == 0.5F && grad[1] == -0.5F);
}

/* A label that shares the largest logit is right: no class has a larger one. */
static void ties_are_right(void **state)
{
    static const float logits[] = {1, 3, 3, 2};

    (void)state;
    for (uint32_t label = 0; label < 4; label++)
        assert_int_equal(vgg_loss_right(logits, 4, label), label == 1 || label == 2);
}

/* The gradient is of a sum that one logit cannot leave: it adds up to nothing. */
static void gradients_add_up_to_nothing(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (uint32_t label = 0; label < 10; label++) {
        float logits[10], grad[10];
        double sum = 0;

        for (size_t i = 0; i < 10; i++)
            logits[i] = (float)(100 * maker_random(&seed));
        (void)vgg_loss(logits, 10, only(label), 1, grad);
        for (size_t i = 0; i < 10; i++) {
            assert_true(i == label ? grad[i] <= 0 : grad[i] >= 0);
            sum += (double)grad[i];
        }
        assert_true(fabs(sum) < 1e-6);
    }
}

static void what_is_not_a_number_shows(void **state)
{
    static const float logits[] = {1, NAN, 2};
    float grad[3];

    (void)state;
    for (uint32_t label = 0; label < 3; label++) {
        assert_true(isnan(vgg_loss(logits, 3, only(label), 1, grad)));
        assert_false(vgg_loss_right(logits, 3, label));
    }
}

/* Of targets that are no label: the mean, by them, of the labels' losses and gradients. */
static void soft_targets_are_means_of_labels(void **state)
{
    enum { CLASSES = 7 };

    uint64_t seed = 9;
    float logits[CLASSES], targets[CLASSES], grad[CLASSES], of_label[CLASSES];
    double loss = 0, slopes[CLASSES] = {0}, rest = 1;

    (void)state;
    for (size_t i = 0; i < CLASSES; i++) {
        logits[i] = (float)(10 * maker_random(&seed) - 5);
        targets[i] = (float)(i + 1 < CLASSES ? rest * maker_random(&seed) : rest);
        rest -= (double)targets[i];
    }
    for (uint32_t label = 0; label < CLASSES; label++) {
        double part = (double)targets[label];

        loss += part * vgg_loss(logits, CLASSES, only(label), 3, of_label);
        for (size_t i = 0; i < CLASSES; i++)
            slopes[i] += part * (double)of_label[i];
    }
    assert_true(fabs(vgg_loss(logits, CLASSES, targets, 3, grad) - loss) < 1e-6);
    for (size_t i = 0; i < CLASSES; i++)
        assert_true(fabs((double)grad[i] - slopes[i]) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_its_definition),
        cmocka_unit_test(huge_logits_stay_finite),
        cmocka_unit_test(ties_are_right),
        cmocka_unit_test(gradients_add_up_to_nothing),
        cmocka_unit_test(what_is_not_a_number_shows),
        cmocka_unit_test(soft_targets_are_means_of_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
