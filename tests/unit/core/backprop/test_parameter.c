/* Descent with momentum and decay: the formula of parameter.h, value by value. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backprop/parameter.h"
#include "core/teams.h"
#include "fault.h"
#include "model_maker.h"

/* Random contents of all three arrays. */
static void make(struct vgg_parameter *parameter, uint64_t n, bool decays)
{
    uint64_t seed = n;

    assert_int_equal(vgg_parameter_init(parameter, "conv1_1", "weight",
                                        &(struct vgg_parameter_options){.n = n, .decays = decays},
                                        NULL),
                     VGG_OK);
    for (size_t i = 0; i < n; i++) {
        parameter->value[i] = (float)(2 * maker_random(&seed) - 1);
        parameter->velocity[i] = (float)(0.2 * maker_random(&seed) - 0.1);
        parameter->gradient[i] = (float)(2 * maker_random(&seed) - 1);
    }
}

static void begins_as_zeros(void **state)
{
    struct vgg_parameter parameter;

    (void)state;
    assert_int_equal(vgg_parameter_init(&parameter, "conv3_1", "gamma",
                                        &(struct vgg_parameter_options){.n = 70001}, NULL),
                     VGG_OK);
    assert_string_equal(parameter.name, "conv3_1.gamma");
    assert_false(parameter.decays);
    for (size_t i = 0; i < 70001; i++)
        assert_true(parameter.value[i] == 0 && parameter.velocity[i] == 0 &&
                    parameter.gradient[i] == 0);
    vgg_parameter_fini(&parameter);
    vgg_parameter_fini(&parameter);
}

static void check_descent(uint64_t n, bool decays, const struct vgg_descent *descent)
{
    struct vgg_parameter parameter, before;
    double decay = decays ? descent->decay : 0;

    make(&parameter, n, decays);
    make(&before, n, decays);
    for (unsigned step = 0; step < 3; step++) {
        vgg_parameter_descend(&parameter, teams[2], descent);
        for (size_t i = 0; i < n; i++) {
            double value = (double)before.value[i];
            double velocity = descent->momentum * (double)before.velocity[i] -
                              descent->rate * ((double)before.gradient[i] + decay * value);

            assert_true(fabs((double)parameter.velocity[i] - velocity) < 5e-7);
            assert_true(fabs((double)parameter.value[i] - value - velocity) < 5e-7);
        }
        assert_memory_equal(parameter.gradient, before.gradient, n * sizeof(float));
        memcpy(before.value, parameter.value, n * sizeof(float));
        memcpy(before.velocity, parameter.velocity, n * sizeof(float));
    }
    vgg_parameter_fini(&parameter);
    vgg_parameter_fini(&before);
}

static void descends_by_the_formula(void **state)
{
    static const struct vgg_descent descents[] = {
        {0.1, 0.9, 0.25}, {0.1, 0, 0}, {0.5, 0.9, 0}, {0, 0.5, 0.5}};
    static const uint64_t sizes[] = {1, 7, 32768, 70001};

    (void)state;
    for (size_t i = 0; i < 16; i++) {
        check_descent(sizes[i % 4], true, &descents[i / 4]);
        check_descent(sizes[i % 4], false, &descents[i / 4]);
    }
}

/* Down a bowl of known slope to its lowest point, 3, or a little below where weights decay. */
static void finds_the_lowest_point(void **state)
{
    const struct vgg_descent descent = {0.05, 0.9, 0.5};

    (void)state;
    for (unsigned decays = 0; decays < 2; decays++) {
        struct vgg_parameter parameter;

        make(&parameter, 5, decays != 0);
        for (unsigned step = 0; step < 500; step++) {
            for (size_t i = 0; i < 5; i++)
                parameter.gradient[i] = parameter.value[i] - 3;
            vgg_parameter_descend(&parameter, teams[1], &descent);
        }
        for (size_t i = 0; i < 5; i++)
            assert_true(fabs((double)parameter.value[i] - (decays != 0 ? 2 : 3)) < 1e-5);
        vgg_parameter_fini(&parameter);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    const struct vgg_descent descent = {0.1, 0.9, 5e-4};
    const uint64_t n = 200001;
    struct vgg_parameter alone;

    (void)state;
    make(&alone, n, true);
    vgg_parameter_descend(&alone, teams[1], &descent);
    for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
        struct vgg_parameter parameter;

        make(&parameter, n, true);
        vgg_parameter_descend(&parameter, teams[threads], &descent);
        assert_memory_equal(parameter.value, alone.value, n * sizeof(float));
        assert_memory_equal(parameter.velocity, alone.velocity, n * sizeof(float));
        vgg_parameter_fini(&parameter);
    }
    vgg_parameter_fini(&alone);
}

static void without_memory(void **state)
{
    long before = fault_outstanding();
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    for (unsigned long n = 1; fired; n++) {
        struct vgg_parameter parameter;
        enum vgg_status status;

        fault_arm(n);
        status = vgg_parameter_init(&parameter, "fc6", "bias",
                                    &(struct vgg_parameter_options){.n = 100}, NULL);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        vgg_parameter_fini(&parameter);
        assert_int_equal(fault_outstanding(), before);
        assert_true(n < 10);
    }
}

static void more_than_there_is(void **state)
{
    struct vgg_parameter parameter;
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(
        vgg_parameter_init(&parameter, "fc6", "weight",
                           &(struct vgg_parameter_options){.n = UINT64_MAX / 2, .decays = true},
                           &error),
        VGG_NO_MEMORY);
    assert_non_null(strstr(error.text, "fc6.weight"));
    vgg_parameter_fini(&parameter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_as_zeros),        cmocka_unit_test(descends_by_the_formula),
        cmocka_unit_test(finds_the_lowest_point), cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(without_memory),         cmocka_unit_test(more_than_there_is),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
