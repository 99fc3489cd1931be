/* Distances of what is left out, against means and a covariance computed again without it. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/teams.h"
#include "typicality/left_out.h"

enum { DIMS = 6, CLASSES = 3, N = 23 };

static const double WEIGHT = 0.02;

/* Random pictures whose covariance by a known ridge is the identity: ridge = I - weight * S. */
struct pictures {
    double rows[N][DIMS];
    float means[CLASSES][DIMS];
    uint32_t labels[N];
    size_t groups[N];
    double ridge[DIMS][DIMS];
};

static size_t count(const struct pictures *pictures, uint32_t label, const bool out[N])
{
    size_t n = 0;

    for (size_t i = 0; i < N; i++)
        n += pictures->labels[i] == label && !out[i];
    return n;
}

static void mean_without(const struct pictures *pictures, uint32_t label, const bool out[N],
                         double mean[DIMS])
{
    for (size_t d = 0; d < DIMS; d++) {
        double sum = 0;

        for (size_t i = 0; i < N; i++)
            if (pictures->labels[i] == label && !out[i])
                sum += pictures->rows[i][d];
        mean[d] = sum / (double)count(pictures, label, out);
    }
}

static void add_scatter(const struct pictures *pictures, const bool out[N], double factor,
                        double matrix[DIMS][DIMS])
{
    double mean[DIMS];

    for (size_t i = 0; i < N; i++) {
        if (out[i])
            continue;
        mean_without(pictures, pictures->labels[i], out, mean);
        for (size_t j = 0; j < DIMS; j++)
            for (size_t k = 0; k < DIMS; k++)
                matrix[j][k] +=
                    factor * (pictures->rows[i][j] - mean[j]) * (pictures->rows[i][k] - mean[k]);
    }
}

/* Distance of x by a matrix: x' inverse(matrix) x, by elimination. */
static double distance_by(double matrix[DIMS][DIMS], const double x[DIMS])
{
    double a[DIMS][DIMS + 1], sum = 0;

    for (size_t i = 0; i < DIMS; i++) {
        memcpy(a[i], matrix[i], sizeof matrix[i]);
        a[i][DIMS] = x[i];
    }
    for (size_t i = 0; i < DIMS; i++)
        for (size_t j = 0; j < DIMS; j++) {
            double factor = a[j][i] / a[i][i];

            for (size_t k = i; k <= DIMS && j != i; k++)
                a[j][k] -= factor * a[i][k];
        }
    for (size_t i = 0; i < DIMS; i++)
        sum += x[i] * a[i][DIMS] / a[i][i];
    return sum;
}

/* That of picture i where those of `out`, all of its class, are not there. */
static double expected(const struct pictures *pictures, size_t i, const bool out[N])
{
    double matrix[DIMS][DIMS], mean[DIMS], apart[DIMS], least = INFINITY;
    static const bool none[N];

    memcpy(matrix, pictures->ridge, sizeof matrix);
    add_scatter(pictures, out, WEIGHT, matrix);
    for (uint32_t c = 0; c < CLASSES; c++) {
        double fewer =
            (1 + 1 / (double)count(pictures, c, none)) / (1 + 1 / (double)count(pictures, c, out));

        mean_without(pictures, c, out, mean);
        for (size_t d = 0; d < DIMS; d++)
            apart[d] = pictures->rows[i][d] - mean[d];
        least = fmin(least, fewer * distance_by(matrix, apart));
    }
    return least;
}

static void make(struct pictures *pictures)
{
    static const bool none[N];
    struct vgg_random random;

    vgg_random_init(&random, 3);
    memset(pictures, 0, sizeof *pictures);
    for (size_t i = 0; i < N; i++) {
        pictures->labels[i] = (uint32_t)(i * i % 7 % CLASSES);
        pictures->groups[i] = i / 2 % 9; /* of two and more, some across classes */
        for (size_t d = 0; d < DIMS; d++)
            pictures->rows[i][d] =
                (double)(float)(vgg_random_normal(&random) + pictures->labels[i]);
    }
    for (uint32_t c = 0; c < CLASSES; c++) {
        double mean[DIMS];

        mean_without(pictures, c, none, mean);
        for (size_t d = 0; d < DIMS; d++)
            pictures->means[c][d] = (float)mean[d];
    }
    for (size_t d = 0; d < DIMS; d++)
        pictures->ridge[d][d] = 1;
    add_scatter(pictures, none, -WEIGHT, pictures->ridge);
}

static void check(const struct pictures *pictures, const size_t *groups, unsigned threads)
{
    const struct vgg_left_out set = {.n = N,
                                     .dims = DIMS,
                                     .classes = CLASSES,
                                     .rows = pictures->rows[0],
                                     .means = pictures->means[0],
                                     .labels = pictures->labels,
                                     .groups = groups,
                                     .weight = WEIGHT};
    double distances[N];

    assert_int_equal(vgg_left_out_distances(&set, teams[threads], distances, NULL), VGG_OK);
    for (size_t i = 0; i < N; i++) {
        bool out[N] = {false}, none[N] = {false};
        double want;

        for (size_t j = 0; j < N; j++)
            out[j] = i == j || (groups != NULL && groups[i] == groups[j] &&
                                pictures->labels[i] == pictures->labels[j]);
        if (count(pictures, pictures->labels[i], out) == 0) {
            memcpy(out, none, sizeof out);
            out[i] = true;
        }
        want = expected(pictures, i, out);
        if (!(fabs(distances[i] - want) < 1e-5 * want))
            fail_msg("picture %zu: %g instead of %g", i, distances[i], want);
    }
}

static void alone(void **state)
{
    struct pictures pictures;

    (void)state;
    make(&pictures);
    check(&pictures, NULL, 1);
    check(&pictures, NULL, 3);
}

static void in_groups(void **state)
{
    struct pictures pictures;

    (void)state;
    make(&pictures);
    check(&pictures, pictures.groups, 2);
    memset(pictures.groups, 0, sizeof pictures.groups); /* each class is one group */
    check(&pictures, pictures.groups, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(in_groups),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
