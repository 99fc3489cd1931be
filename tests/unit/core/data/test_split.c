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
        cmocka_unit_test(without_memory_nothing_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
