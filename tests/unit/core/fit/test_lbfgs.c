/* Minima that are known. */
#include "check.h"

#include <math.h>

#include "fit/lbfgs.h"

enum { N = 40 };

/* The loss at x, and its gradient. */
typedef double function(const double *x, double *gradient);

/* 1/2 sum k_i (x_i - i)^2, k from 1 to 1000. */
static double ellipsoid(const double *x, double *gradient)
{
    double loss = 0;

    for (size_t i = 0; i < N; i++) {
        double k = pow(10, 3 * (double)i / (N - 1)), away = x[i] - (double)i;

        gradient[i] = k * away;
        loss += k * away * away / 2;
    }
    return loss;
}

/* So flat that the first steps are too short, and so steep that they are too long. */
static double flat(const double *x, double *gradient)
{
    double loss = ellipsoid(x, gradient) * 1e-9;

    for (size_t i = 0; i < N; i++)
        gradient[i] *= 1e-9;
    return loss;
}

/* sum exp(s) + exp(-s), s = 20 (x_i - i): infinite and beyond range where a step goes too far. */
static double walls(const double *x, double *gradient)
{
    double loss = 0;

    for (size_t i = 0; i < N; i++) {
        double s = 20 * (x[i] - (double)i);

        gradient[i] = 20 * (exp(s) - exp(-s));
        loss += exp(s) + exp(-s);
    }
    return loss;
}

/* sqrt(1 + s^2): straight far out. */
static double funnel(const double *x, double *gradient)
{
    double loss = 0;

    for (size_t i = 0; i < N; i++) {
        double s = x[i] - (double)i;

        gradient[i] = s / sqrt(1 + s * s);
        loss += sqrt(1 + s * s);
    }
    return loss;
}

static void minima_are_found(void **state)
{
    static const struct {
        function *function;
        double enough, near;
        unsigned steps;
    } cases[] = {
        {ellipsoid, 1e-6, 1e-6, 400},
        {flat, 1e-15, 1e-6, 400},
        {walls, 1e-6, 1e-8, 300},
        {funnel, 1e-8, 1e-8, 100},
    };
    struct vgg_lbfgs solver;

    (void)state;
    assert_true(vgg_lbfgs_init(&solver, N));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < N; k++)
            solver.x[k] = (double)k + (i == 2 ? sin((double)k) : 3);
        vgg_lbfgs_start(&solver);
        while (
            vgg_lbfgs_step(&solver, cases[i].function(solver.x, solver.gradient), cases[i].enough))
            continue;
        for (size_t k = 0; k < N; k++)
            assert_true(fabs(solver.x[k] - (double)k) < cases[i].near);
        assert_in_range(solver.steps, 2, cases[i].steps);
    }
    vgg_lbfgs_fini(&solver);
}

/* At the minimum one look is enough; where nothing is, it ends at the best it has seen. */
static void it_ends(void **state)
{
    struct vgg_lbfgs solver;
    double loss, least = INFINITY;

    (void)state;
    assert_true(vgg_lbfgs_init(&solver, N));
    for (size_t k = 0; k < N; k++)
        solver.x[k] = (double)k;
    vgg_lbfgs_start(&solver);
    assert_false(vgg_lbfgs_step(&solver, ellipsoid(solver.x, solver.gradient), 1e-9));
    for (size_t k = 0; k < N; k++)
        solver.x[k] = 3;
    vgg_lbfgs_start(&solver);
    do {
        loss = ellipsoid(solver.x, solver.gradient);
        least = fmin(least, loss);
    } while (vgg_lbfgs_step(&solver, loss, 0));
    assert_true(ellipsoid(solver.x, solver.gradient) <= least * (1 + 1e-6) + 1e-20);
    assert_in_range(solver.steps, 2, VGG_LBFGS_STEPS);
    vgg_lbfgs_fini(&solver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minima_are_found),
        cmocka_unit_test(it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
