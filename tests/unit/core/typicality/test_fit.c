/* What a fitted p means: of unseen pictures of known classes a share p is so typical or less. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "core/teams.h"
#include "crowd.h"
#include "fault.h"
#include "typicality/fit.h"
#include "vgg_typicality.h"

enum { FEATURES = 24, CLASSES = 4, FITS = 12, UNSEEN = 125 /* a class */ };

struct fitted {
    struct vgg_typicality typicality;
    struct vgg_typicality_found found;
};

static enum vgg_status fit(const struct crowd *crowd, const size_t *groups,
                           const struct crowd *unknown, unsigned threads, struct fitted *fitted)
{
    const struct vgg_typicality_set set = {.features = (uint32_t)crowd->features,
                                           .classes = crowd->classes,
                                           .n = crowd->n,
                                           .rows = crowd->rows,
                                           .labels = crowd->labels,
                                           .groups = groups};
    const struct vgg_typicality_options options = {.team = teams[threads],
                                                   .unknown =
                                                       unknown != NULL ? unknown->rows : NULL,
                                                   .unknown_n = unknown != NULL ? unknown->n : 0};

    return vgg_typicality_fit(&set, &options, &fitted->typicality, &fitted->found, NULL);
}

static void fitted_fini(struct fitted *fitted)
{
    vgg_typicality_fini(&fitted->typicality);
    vgg_typicality_found_fini(&fitted->found);
}

static size_t count_below(const struct vgg_typicality *typicality, const struct crowd *crowd,
                          double level)
{
    size_t below = 0;

    for (size_t i = 0; i < crowd->n; i++) {
        double distance = vgg_typicality_distance(typicality, crowd->rows + i * crowd->features);

        below += vgg_typicality_p(typicality, distance) <= level;
    }
    return below;
}

/* ---------------------------------------------------------------- what p means --------------- */

/* The share of unseen pictures with p <= 0.05, over several fits of `each` pictures a class. */
static double share_of_unseen(size_t features, size_t each, enum noise noise)
{
    size_t below = 0, all = 0;

    for (uint64_t seed = 0; seed < FITS; seed++) {
        struct crowd known = crowd_make(features, 0, CLASSES, each, noise, seed, 0);
        struct crowd unseen = crowd_make(features, 0, CLASSES, UNSEEN, noise, seed, 1);
        struct fitted fitted;

        assert_int_equal(fit(&known, NULL, NULL, 2, &fitted), VGG_OK);
        assert_int_equal(fitted.typicality.known_n, known.n);
        below += count_below(&fitted.typicality, &unseen, 0.05);
        all += unseen.n;
        fitted_fini(&fitted);
        crowd_free(&known);
        crowd_free(&unseen);
    }
    return (double)below / (double)all;
}

/* Three standard errors: of what was drawn to be known, and of the unseen. */
static double tolerance(size_t each)
{
    double known = (double)(FITS * CLASSES * each), unseen = FITS * CLASSES * UNSEEN;

    return 3 * sqrt(0.05 * 0.95 * (1 / known + 1 / unseen));
}

static void unseen(void **state)
{
    static const struct {
        size_t features, each;
        enum noise noise;
    } cases[] = {
        {FEATURES, 40, NOISE_NORMAL}, {FEATURES, 40, NOISE_HEAVY},
        {FEATURES, 100, NOISE_HEAVY}, {200, 20, NOISE_NORMAL}, /* more features than pictures */
        {200, 20, NOISE_HEAVY},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double share = share_of_unseen(cases[i].features, cases[i].each, cases[i].noise);

        if (!(fabs(share - 0.05) < tolerance(cases[i].each)))
            fail_msg("case %zu: %.4f, not 0.05 within %.4f", i, share, tolerance(cases[i].each));
    }
}

/* With very few, one of n + 1 is the least share above none; it may be less, not more. */
static void few(void **state)
{
    (void)state;
    assert_true(share_of_unseen(64, 5, NOISE_NORMAL) < 0.05 + tolerance(5));
    assert_true(share_of_unseen(64, 5, NOISE_HEAVY) < 0.05 + tolerance(5));
}

/* Every picture twice: alone each would be known by its twin. */
static void twins(void **state)
{
    size_t below[2] = {0}, all = 0, groups[2 * CLASSES * 30];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        groups[i] = i % (COUNT_OF(groups) / 2);
    for (uint64_t seed = 0; seed < FITS; seed++) {
        struct crowd known = crowd_make(FEATURES, 0, CLASSES, 60, NOISE_NORMAL, seed, 0);
        struct crowd others = crowd_make(FEATURES, 0, CLASSES, UNSEEN, NOISE_NORMAL, seed, 1);

        memcpy(known.rows + known.n / 2 * FEATURES, known.rows,
               known.n / 2 * FEATURES * sizeof *known.rows);
        for (unsigned grouped = 0; grouped < 2; grouped++) {
            struct fitted fitted;

            assert_int_equal(fit(&known, grouped ? groups : NULL, NULL, 2, &fitted), VGG_OK);
            below[grouped] += count_below(&fitted.typicality, &others, 0.05);
            fitted_fini(&fitted);
        }
        all += others.n;
        crowd_free(&known);
        crowd_free(&others);
    }
    assert_true((double)below[0] / (double)all > 0.10);
    assert_true(fabs((double)below[1] / (double)all - 0.05) < tolerance(30));
}

/* ---------------------------------------------------------------- the unknown ---------------- */

static void unknown(void **state)
{
    struct crowd known = crowd_make(FEATURES, 0, CLASSES, 50, NOISE_NORMAL, 1, 0);
    struct crowd others = crowd_make(FEATURES, CLASSES, 3, 20, NOISE_NORMAL, 1, 2);
    struct crowd same = crowd_make(FEATURES, 0, CLASSES, 50, NOISE_NORMAL, 1, 3);
    struct fitted fitted;

    (void)state;
    assert_int_equal(fit(&known, NULL, NULL, 1, &fitted), VGG_OK);
    assert_true(fitted.typicality.reject == 0.01);
    assert_true(fitted.found.auroc < 0 && fitted.found.caught < 0);
    fitted_fini(&fitted);

    assert_int_equal(fit(&known, NULL, &others, 1, &fitted), VGG_OK);
    assert_true(fitted.found.auroc > 0.99);
    assert_true(fitted.found.caught > 0.95);
    assert_true(fitted.typicality.reject >= 2 / 201.0 && fitted.typicality.reject <= 0.05);
    for (size_t i = 0; i < others.n; i++) {
        double distance = vgg_typicality_distance(&fitted.typicality, others.rows + i * FEATURES);

        assert_true(fitted.found.unknown[i] == vgg_typicality_p(&fitted.typicality, distance));
    }
    fitted_fini(&fitted);

    /* Pictures that are not unknown at all. */
    assert_int_equal(fit(&known, NULL, &same, 1, &fitted), VGG_OK);
    assert_true(fabs(fitted.found.auroc - 0.5) < 0.1);
    assert_true(fitted.found.caught < 0.15);
    fitted_fini(&fitted);
    crowd_free(&known);
    crowd_free(&others);
    crowd_free(&same);
}

/* Among n known pictures that differ each share 1/n, 2/n ... 1 is one's. */
static void known_among_themselves(void **state)
{
    struct crowd known = crowd_make(FEATURES, 0, CLASSES, 50, NOISE_NORMAL, 1, 0);
    size_t n = known.n, met[201] = {0};
    struct fitted fitted;

    (void)state;
    assert_int_equal(fit(&known, NULL, NULL, 1, &fitted), VGG_OK);
    for (size_t i = 0; i < n; i++)
        met[lround(fitted.found.known[i] * (double)n)]++;
    for (size_t i = 1; i <= n; i++)
        assert_int_equal(met[i], 1);
    fitted_fini(&fitted);
    crowd_free(&known);
}

/* ---------------------------------------------------------------- the file ------------------- */

static bool are_halves(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (vgg_half_to_float(vgg_half_from_float(values[i])) != values[i])
            return false;
    return true;
}

/* The tensors are what the file will hold, and not too large for it; the same for any threads. */
static void tensors(void **state)
{
    static const size_t features[] = {FEATURES, 512, 513, 4096};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(features); i++) {
        struct crowd known = crowd_make(features[i], 0, CLASSES, 8, NOISE_NORMAL, i, 0);
        struct fitted first, again;
        size_t rows, bytes;

        assert_int_equal(fit(&known, NULL, NULL, 1, &first), VGG_OK);
        rows = first.typicality.dims;
        bytes = rows * (features[i] + CLASSES) * 2 + known.n * 4;
        assert_true(rows == features[i] || rows == VGG_TYPICALITY_DIMS_MAX ||
                    bytes + 2 * (features[i] + CLASSES) > 2000000);
        assert_true(bytes <= 2000000);
        assert_true(are_halves(first.typicality.transform, rows * features[i]));
        assert_true(are_halves(first.typicality.means, rows * CLASSES));
        for (size_t j = 1; j < known.n; j++)
            assert_true(first.typicality.distances[j - 1] <= first.typicality.distances[j]);
        for (unsigned threads = 2; threads <= THREADS_MAX; threads++) {
            assert_int_equal(fit(&known, NULL, NULL, threads, &again), VGG_OK);
            assert_memory_equal(first.typicality.transform, again.typicality.transform,
                                rows * features[i] * sizeof(float));
            assert_memory_equal(first.typicality.means, again.typicality.means,
                                rows * CLASSES * sizeof(float));
            assert_memory_equal(first.typicality.distances, again.typicality.distances,
                                known.n * sizeof(float));
            fitted_fini(&again);
        }
        fitted_fini(&first);
        crowd_free(&known);
    }
}

/* ---------------------------------------------------------------- none ----------------------- */

static void check_reason(const struct vgg_typicality_set *set, bool trained, const char *text)
{
    const struct vgg_typicality_options options = {.team = teams[1], .trained = trained};
    struct fitted fitted;

    assert_int_equal(vgg_typicality_fit(set, &options, &fitted.typicality, &fitted.found, NULL),
                     VGG_OK);
    if (strstr(fitted.found.reason, text) == NULL)
        fail_msg("\"%s\" instead of \"%s\"", fitted.found.reason, text);
    assert_int_equal(fitted.typicality.known_n, 0);
    assert_null(fitted.typicality.transform);
    assert_null(fitted.found.known);
    fitted_fini(&fitted);
}

static void reasons(void **state)
{
    struct crowd known = crowd_make(FEATURES, 0, CLASSES, 12, NOISE_NORMAL, 1, 0);
    struct vgg_typicality_set set = {.features = FEATURES,
                                     .classes = CLASSES,
                                     .n = known.n,
                                     .rows = known.rows,
                                     .labels = known.labels};

    (void)state;
    check_reason(&set, true, "takes 50 validation pictures, and there are 48");
    for (size_t i = 0; i < known.n; i += CLASSES)
        known.labels[i] = 1; /* none of class 0 is left */
    check_reason(&set, false, "takes two pictures of each class");
    known.labels[0] = 0;
    check_reason(&set, false, "takes two pictures of each class");
    known.labels[CLASSES] = 0;
    memset(known.rows, 0, known.n * FEATURES * sizeof *known.rows);
    check_reason(&set, false, "are all the same");
    set.features = 1 << 17; /* looked at before any row */
    check_reason(&set, false, "131072 features and 4 classes would take over 2000000 bytes");
    crowd_free(&known);
}

static void not_finite(void **state)
{
    struct crowd known = crowd_make(FEATURES, 0, CLASSES, 4, NOISE_NORMAL, 1, 0);
    struct crowd others = crowd_make(FEATURES, 0, CLASSES, 4, NOISE_NORMAL, 1, 0);
    struct fitted fitted;

    (void)state;
    others.rows[others.n * FEATURES - 1] = NAN;
    assert_int_equal(fit(&known, NULL, &others, 1, &fitted), VGG_BAD_ARGUMENT);
    assert_int_equal(fit(&others, NULL, NULL, 1, &fitted), VGG_BAD_ARGUMENT);
    assert_null(fitted.typicality.transform);
    assert_null(fitted.found.known);
    crowd_free(&known);
    crowd_free(&others);
}

static void out_of_memory(void **state)
{
    struct crowd known, others;
    unsigned long n = 0;
    long outstanding;
    bool fired;

    (void)state;
    if (!fault_available())
        skip();
    known = crowd_make(FEATURES, 0, CLASSES, 4, NOISE_NORMAL, 1, 0);
    others = crowd_make(FEATURES, CLASSES, 2, 2, NOISE_NORMAL, 1, 0);
    outstanding = fault_outstanding();
    do {
        struct fitted fitted;
        enum vgg_status status;

        fault_arm(++n);
        status = fit(&known, NULL, &others, 1, &fitted);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        if (status == VGG_OK)
            fitted_fini(&fitted);
        assert_int_equal(fault_outstanding(), outstanding);
    } while (fired);
    assert_true(n > 10);
    crowd_free(&known);
    crowd_free(&others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unseen),
        cmocka_unit_test(few),
        cmocka_unit_test(twins),
        cmocka_unit_test(unknown),
        cmocka_unit_test(known_among_themselves),
        cmocka_unit_test(tensors),
        cmocka_unit_test(reasons),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
