/* Finding pictures that coincide, in one set and in several. */
#include "pattern.h"

#include <stdio.h>

#include "core/teams.h"
#include "data/duplicates.h"
#include "fault.h"

enum { PICTURES_MAX = 200, COPY = 1000 };

static struct vgg_example pictures[PICTURES_MAX];
static struct vgg_dataset set = {.examples = pictures};

/* One more picture of the set, as if it had been read. */
static void add_pattern(const struct pattern *pattern, const struct pattern_view *view,
                        uint32_t label)
{
    struct vgg_image *image = pattern_draw(pattern, view);
    struct vgg_example *example = &pictures[set.examples_n];

    assert_true(set.examples_n < PICTURES_MAX);
    *example = (struct vgg_example){.label = label,
                                    .width = view->width,
                                    .height = view->height,
                                    .moments = vgg_moments_of(image),
                                    .fingerprint = vgg_fingerprint_of(image)};
    snprintf(example->sha256, sizeof example->sha256, "%zu", set.examples_n);
    set.examples_n++;
    vgg_image_destroy(image);
}

static void add(uint64_t seed, const struct pattern_view *view, uint32_t label)
{
    struct pattern pattern = pattern_make(seed);

    add_pattern(&pattern, view, label);
}

static void find(const struct vgg_dataset *const *sets, size_t sets_n, size_t *group,
                 size_t *original)
{
    size_t again[PICTURES_MAX], original_again[PICTURES_MAX];
    struct vgg_duplicates_options options = {.team = teams[1]};
    struct vgg_error error = {0};

    if (vgg_duplicates_find(sets, sets_n, &options, group, original, &error) != VGG_OK)
        fail_msg("%s", error.text);
    options.team = teams[3];
    assert_int_equal(vgg_duplicates_find(sets, sets_n, &options, again, original_again, NULL),
                     VGG_OK);
    for (size_t set_i = 0, i = 0; set_i < sets_n; set_i++)
        for (size_t j = 0; j < sets[set_i]->examples_n; j++, i++) {
            assert_int_equal(group[i], again[i]);
            assert_int_equal(original[i], original_again[i]);
        }
}

/* `expected` for each picture: the first of its group, and COPY more where it is a copy. */
static void expect(const int *expected, size_t n)
{
    const struct vgg_dataset *const all[] = {&set};
    size_t group[PICTURES_MAX], original[PICTURES_MAX];

    assert_int_equal(set.examples_n, n);
    find(all, 1, group, original);
    for (size_t i = 0; i < n; i++) {
        if ((int)group[i] + (original[i] != i ? COPY : 0) != expected[i])
            fail_msg("picture %zu: group %zu, the original is %zu", i, group[i], original[i]);
    }
}

/* Groups are named by their first; who is alike by way of a third is of one group. */
static void groups(void **state)
{
    struct pattern_view mirror = pattern_whole, dark = pattern_whole, tinted = pattern_whole;
    struct pattern_view crops[5];

    (void)state;
    mirror.mirror = true;
    dark.gain = 0.7;
    tinted.tint[0] = 0.6;
    for (unsigned i = 0; i < 5; i++) {
        crops[i] = pattern_whole;
        crops[i].left = 0.045 * i;
        crops[i].right = 0.7 + 0.045 * i;
    }
    add(1, &pattern_whole, 0);
    add(2, &pattern_whole, 0);
    add(3, &crops[0], 0);
    add(1, &dark, 0);   /* of 0 */
    add(2, &tinted, 0); /* of none: another colour */
    add(3, &crops[4], 0);
    add(1, &mirror, 0); /* of 0 */
    add(3, &crops[2], 0);
    add(4, &pattern_whole, 0);
    expect((const int[]){0, 1, 2, 0, 4, 5, 0, 7, 8}, 9);
    add(3, &crops[1], 0); /* between the first and the third */
    add(3, &crops[3], 0); /* between the third and the last */
    expect((const int[]){0, 1, 2, 0, 4, 2, 0, 2, 8, 2, 2}, 11);
}

/* Other things in one light differ in few bits of the hash. */
static void one_light(void **state)
{
    int expected[10], near = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct pattern light = pattern_make(1), thing = pattern_make(100 + (uint64_t)i);

        for (unsigned wave = 8; wave < PATTERN_WAVES; wave++) { /* of eight periods */
            light.x[wave] = 50 * cos(thing.phase[wave]);
            light.y[wave] = 50 * sin(thing.phase[wave]);
            memcpy(light.strength[wave], thing.strength[wave], sizeof *light.strength);
        }
        add_pattern(&light, &pattern_whole, 0);
        expected[i] = i;
    }
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < i; j++)
            near += __builtin_popcountll(pictures[i].fingerprint.hash ^
                                         pictures[j].fingerprint.hash) <= 16;
    assert_true(near >= 5);
    expect(expected, 10);
}

/* The same bytes, or the same pixels in another file; blank pictures are copies of each other. */
static void copies(void **state)
{
    struct pattern_view noisy = pattern_whole, black = pattern_whole, small = pattern_whole;

    (void)state;
    noisy.noise = 3;
    black.gain = 0;
    small.gain = 0;
    small.width = 100;
    add(5, &pattern_whole, 0);
    add(6, &pattern_whole, 0);
    add(5, &noisy, 0);
    add(5, &noisy, 0); /* a copy of 2, which is of 0 */
    add(7, &black, 0);
    add(8, &black, 0);
    add(9, &small, 0); /* blank, but of another size */
    add(6, &noisy, 0);
    strcpy(pictures[7].sha256, "1"); /* the same file as 1: what was made of it does not matter */
    expect((const int[]){0, 1, 0, COPY, 4, COPY + 4, 6, COPY + 1}, 8);
}

/* Two sets are numbered through; labels are not looked at. */
static void two_sets(void **state)
{
    struct vgg_dataset train = {.examples = pictures, .examples_n = 5};
    struct vgg_dataset validation = {.examples = pictures + 5, .examples_n = 3};
    const struct vgg_dataset *const sets[] = {&train, &validation};
    struct pattern_view noisy = pattern_whole;
    const struct vgg_duplicates_options options = {.team = teams[3]};
    size_t group[8], original[8];

    (void)state;
    noisy.noise = 3;
    add(1, &pattern_whole, 0);
    add(1, &noisy, 0);
    add(2, &pattern_whole, 1);
    add(3, &pattern_whole, 1);
    add(2, &noisy, 1);
    add(4, &pattern_whole, 0);
    add(1, &pattern_whole, 1); /* a leak, and another label */
    add(3, &noisy, 1);         /* a leak */
    find(sets, 2, group, original);
    assert_int_equal(group[6], 0);
    assert_int_equal(original[6], 0);
    assert_int_equal(group[7], 3);
    assert_int_equal(vgg_duplicates_find(sets, 2, &options, group, NULL, NULL), VGG_OK);
    assert_int_equal(vgg_duplicates_find(sets, 0, &options, group, original, NULL), VGG_OK);
}

/* In another order the first of each company is another. */
static void numbered_anew(void **state)
{
    static const size_t place[] = {2, 3, 0, 4, 1}, expected[] = {0, 1, 1, 3, 0};
    size_t first[] = {0, 1, 2, 2, 0};

    (void)state;
    assert_int_equal(vgg_duplicates_renumber(place, 5, first, NULL), VGG_OK);
    assert_memory_equal(first, expected, sizeof expected);
    assert_int_equal(vgg_duplicates_renumber(place, 0, first, NULL), VGG_OK);
}

static bool stop_at_second(void *user)
{
    return ++*(unsigned *)user == 2;
}

/* After a block, not after all of them. */
static void stopped(void **state)
{
    const struct vgg_dataset *const all[] = {&set};
    unsigned asked = 0;
    const struct vgg_duplicates_options options = {teams[1], stop_at_second, &asked};
    size_t group[PICTURES_MAX];
    struct vgg_error error = {0};

    (void)state;
    for (uint64_t i = 0; i < PICTURES_MAX; i++)
        add(i, &(struct pattern_view){.width = 8, .height = 8, .right = 1, .bottom = 1, .gain = 1},
            0);
    assert_int_equal(vgg_duplicates_find(all, 1, &options, group, NULL, &error), VGG_CANCELLED);
    assert_string_equal(error.text, "stopped while pictures were compared");
    assert_int_equal(asked, 2);
}

/* More pictures than a block: a camera that stands still, and single pictures among its frames. */
static void many(void **state)
{
    const struct vgg_dataset *const all[] = {&set};
    size_t group[PICTURES_MAX], original[PICTURES_MAX];

    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        struct pattern_view view = pattern_whole;

        view.width = 40;
        view.height = 30;
        view.gain = 1 - (double)(i % 7) / 50;
        view.left = (double)(i % 5) / 100;
        add(i % 4 == 3 ? 1000 + i : 1, &view, 0);
    }
    find(all, 1, group, original);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(group[i], i % 4 == 3 ? i : 0);
}

static void without_memory(void **state)
{
    const struct vgg_dataset *const all[] = {&set};
    const struct vgg_duplicates_options options = {.team = teams[3]};
    bool fired = fault_available();
    size_t group[2], original[2];

    (void)state;
    add(1, &pattern_whole, 0);
    add(1, &pattern_whole, 0);
    for (unsigned long n = 1; fired; n++) {
        long outstanding = fault_outstanding();
        struct vgg_error error = {0};
        enum vgg_status status;

        fault_arm(n);
        status = vgg_duplicates_find(all, 1, &options, group, original, &error);
        fired = fault_disarm();
        assert_int_equal(status, fired ? VGG_NO_MEMORY : VGG_OK);
        assert_int_equal(fault_outstanding(), outstanding);
    }
}

static int empty(void **state)
{
    (void)state;
    set.examples_n = 0;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stopped, empty), cmocka_unit_test(numbered_anew),
        cmocka_unit_test_setup(groups, empty),  cmocka_unit_test_setup(one_light, empty),
        cmocka_unit_test_setup(copies, empty),  cmocka_unit_test_setup(two_sets, empty),
        cmocka_unit_test_setup(many, empty),    cmocka_unit_test_setup(without_memory, empty),
    };

    return cmocka_run_group_tests(tests, pools_start, pools_stop);
}
