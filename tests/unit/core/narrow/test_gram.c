/* Least squares against what the rows were made of; the choice of channels. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/teams.h"
#include "model_maker.h"
#include "narrow/choice.h"
#include "narrow/gram.h"

enum { ROWS = 900, BLOCK = 300, INPUTS = 201, OUTPUTS = 195 }; /* more than a tile of each */

static float x[ROWS][INPUTS], y[ROWS][OUTPUTS];
static double truth[OUTPUTS][INPUTS], shift[OUTPUTS];
static float weights[OUTPUTS][INPUTS], biases[OUTPUTS];

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g is not %g", value, expected);
}

static double noise(uint64_t *seed)
{
    return 2 * maker_random(seed) - 1;
}

/* y = truth x + shift + `noisy` times noise; x is not centred. */
static void make(double noisy)
{
    uint64_t seed = 5;

    for (size_t o = 0; o < OUTPUTS; o++) {
        shift[o] = 3 * noise(&seed);
        for (size_t i = 0; i < INPUTS; i++)
            truth[o][i] = noise(&seed);
    }
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t i = 0; i < INPUTS; i++)
            x[r][i] = (float)(noise(&seed) + (double)(i % 3));
        for (size_t o = 0; o < OUTPUTS; o++) {
            double sum = shift[o] + noisy * noise(&seed);

            for (size_t i = 0; i < INPUTS; i++)
                sum += truth[o][i] * (double)x[r][i];
            y[r][o] = (float)sum;
        }
    }
}

static double fit(unsigned threads)
{
    struct vgg_gram gram;
    double explained;

    assert_int_equal(vgg_gram_init(&gram, INPUTS, OUTPUTS, threads, NULL), VGG_OK);
    for (size_t r = 0; r < ROWS; r += BLOCK)
        vgg_gram_add(&gram, teams[threads], BLOCK, x[r], y[r]);
    vgg_gram_centre(&gram);
    explained = vgg_gram_fit(&gram, teams[threads], 1e-9, weights[0], biases);
    vgg_gram_fini(&gram);
    return explained;
}

/* Mean and deviation of what the fitted layer gives for output o. */
static void measure(size_t o, double *mean, double *deviation)
{
    double sum = 0, squares = 0;

    for (size_t r = 0; r < ROWS; r++) {
        double given = (double)biases[o];

        for (size_t i = 0; i < INPUTS; i++)
            given += (double)weights[o][i] * (double)x[r][i];
        sum += given;
        squares += given * given;
    }
    *mean = sum / ROWS;
    *deviation = sqrt(squares / ROWS - *mean * *mean);
}

/* What was linear is found, up to the scale that makes its deviation 1. */
static void what_is_linear_is_found(void **state)
{
    (void)state;
    make(0);
    assert_true(fit(2) > 0.99999);
    for (size_t o = 0; o < OUTPUTS; o++) {
        double mean, deviation, scale = (double)weights[o][0] / truth[o][0];

        measure(o, &mean, &deviation);
        assert_near(deviation, 1, 1e-3);
        assert_true(scale > 0);
        assert_near((double)biases[o], scale * shift[o], 2e-3);
        for (size_t i = 0; i < INPUTS; i++)
            assert_near((double)weights[o][i], scale * truth[o][i], 2e-3);
    }
}

/* Noise of a known variance is not explained, but for the part that so many inputs fit by chance;
 * the deviation of what is given is 1 all the same. */
static void noise_is_not_explained(void **state)
{
    const double signal = INPUTS / 9.0, noisy = 5, variance = noisy * noisy / 3;
    const double chance = (double)INPUTS / ROWS;
    double explained, mean, deviation;

    (void)state;
    make(noisy);
    explained = fit(2);
    assert_near(explained, (signal + chance * variance) / (signal + variance), 0.02);
    for (size_t o = 0; o < OUTPUTS; o++) {
        measure(o, &mean, &deviation);
        assert_near(deviation, 1, 1e-3);
    }
}

/* An output that never changes is a bias. */
static void constant_outputs(void **state)
{
    (void)state;
    make(0);
    for (size_t r = 0; r < ROWS; r++)
        y[r][7] = 12.3F;
    assert_true(fit(1) > 0.99999);
    for (size_t i = 0; i < INPUTS; i++)
        assert_true(weights[7][i] == 0);
    assert_near((double)biases[7], 12.3, 1e-5);
}

/* Of an output a millionth of which is explained the deviation is not made 1, but a tenth. */
static void what_says_next_to_nothing_is_not_blown_up(void **state)
{
    static const float in[] = {1, -1, 1, -1}, other[] = {1, 1, -1, -1};
    float out[4], weight, bias;
    struct vgg_gram gram;

    (void)state;
    for (size_t r = 0; r < 4; r++)
        out[r] = other[r] + 1e-3F * in[r];
    assert_int_equal(vgg_gram_init(&gram, 1, 1, 1, NULL), VGG_OK);
    vgg_gram_add(&gram, teams[1], 4, in, out);
    vgg_gram_centre(&gram);
    assert_near(vgg_gram_fit(&gram, teams[1], 1e-9, &weight, &bias), 1e-6, 1e-7);
    vgg_gram_fini(&gram);
    assert_near((double)weight, 0.1, 1e-3);
}

static void threads_change_no_bit(void **state)
{
    static float first[OUTPUTS][INPUTS];
    double explained;

    (void)state;
    make(1);
    explained = fit(1);
    memcpy(first, weights, sizeof first);
    assert_true(fit(3) == explained);
    assert_memory_equal(first, weights, sizeof first);
}

/* ---------------------------------------------------------------- the choice ----------------- */

enum { CHANNELS = 6 };

/* The covariance of mix * independent sources of variance 1; only the lower triangle is right. */
static void mix(const double (*rows)[CHANNELS], double covariance[CHANNELS][CHANNELS])
{
    for (size_t i = 0; i < CHANNELS; i++)
        for (size_t j = 0; j < CHANNELS; j++) {
            covariance[i][j] = j > i ? NAN : 0;
            for (size_t k = 0; k < CHANNELS && j <= i; k++)
                covariance[i][j] += rows[i][k] * rows[j][k];
        }
}

/* One of each pair of duplicates, the larger sources first; what is constant comes last. */
static void duplicates_are_left_out(void **state)
{
    static const double rows[CHANNELS][CHANNELS] = {
        {1, 0, 0}, {0, 3, 0}, {-2, 0, 0}, {0, 0, 0.1}, {0, 6, 0}, {0, 0, 0},
    };
    double covariance[CHANNELS][CHANNELS];
    uint32_t chosen[CHANNELS];

    (void)state;
    mix(rows, covariance);
    vgg_choose_channels(covariance[0], CHANNELS, 1, chosen);
    assert_true(chosen[0] == 1 || chosen[0] == 4);
    mix(rows, covariance);
    vgg_choose_channels(covariance[0], CHANNELS, 3, chosen);
    assert_true((chosen[0] == 0 && chosen[1] == 1 && chosen[2] == 3) ||
                (chosen[0] == 0 && chosen[1] == 3 && chosen[2] == 4) ||
                (chosen[0] == 1 && chosen[1] == 2 && chosen[2] == 3) ||
                (chosen[0] == 2 && chosen[1] == 3 && chosen[2] == 4));
    mix(rows, covariance);
    vgg_choose_channels(covariance[0], CHANNELS, CHANNELS, chosen);
    for (uint32_t i = 0; i < CHANNELS; i++)
        assert_int_equal(chosen[i], i);
}

/* A channel that says something of two others goes before a larger one that is by itself. */
static void what_explains_most_goes_first(void **state)
{
    static const double rows[CHANNELS][CHANNELS] = {
        {2}, {0, 1, 0.5}, {0, 1.2, 0}, {0, 1.2, 0, 0.6}, {0, 1.2, 0, 0, 0.6}, {0},
    };
    double covariance[CHANNELS][CHANNELS];
    uint32_t chosen[2];

    (void)state;
    mix(rows, covariance);
    vgg_choose_channels(covariance[0], CHANNELS, 1, chosen);
    assert_int_equal(chosen[0], 2);
    mix(rows, covariance);
    vgg_choose_channels(covariance[0], CHANNELS, 2, chosen);
    assert_true(chosen[0] == 0 && chosen[1] == 2);
}

/* A channel that the next layer hardly looks at goes last. */
static void the_next_layer_weighs(void **state)
{
    static const double rows[CHANNELS][CHANNELS] = {
        {4}, {0, 1}, {0, 0, 2}, {0, 0, 0, 1}, {0}, {0},
    };
    static const float next_weights[2][CHANNELS] = {{0.1F, 3, 0, 1}, {0, 4, 0.1F, 1}};
    const struct vgg_conv next = {.in = CHANNELS, .out = 2, .kernel = 1};
    double covariance[CHANNELS][CHANNELS];
    uint32_t chosen[2];

    (void)state;
    mix(rows, covariance);
    vgg_weigh_channels(covariance[0], CHANNELS, next_weights[0], &next);
    assert_near(covariance[1][1], 25, 1e-6);
    vgg_choose_channels(covariance[0], CHANNELS, 2, chosen);
    assert_true(chosen[0] == 1 && chosen[1] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_linear_is_found),
        cmocka_unit_test(noise_is_not_explained),
        cmocka_unit_test(constant_outputs),
        cmocka_unit_test(what_says_next_to_nothing_is_not_blown_up),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(duplicates_are_left_out),
        cmocka_unit_test(what_explains_most_goes_first),
        cmocka_unit_test(the_next_layer_weighs),
    };

    return cmocka_run_group_tests_name("least squares", tests, pools_start, pools_stop);
}
