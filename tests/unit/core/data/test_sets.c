/* The sets of a training: a part set aside, folds, another directory, others that are unknown. */
#include "album.h"

#include "data/sets.h"

static struct vgg_sets sets;

static void open_sets(const struct vgg_train_options *settings, bool folds)
{
    struct vgg_error error = {0};

    vgg_sets_fini(&sets);
    if (vgg_sets_open(&sets, album, settings, folds, teams[1], &error) != VGG_OK)
        fail_msg("%s", error.text);
}

static int stop(void **state)
{
    vgg_sets_fini(&sets);
    return album_stop(state);
}

/* `groups` pictures of a class, each `copies` times. */
static void put_class(char class, uint32_t groups, uint32_t copies)
{
    char name[64];

    for (uint32_t i = 0; i < groups; i++)
        for (uint32_t copy = 0; copy < copies; copy++) {
            snprintf(name, sizeof name, "%c/%03u-%u.png", class, i, copy);
            album_png(name, (class == 'b' ? 60 : 40) + i % 17, 40 + i / 17 + i % 5);
        }
}

static void check_numbers(size_t train, size_t validation, size_t unknown, bool folds)
{
    assert_int_equal(sets.train.examples_n, train);
    assert_int_equal(sets.validation.examples_n, validation);
    assert_int_equal(sets.unknown.examples_n, unknown);
    assert_int_equal(sets.folds_n != 0, folds);
    assert_int_equal(sets.fold != NULL, folds);
}

static void few_pictures_make_folds(void **state)
{
    const struct vgg_train_options settings = {.validation_fraction = 0.1};
    size_t found[16] = {0};

    (void)state;
    put_class('a', 5, 1);
    put_class('b', 40, 1);
    open_sets(&settings, true);
    check_numbers(45, 0, 0, true);
    assert_true(sets.folds_n <= COUNT_OF(found));
    for (size_t i = 0; i < 45; i++)
        found[sets.fold[i]]++;
    for (uint32_t i = 0; i < sets.folds_n; i++)
        assert_true(found[i] != 0);
    open_sets(&settings, false); /* who cannot use folds */
    check_numbers(40, 5, 0, false);
}

/* Half of 399 pictures is too few, and half of more where a class has 29. */
static void enough_are_set_aside(void **state)
{
    const struct vgg_train_options settings = {.validation_fraction = 0.5};

    (void)state;
    put_class('a', 30, 1);
    put_class('b', 369, 1);
    album_png("_unknown/1.png", 20, 30);
    open_sets(&settings, true);
    check_numbers(399, 0, 1, true);
    put_class('b', 370, 1);
    open_sets(&settings, true);
    check_numbers(200, 200, 1, false);
    for (size_t i = 0; i < 401; i++)
        assert_true(sets.group[i] <= i && sets.original[i] == i);
    put_class('c', 29, 1);
    open_sets(&settings, true);
    check_numbers(429, 0, 1, true);
}

static void copies_stay_together(void **state)
{
    const struct vgg_train_options settings = {.validation_fraction = 0.1};

    (void)state;
    put_class('a', 10, 2);
    put_class('b', 20, 2);
    open_sets(&settings, true);
    check_numbers(60, 0, 0, true);
    for (size_t i = 0; i < 60; i++) {
        assert_int_equal(sets.group[i], sets.group[i / 2 * 2]);
        assert_int_equal(sets.original[i], i / 2 * 2);
        assert_int_equal(sets.fold[i], sets.fold[sets.group[i]]);
    }
    open_sets(&settings, false);
    check_numbers(54, 6, 0, false);
    for (size_t i = 0; i < 60; i++) { /* those set aside are pairs, too */
        assert_int_equal(sets.original[i], i / 2 * 2);
        assert_true(sets.group[i] >= 54 || i < 54);
    }
}

/* A class of one scene is torn apart; who is a copy of whom is then what it would be found to be.
 */
static void one_scene_on_both_sides(void **state)
{
    const struct vgg_train_options settings = {.validation_fraction = 0.3};
    const struct vgg_example *all[41];
    size_t n = 0, torn = 0;

    (void)state;
    put_class('a', 1, 10);
    put_class('b', 10, 3);
    album_png("_unknown/1.png", 40, 40); /* the scene, once more */
    open_sets(&settings, false);
    check_numbers(28, 12, 1, false);
    for (size_t i = 0; i < 28; i++)
        all[n++] = &sets.train.examples[i];
    for (size_t i = 0; i < 12; i++)
        all[n++] = &sets.validation.examples[i];
    all[n++] = &sets.unknown.examples[0];
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;

        while (strcmp(all[first]->sha256, all[i]->sha256) != 0)
            first++;
        assert_int_equal(sets.original[i], first);
        assert_int_equal(sets.group[i], first);
        torn += i >= 28 && first < 28;
    }
    assert_int_equal(torn, 3 + 1);
}

static bool stop_now(void *user)
{
    return (*(unsigned *)user)-- == 0;
}

/* While pictures are read, and after that, while they are compared. */
static void stopped(void **state)
{
    unsigned left = 0;
    const struct vgg_train_options settings = {
        .validation_fraction = 0.1, .stop = stop_now, .user = &left};
    struct vgg_error error = {0};

    (void)state;
    put_class('a', 4, 1);
    put_class('b', 4, 1);
    assert_int_equal(vgg_sets_open(&sets, album, &settings, true, teams[1], &error), VGG_CANCELLED);
    assert_string_equal(error.text, "stopped while pictures were read");
    vgg_sets_fini(&sets);
    error = (struct vgg_error){0};
    left = 1;
    assert_int_equal(vgg_sets_open(&sets, album, &settings, true, teams[1], &error), VGG_CANCELLED);
    assert_string_equal(error.text, "stopped while pictures were compared");
}

static void another_directory(void **state)
{
    struct vgg_train_options settings = {.validation_fraction = 0.1};
    char other[] = "/tmp/vgg-other-XXXXXX", command[256];

    (void)state;
    put_class('a', 4, 1);
    put_class('b', 4, 1);
    assert_non_null(mkdtemp(other));
    album_png("_unknown/1.png", 61, 40);
    snprintf(command, sizeof command,
             "mkdir %s/b && cp %s/b/000-0.png %s/b && cp -r %s/_unknown %s", other, album, other,
             album, other);
    assert_int_equal(system(command), 0);
    settings.validation = other;
    open_sets(&settings, true);
    check_numbers(8, 1, 2, false); /* unknown ones are of both */
    assert_int_equal(sets.validation.examples[0].label, 1);
    assert_int_equal(sets.group[8], 4); /* a leak */
    assert_int_equal(sets.original[8], 4);
    assert_int_equal(nftw(other, album_forget, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void a_lone_picture_is_refused(void **state)
{
    const struct vgg_train_options settings = {.validation_fraction = 0.1};
    struct vgg_error error = {0};

    (void)state;
    put_class('a', 4, 1);
    put_class('b', 1, 1);
    assert_int_equal(vgg_sets_open(&sets, album, &settings, true, teams[1], &error),
                     VGG_BAD_ARGUMENT);
    assert_non_null(strstr(error.text, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_pictures_make_folds, album_start, stop),
        cmocka_unit_test_setup_teardown(enough_are_set_aside, album_start, stop),
        cmocka_unit_test_setup_teardown(copies_stay_together, album_start, stop),
        cmocka_unit_test_setup_teardown(one_scene_on_both_sides, album_start, stop),
        cmocka_unit_test_setup_teardown(stopped, album_start, stop),
        cmocka_unit_test_setup_teardown(another_directory, album_start, stop),
        cmocka_unit_test_setup_teardown(a_lone_picture_is_refused, album_start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
