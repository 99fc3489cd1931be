/* Fingerprints of pictures, and how well they coincide. */
#include "pattern.h"

#include "data/align.h"

static struct vgg_fingerprint print_of(uint64_t seed, const struct pattern_view *view)
{
    struct pattern pattern = pattern_make(seed);
    struct vgg_image *image = pattern_draw(&pattern, view);
    struct vgg_fingerprint print = vgg_fingerprint_of(image);

    vgg_image_destroy(image);
    return print;
}

static int bits_apart(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}

/* Means of cells, whatever the size, also of pictures smaller than the copy. */
static void small_copies(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {2, 1}, {31, 33}, {32, 32}, {64, 96}, {1000, 3}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct vgg_image *image = vgg_image_create("made", sizes[i][0], sizes[i][1]);
        struct vgg_fingerprint print;

        assert_non_null(image);
        for (uint32_t p = 0; p < sizes[i][0] * sizes[i][1]; p++) {
            uint32_t column = p % sizes[i][0];

            memset(image->pixels + 3 * (size_t)p, 2 * column < sizes[i][0] ? 40 : 200, 3);
        }
        print = vgg_fingerprint_of(image);
        assert_int_equal(print.luminance[0][0], 40);
        assert_int_equal(print.luminance[31][0], 40);
        assert_int_equal(print.luminance[31][31], sizes[i][0] == 1 ? 40 : 200);
        vgg_image_destroy(image);
    }
}

static void mirrors(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct pattern_view view = pattern_whole;
        struct vgg_fingerprint print = print_of(seed, &view), mirror, back;

        view.mirror = true;
        mirror = print_of(seed, &view);
        back = vgg_fingerprint_mirror(&mirror);
        assert_memory_equal(back.luminance, print.luminance, sizeof print.luminance);
        /* A coefficient near zero may have either sign. */
        assert_true(bits_apart(back.hash, print.hash) <= 1);
        assert_true(bits_apart(mirror.hash, print.hash) >= 10);
        assert_int_equal(vgg_fingerprint_mirror_hash(back.hash), mirror.hash);
    }
}

/* What people and programs do to a picture: the hash stays near, the copies coincide. */
static void made_copies(void **state)
{
    static const struct pattern_view views[] = {
        {.width = 48, .height = 36, .right = 1, .bottom = 1, .gain = 1},
        {.width = 97, .height = 71, .right = 1, .bottom = 1, .gain = 1, .noise = 6},
        {.width = 96, .height = 72, .right = 1, .bottom = 1, .gain = 0.7},
        {.width = 91,
         .height = 68,
         .left = .025,
         .top = .025,
         .right = .975,
         .bottom = .975,
         .gain = 1.1},
        {.width = 96, .height = 72, .top = .05, .right = .95, .bottom = 1, .gain = 0.4},
        {.width = 96, .height = 68, .top = .05, .right = 1, .bottom = 1, .gain = 1},
    };

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct vgg_fingerprint print = print_of(seed, &pattern_whole);

        for (size_t i = 0; i < COUNT_OF(views); i++) {
            struct vgg_fingerprint other = print_of(seed, &views[i]);

            assert_true(bits_apart(print.hash, other.hash) <= 16);
            if (!vgg_align(&print, &other, 0.95) || !vgg_align(&other, &print, 0.95))
                fail_msg("picture %u, copy %zu", (unsigned)seed, i);
        }
    }
}

static void others(void **state)
{
    struct vgg_fingerprint prints[20];

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        prints[seed] = print_of(seed, &pattern_whole);
    for (size_t i = 0; i < 20; i++)
        for (size_t j = 0; j < 20; j++)
            assert_int_equal(vgg_align(&prints[i], &prints[j], 0.7), i == j);
}

/* A part that is too far off is not the same picture. */
static void far_off(void **state)
{
    const struct pattern_view half = {
        .width = 48, .height = 36, .left = .4, .top = .4, .right = .9, .bottom = .9, .gain = 1};

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct vgg_fingerprint print = print_of(seed, &pattern_whole), part = print_of(seed, &half);

        assert_false(vgg_align(&print, &part, 0.9));
    }
}

/* Pictures without structure coincide with nothing, be it with themselves. */
static void plain(void **state)
{
    struct pattern_view dark = pattern_whole;
    struct vgg_fingerprint print = print_of(1, &pattern_whole), black;

    (void)state;
    dark.gain = 0;
    black = print_of(1, &dark);
    assert_false(vgg_align(&black, &black, 0.01));
    assert_false(vgg_align(&black, &print, 0.01));
    assert_false(vgg_align(&print, &black, 0.01));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_copies), cmocka_unit_test(mirrors), cmocka_unit_test(made_copies),
        cmocka_unit_test(others),       cmocka_unit_test(far_off), cmocka_unit_test(plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
