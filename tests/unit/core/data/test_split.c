/* Dividing a set of pictures in two. */
#include "album.h"

#include "data/split.h"
#include "fault.h"

enum { CLASSES = 6 };

/* A set of made-up examples, counts[c] of class c, whose names say which they are. */
static void make(struct vgg_dataset *dataset, const size_t counts[CLASSES])
{
    size_t n = 0;

    *dataset = (struct vgg_dataset){.classes_n = CLASSES};
    dataset->classes = calloc(CLASSES, sizeof *dataset->classes);
    assert_non_null(dataset->classes);
    for (uint32_t c = 0; c < CLASSES; c++) {
        n += counts[c];
        assert_true(asprintf(&dataset->classes[c], "class %u", c) > 0);
    }
    dataset->examples = calloc(n, sizeof *dataset->examples);
    assert_non_null(dataset->examples);
    for (uint32_t c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < counts[c]; i++) {
            struct vgg_example *example = &dataset->examples[dataset->examples_n++];

            assert_true(asprintf(&example->path, "%u/%04zu", c, i) > 0);
            example->name = example->path;
            example->label = c;
            example->width = (uint32_t)dataset->examples_n;
        }
}

static size_t count(const struct vgg_dataset *dataset, uint32_t label)
{
    size_t n = 0;

    for (size_t i = 0; i < dataset->examples_n; i++)
        n += dataset->examples[i].label == label;
    return n;
}

static void check_ascending(const struct vgg_dataset *dataset)
{
    for (size_t i = 1; i < dataset->examples_n; i++)
        assert_true(dataset->examples[i - 1].width < dataset->examples[i].width);
}

static void each_class_gives_its_share(void **state)
{
    static const size_t counts[CLASSES] = {1, 2, 3, 10, 101, 1000};
    static const struct {
        double fraction;
        size_t moved[CLASSES];
    } cases[] = {
        {0, {0, 1, 1, 1, 1, 1}},      {0.15, {0, 1, 1, 2, 15, 150}},
        {0.5, {0, 1, 2, 5, 51, 500}}, {0.999, {0, 1, 2, 9, 100, 999}},
        {1, {0, 1, 2, 9, 100, 999}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char seen[1200] = {0};
        struct vgg_dataset from, to;

        make(&from, counts);
        assert_int_equal(vgg_dataset_split(&from, cases[i].fraction, 5, NULL, &to, NULL), VGG_OK);
        assert_int_equal(to.classes_n, CLASSES);
        for (uint32_t c = 0; c < CLASSES; c++) {
            assert_string_equal(to.classes[c], from.classes[c]);
            assert_int_equal(count(&to, c), cases[i].moved[c]);
            assert_int_equal(count(&from, c), counts[c] - cases[i].moved[c]);
        }
        check_ascending(&from);
        check_ascending(&to);
        for (size_t j = 0; j < from.examples_n; j++)
            seen[from.examples[j].width]++;
        for (size_t j = 0; j < to.examples_n; j++)
            seen[to.examples[j].width]++;
        for (size_t j = 1; j <= from.examples_n + to.examples_n; j++)
            assert_int_equal(seen[j], 1);
        vgg_dataset_fini(&from);
        vgg_dataset_fini(&to);
    }
}

/* The same seed chooses the same, another one others, and no place is preferred. */
static void the_seed_decides(void **state)
{
    static const size_t counts[CLASSES] = {20, 20, 20, 20, 20, 20};
    enum { SEEDS = 300 };
    char digests[SEEDS][VGG_SHA256_HEX_BYTES], again[VGG_SHA256_HEX_BYTES];
    unsigned times[20 * CLASSES + 1] = {0};
    struct vgg_dataset from, to;

    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        for (unsigned round = 0; round < 2; round++) {
            make(&from, counts);
            assert_int_equal(vgg_dataset_split(&from, 0.25, seed, NULL, &to, NULL), VGG_OK);
            vgg_dataset_digest(&to, round == 0 ? digests[seed] : again);
            for (size_t i = 0; i < to.examples_n && round == 0; i++)
                times[to.examples[i].width]++;
            vgg_dataset_fini(&from);
            vgg_dataset_fini(&to);
        }
        assert_string_equal(digests[seed], again);
        for (unsigned other = 0; other < seed; other++)
            assert_string_not_equal(digests[seed], digests[other]);
    }
    for (size_t i = 1; i <= 20 * CLASSES; i++) /* 75 expected, deviation 7.5 */
        assert_in_range(times[i], 75 - 38, 75 + 38);
}

/* ---------------------------------------------------------------- groups --------------------- */

/* Groups of one choose as before. */
static void single_groups(void **state)
{
    static const size_t counts[CLASSES] = {3, 7, 20, 0, 1, 50};
    size_t group[81];
    char digests[2][VGG_SHA256_HEX_BYTES];

    (void)state;
    for (size_t i = 0; i < 81; i++)
        group[i] = i;
    for (unsigned seed = 0; seed < 20; seed++) {
        for (unsigned i = 0; i < 2; i++) {
            struct vgg_dataset from, to;

            make(&from, counts);
            assert_int_equal(vgg_dataset_split(&from, 0.3, seed, i == 0 ? NULL : group, &to, NULL),
                             VGG_OK);
            vgg_dataset_digest(&to, digests[i]);
            vgg_dataset_fini(&from);
            vgg_dataset_fini(&to);
        }
        assert_string_equal(digests[0], digests[1]);
    }
}

/* Of 24 pictures of class 0 and 20 of class 1: pairs of both, ten of one, three of both. */
static void set_groups(size_t group[44])
{
    for (size_t i = 0; i < 44; i++)
        group[i] = i;
    for (size_t i = 0; i < 8; i += 2) {
        group[i + 1] = i;
        group[i + 37] = i + 36;
    }
    for (size_t i = 10; i < 20; i++)
        group[i] = 10;
    group[24] = group[30] = group[22];
}

/* Where each picture went: examples are told apart by `width`, from 1 on. */
static void mark(const struct vgg_dataset *dataset, unsigned side, unsigned *sides)
{
    for (size_t i = 0; i < dataset->examples_n; i++)
        sides[dataset->examples[i].width - 1] = side;
}

static void groups_stay_together(void **state)
{
    static const size_t counts[CLASSES] = {24, 20};
    size_t group[44], moved = 0, both = 0;

    (void)state;
    set_groups(group);
    for (unsigned seed = 0; seed < 100; seed++) {
        struct vgg_dataset from, to;
        unsigned sides[44];

        make(&from, counts);
        assert_int_equal(vgg_dataset_split(&from, 0.25, seed, group, &to, NULL), VGG_OK);
        mark(&from, 0, sides);
        mark(&to, 1, sides);
        for (size_t i = 0; i < 44; i++)
            assert_int_equal(sides[i], sides[group[i]]);
        assert_in_range(count(&to, 0), 1, 6); /* the ten that are one do not fit */
        assert_in_range(count(&to, 1), 1, 5);
        moved += to.examples_n;
        both += sides[24];
        check_ascending(&from);
        check_ascending(&to);
        vgg_dataset_fini(&from);
        vgg_dataset_fini(&to);
    }
    assert_true(moved >= 100 * 10); /* of 11 */
    assert_in_range(both, 25, 60);  /* 6 of 14, without the ten */
}

/* A class of groups all larger than its share gives one; one that is a single group comes apart. */
static void large_groups(void **state)
{
    static const size_t counts[CLASSES] = {12, 9, 2};
    size_t group[23];

    (void)state;
    for (size_t i = 0; i < 23; i++)
        group[i] = i < 7 ? 0 : i < 12 ? 7 : i < 21 ? 12 : 21;
    for (unsigned seed = 0; seed < 20; seed++) {
        struct vgg_dataset from, to;

        make(&from, counts);
        assert_int_equal(vgg_dataset_split(&from, 0.2, seed, group, &to, NULL), VGG_OK);
        assert_int_equal(count(&to, 0), 5); /* the smaller of the two */
        assert_int_equal(count(&to, 1), 2);
        assert_int_equal(count(&to, 2), 1);
        vgg_dataset_fini(&from);
        vgg_dataset_fini(&to);
    }
}

/* ---------------------------------------------------------------- folds ---------------------- */

/* The least and the most pictures of a class, or of all, in a fold. */
static void check_spread(const struct vgg_dataset *dataset, const uint32_t *fold, uint32_t folds_n,
                         uint32_t label, size_t spread)
{
    size_t least = SIZE_MAX, most = 0;

    for (uint32_t f = 0; f < folds_n; f++) {
        size_t n = 0;

        for (size_t i = 0; i < dataset->examples_n; i++)
            n += fold[i] == f && (label == CLASSES || dataset->examples[i].label == label);
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    if (most - least > spread)
        fail_msg("class %u: folds of %zu to %zu pictures", label, least, most);
}

static void folds_are_even(void **state)
{
    static const size_t counts[CLASSES] = {3, 7, 20, 0, 1, 50};
    struct vgg_dataset dataset;
    uint32_t fold[81], other[81];
    unsigned differ = 0;

    (void)state;
    make(&dataset, counts);
    for (uint32_t folds_n = 1; folds_n <= 100; folds_n += 9) {
        assert_int_equal(vgg_dataset_folds(&dataset, NULL, folds_n, 3, fold, NULL), VGG_OK);
        for (uint32_t label = 0; label < CLASSES; label++)
            check_spread(&dataset, fold, folds_n, label, 1);
        check_spread(&dataset, fold, folds_n, CLASSES, 1);
        assert_int_equal(vgg_dataset_folds(&dataset, NULL, folds_n, 3, other, NULL), VGG_OK);
        assert_memory_equal(fold, other, sizeof fold);
    }
    assert_int_equal(vgg_dataset_folds(&dataset, NULL, 10, 3, fold, NULL), VGG_OK);
    assert_int_equal(vgg_dataset_folds(&dataset, NULL, 10, 4, other, NULL), VGG_OK);
    for (size_t i = 0; i < 81; i++)
        differ += fold[i] != other[i];
    assert_in_range(differ, 40, 81);
    assert_int_equal(vgg_dataset_folds_count(&dataset, NULL), 10);
    vgg_dataset_fini(&dataset);
}

static void folds_keep_groups(void **state)
{
    static const size_t counts[CLASSES] = {24, 20};
    size_t group[44];
    struct vgg_dataset dataset;
    uint32_t fold[44];

    (void)state;
    set_groups(group);
    make(&dataset, counts);
    for (unsigned seed = 0; seed < 50; seed++) {
        assert_int_equal(vgg_dataset_folds(&dataset, group, 4, seed, fold, NULL), VGG_OK);
        for (size_t i = 0; i < 44; i++)
            assert_int_equal(fold[i], fold[group[i]]);
        check_spread(&dataset, fold, 4, 0, 6); /* ten of 24 are one */
        check_spread(&dataset, fold, 4, 1, 1);
    }
    vgg_dataset_fini(&dataset);
}

/* A network that has seen none of a class cannot be tried on it. */
static void single_groups_come_apart(void **state)
{
    static const size_t counts[CLASSES] = {6, 1, 8};
    size_t group[15] = {0};
    struct vgg_dataset dataset;
    uint32_t fold[15];

    (void)state;
    make(&dataset, counts);
    for (size_t i = 6; i < 15; i++)
        group[i] = i < 7 ? 0 : 7; /* of class 0 and the only one of class 1; class 2 */
    assert_int_equal(vgg_dataset_folds_count(&dataset, group), 2);
    assert_int_equal(vgg_dataset_folds(&dataset, group, 2, 1, fold, NULL), VGG_OK);
    check_spread(&dataset, fold, 2, 0, 2);
    check_spread(&dataset, fold, 2, 2, 1);
    vgg_dataset_fini(&dataset);
}

/* ---------------------------------------------------------------- memory --------------------- */

static void folds_without_memory(void **state)
{
    static const size_t counts[CLASSES] = {4, 4, 4, 4, 4, 4};
    bool fired = fault_available();
    struct vgg_dataset dataset;
    uint32_t fold[24];

    (void)state;
    make(&dataset, counts);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        long outstanding = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_dataset_folds(&dataset, NULL, 3, 1, fold, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(fault_outstanding(), outstanding);
    }
    vgg_dataset_fini(&dataset);
}

static void without_memory_nothing_moves(void **state)
{
    static const size_t counts[CLASSES] = {4, 4, 4, 4, 4, 4};
    bool fired = fault_available();
    char before[VGG_SHA256_HEX_BYTES], after[VGG_SHA256_HEX_BYTES];
    struct vgg_dataset from, to;

    (void)state;
    if (!fired)
        skip();
    make(&from, counts);
    vgg_dataset_digest(&from, before);
    for (unsigned long n = 1; fired; n++) {
        struct vgg_error error = {0};
        long outstanding = fault_outstanding();
        enum vgg_status status;

        fault_arm(n);
        status = vgg_dataset_split(&from, 0.5, 1, NULL, &to, &error);
        fired = fault_disarm();
        if (!fired) {
            assert_int_equal(status, VGG_OK);
            break;
        }
        assert_int_equal(status, VGG_NO_MEMORY);
        assert_int_equal(error.status, VGG_NO_MEMORY);
        assert_int_equal(fault_outstanding(), outstanding);
        vgg_dataset_digest(&from, after);
        assert_string_equal(before, after);
    }
    assert_int_equal(from.examples_n, 12);
    vgg_dataset_fini(&from);
    vgg_dataset_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_gives_its_share),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(single_groups),
        cmocka_unit_test(groups_stay_together),
        cmocka_unit_test(large_groups),
        cmocka_unit_test(folds_are_even),
        cmocka_unit_test(folds_keep_groups),
        cmocka_unit_test(single_groups_come_apart),
        cmocka_unit_test(folds_without_memory),
        cmocka_unit_test(without_memory_nothing_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
