/* How the time of a descent on maps adds up, of numbers as if they had been measured. */
#include "check.h"

#include <math.h>

#include "train/forecast.h"

static struct vgg_training training;

/* Ten pictures in four views, three of them to validate; five steps of four, of eight at most. */
static int setup(void **state)
{
    (void)state;
    training = (struct vgg_training){
        .settings = {.epochs = 3},
        .sets = {.validation = {.examples_n = 3}},
        .network = {.batch = 8},
        .maps = {.rate = 1e-9, .frozen = {.views = 4, .pictures_n = 10}},
        .examples = {.batch = 4, .steps = 5},
        .forecast = {.step = 2, .forward = 1},
    };
    return 0;
}

static void expect(double start, double left)
{
    assert_int_equal(vgg_forecast_make(&training, 7000000000, NULL), VGG_OK);
    assert_true(fabs(training.forecast.start - start) < 1e-9);
    assert_true(fabs(vgg_forecast_left(&training) - left) < 1e-9);
}

static void parts_add_up(void **state)
{
    (void)state;
    expect(10 + 3, 3 * 5 * 2 + 3 * 3 + 7);
    training.settings.batch_norm = true;
    expect(5 + 10 + 3, 3 * 5 * 2 + 3 * 3 + 7);
}

/* What is done is not done again. */
static void resumed(void **state)
{
    (void)state;
    training.settings.resume = true;
    training.state.epoch = 1;
    training.state.step = 2;
    expect(0, (5 + 3) * 2 + 2 * 3 + 7);
    training.settings.epochs = 1; /* fewer than there have been */
    training.state.epoch = 2;
    training.state.step = 0;
    expect(0, 7);
}

/* Steps take what they took in this run. */
static void it_learns(void **state)
{
    (void)state;
    expect(13, 30 + 9 + 7);
    vgg_forecast_step(&training, 4);
    training.state.step++;
    vgg_forecast_step(&training, 6);
    training.state.step++;
    training.forecast.validation = 1;
    assert_true(fabs(vgg_forecast_left(&training) - (13 * 5 + 3 + 7)) < 1e-9);
}

/* A teacher's look at each crop ends after so many epochs, of this run. */
static void with_a_teacher(void **state)
{
    (void)state;
    training.forecast.look = 3;
    expect(13, 30 + 9 + 7 + 3 * 3 * 5);
    vgg_forecast_step(&training, 5); /* of which 3 are the look */
    assert_true(fabs(training.forecast.step - 2) < 1e-9);
    training.settings.epochs = VGG_TEACHER_VIEWS + 2;
    training.state.epoch = VGG_TEACHER_VIEWS;
    assert_true(fabs(vgg_forecast_left(&training) - (2 * 5 * 2 + 2 * 3 + 7)) < 1e-9);
    expect(13, 2 * 5 * 2 + 2 * 3 + 7 + 3 * 2 * 5); /* begun here, it has seen nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(parts_add_up, setup),
        cmocka_unit_test_setup(resumed, setup),
        cmocka_unit_test_setup(it_learns, setup),
        cmocka_unit_test_setup(with_a_teacher, setup),
    };

    return cmocka_run_group_tests_name("time of a descent", tests, NULL, NULL);
}
