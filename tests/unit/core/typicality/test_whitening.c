/* The shrunken covariance against Ledoit and Wolf's formula written out, and what whitens it. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/teams.h"
#include "typicality/whitening.h"

enum { DIMS = 11, N_MAX = 60, CLASSES = 2 };

static double residuals[DIMS * N_MAX]; /* [DIMS][n] */

/* Later dimensions vary less. */
static void draw(size_t n)
{
    struct vgg_random random;

    vgg_random_init(&random, n);
    for (size_t d = 0; d < DIMS; d++)
        for (size_t i = 0; i < n; i++)
            residuals[d * n + i] = vgg_random_normal(&random) / (double)(1 + d);
}

static double product(size_t n, size_t d, size_t e)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += residuals[d * n + i] * residuals[e * n + i];
    return sum;
}

/* Mean of |x x' - S|^2 over n, against |S - m I|^2. */
static double shrinkage(size_t n)
{
    double mean = 0, apart = 0, noise = 0;

    for (size_t d = 0; d < DIMS; d++)
        mean += product(n, d, d) / (double)n / DIMS;
    for (size_t d = 0; d < DIMS; d++)
        for (size_t e = 0; e < DIMS; e++) {
            double entry = product(n, d, e) / (double)n;

            apart += pow(entry - (d == e ? mean : 0), 2);
            for (size_t i = 0; i < n; i++)
                noise +=
                    pow(residuals[d * n + i] * residuals[e * n + i] - entry, 2) / (double)(n * n);
        }
    return noise < apart ? noise / apart : 1;
}

static void check(size_t n, unsigned threads)
{
    double shrink = shrinkage(n), freedom = (double)(n - CLASSES), mean = 0;
    struct vgg_whitening whitening;

    assert_int_equal(
        vgg_whitening_fit(residuals, n, DIMS, CLASSES, teams[threads], &whitening, NULL), VGG_OK);
    assert_true(fabs(whitening.weight - (1 - shrink) / freedom) < 1e-12);
    for (size_t d = 0; d < DIMS; d++)
        mean += product(n, d, d) / freedom / DIMS;
    for (size_t i = 0; i < DIMS; i++)
        for (size_t j = 0; j < DIMS; j++) {
            double sum = 0;

            for (size_t d = 0; d < DIMS; d++)
                for (size_t e = 0; e < DIMS; e++)
                    sum +=
                        whitening.matrix[i * DIMS + d] * whitening.matrix[j * DIMS + e] *
                        ((1 - shrink) * product(n, d, e) / freedom + (d == e ? shrink * mean : 0));
            assert_true(fabs(sum - (i == j)) < 1e-9);
        }
    free(whitening.matrix);
}

static void whitens(void **state)
{
    static const size_t sizes[] = {3, 5, 11, 60}; /* fewer than dimensions, more */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        draw(sizes[i]);
        for (unsigned threads = 1; threads <= THREADS_MAX; threads++)
            check(sizes[i], threads);
    }
}

static void nothing_differs(void **state)
{
    struct vgg_whitening whitening;

    (void)state;
    memset(residuals, 0, sizeof residuals);
    assert_int_equal(vgg_whitening_fit(residuals, 9, DIMS, CLASSES, teams[1], &whitening, NULL),
                     VGG_OK);
    assert_null(whitening.matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whitens),
        cmocka_unit_test(nothing_differs),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
