/* The options of a training: defaults, what is refused and how, and their text. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/settings.h"

static struct vgg_train_options complete(struct vgg_train_options given)
{
    struct vgg_train_options settings;
    struct vgg_error error = {0};

    if (vgg_settings_complete(&given, NULL, &settings, &error) != VGG_OK)
        fail_msg("refused: %s", error.text);
    return settings;
}

/* The paper's recipe (section 3.1), as include/vgg_train.h has it. */
static void nothing_given_is_the_papers_recipe(void **state)
{
    struct vgg_train_options settings = complete((struct vgg_train_options){.seed = 3});

    (void)state;
    assert_string_equal(settings.arch, "D");
    assert_int_equal(settings.width, 64);
    assert_int_equal(settings.fc, 4096);
    assert_int_equal(settings.crop, 224);
    assert_int_equal(settings.scale_min, 256);
    assert_int_equal(settings.scale_max, 512);
    assert_int_equal(settings.validation_scale, 384);
    assert_int_equal(settings.batch, 256);
    assert_int_equal(settings.epochs, 74);
    assert_int_equal(settings.patience, 10);
    assert_int_equal(settings.drops, 3);
    assert_true(settings.dropout == 0.5 && settings.colour == 0.1 && settings.rate == 0.01);
    assert_true(settings.momentum == 0.9 && settings.decay == 5e-4);
    assert_true(settings.validation_fraction == 0.1);
    assert_int_equal(settings.init, VGG_TRAIN_HE);
    assert_int_equal(settings.threads, vgg_threads_default());
    assert_int_equal(settings.seed, 3);
    assert_false(settings.batch_norm || settings.no_mirror);
}

static void what_is_given_stays(void **state)
{
    const struct vgg_train_options given = {.arch = "A-LRN",
                                            .width = 8,
                                            .fc = 100,
                                            .crop = 64,
                                            .init = VGG_TRAIN_GLOROT,
                                            .dropout = 0.3,
                                            .validation_fraction = 0.2,
                                            .scale_min = 70,
                                            .scale_max = 90,
                                            .validation_scale = 64,
                                            .colour = 0.4,
                                            .no_mirror = true,
                                            .batch = 9,
                                            .epochs = 2,
                                            .patience = 1,
                                            .drops = 7,
                                            .rate = 0.2,
                                            .momentum = 0.5,
                                            .decay = 0.25,
                                            .seed = UINT64_MAX,
                                            .threads = 3,
                                            .output = "o",
                                            .scales = {64, 96},
                                            .scales_n = 2};
    struct vgg_train_options settings = complete(given);

    (void)state;
    assert_string_equal(settings.arch, "A-LRN");
    assert_true(settings.width == 8 && settings.fc == 100 && settings.crop == 64);
    assert_int_equal(settings.init, VGG_TRAIN_GLOROT);
    assert_true(settings.dropout == 0.3 && settings.validation_fraction == 0.2);
    assert_true(settings.scale_min == 70 && settings.scale_max == 90);
    assert_int_equal(settings.validation_scale, 64);
    assert_true(settings.colour == 0.4 && settings.no_mirror);
    assert_true(settings.batch == 9 && settings.epochs == 2);
    assert_true(settings.patience == 1 && settings.drops == 7);
    assert_true(settings.rate == 0.2 && settings.momentum == 0.5 && settings.decay == 0.25);
    assert_true(settings.seed == UINT64_MAX && settings.threads == 3);
    assert_string_equal(settings.output, "o");
    assert_true(settings.scales_n == 2 && settings.scales[1] == 96);
}

static void less_than_nothing_is_nothing(void **state)
{
    struct vgg_train_options settings = complete(
        (struct vgg_train_options){.dropout = -1, .colour = -1, .momentum = -1, .decay = -0.1});

    (void)state;
    assert_true(settings.dropout == 0 && settings.colour == 0 && settings.momentum == 0);
    assert_true(settings.decay == 0);
}

/* One scale alone is a fixed one; the validation's lies between the two. */
static void scales_depend_on_each_other(void **state)
{
    struct vgg_train_options settings = complete((struct vgg_train_options){.scale_min = 300});

    (void)state;
    assert_int_equal(settings.scale_max, 300);
    assert_int_equal(settings.validation_scale, 300);
    settings = complete((struct vgg_train_options){.scale_max = 260});
    assert_int_equal(settings.scale_min, 256);
    assert_int_equal(settings.validation_scale, 258);
}

static const struct refusal {
    struct vgg_train_options options;
    const char *text; /* part of the error's */
} refusals[] = {
    {{.arch = "F"}, "architecture \"F\" is not A, A-LRN, B, C, D or E"},
    {{.arch = ""}, "architecture \"\""},
    {{.arch = "d"}, "architecture \"d\""},
    {{.arch = "A-LRN", .batch_norm = true}, "A-LRN normalises by itself"},
    {{.width = 65537}, "width and fc must be at most 65536"},
    {{.fc = 65537}, "width and fc must be at most 65536"},
    {{.crop = 100}, "crop must be a multiple of 32"},
    {{.crop = 31}, "crop must be a multiple of 32"},
    {{.crop = UINT32_MAX - 31}, "crop must be a multiple of 32, at most"},
    {{.scale_min = 223}, "scales 223 to 223 must ascend from the crop (224)"},
    {{.crop = 512, .scale_max = 600}, "scales 256 to 600 must ascend from the crop (512)"},
    {{.scale_min = 300, .scale_max = 299}, "scales 300 to 299 must ascend"},
    {{.scale_max = VGG_SCALE_MAX + 1}, "must ascend from the crop (224) to at most"},
    {{.scale_min = UINT32_MAX}, "must ascend from the crop"},
    {{.validation_scale = 223}, "the validation scale must be from the crop (224)"},
    {{.validation_scale = VGG_SCALE_MAX + 1}, "the validation scale must be from the crop (224)"},
    {{.scales = {256, 223}, .scales_n = 2}, "test scale 223 is below the crop (224)"},
    {{.batch = 65537}, "batch must be at most 65536"},
    {{.dropout = 1}, "below 1"},
    {{.momentum = 1}, "below 1"},
    {{.decay = 1}, "below 1"},
    {{.validation_fraction = 1}, "below 1"},
    {{.rate = 1000}, "rate and colour below 1000"},
    {{.colour = 1000}, "rate and colour below 1000"},
    {{.squeeze = 1}, "squeeze must be from 0 to below 1"},
    {{.squeeze = -0.1}, "squeeze must be from 0 to below 1"},
    {{.squeeze = NAN}, "squeeze must be from 0 to below 1"},
    {{.erase = 1.1}, "erase and mixup"},
    {{.erase = -0.1}, "erase and mixup"},
    {{.erase = NAN}, "erase and mixup"},
    {{.mixup = 1.1}, "erase and mixup"},
    {{.mixup = NAN}, "erase and mixup"},
    {{.dropout = NAN}, "below 1"},
    {{.momentum = NAN}, "below 1"},
    {{.decay = NAN}, "below 1"},
    {{.validation_fraction = NAN}, "below 1"},
    {{.rate = NAN}, "rate and colour below 1000"},
    {{.colour = NAN}, "rate and colour below 1000"},
    {{.rate = INFINITY}, "rate and colour below 1000"},
    {{.rate = -1}, "rate and validation fraction must be above 0"},
    {{.validation_fraction = -0.1}, "rate and validation fraction must be above 0"},
};

static void refusals_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct vgg_train_options settings;
        struct vgg_error error = {0};

        assert_int_equal(vgg_settings_complete(&refusals[i].options, NULL, &settings, &error),
                         VGG_BAD_ARGUMENT);
        assert_int_equal(error.status, VGG_BAD_ARGUMENT);
        if (strstr(error.text, refusals[i].text) == NULL)
            fail_msg("refusal %zu: \"%s\" lacks \"%s\"", i, error.text, refusals[i].text);
    }
}

/* The last values that are taken. */
static void limits_are_allowed(void **state)
{
    (void)state;
    (void)complete((struct vgg_train_options){.width = 65536, .fc = 65536, .batch = 65536});
    (void)complete((struct vgg_train_options){
        .scale_min = 224, .scale_max = VGG_SCALE_MAX, .validation_scale = VGG_SCALE_MAX});
    (void)complete((struct vgg_train_options){.crop = 32, .scale_min = 32, .validation_scale = 32});
    (void)complete((struct vgg_train_options){
        .arch = "E", .batch_norm = true, .dropout = 0.99, .momentum = 0.99, .rate = 999});
}

static void sizes_of_the_network(void **state)
{
    struct vgg_train_options settings =
        complete((struct vgg_train_options){.width = 6, .fc = 50, .crop = 96});
    const struct vgg_base none = {0};
    struct vgg_net_sizes sizes = vgg_settings_sizes(&settings, &none, 7);

    (void)state;
    assert_true(sizes.convs[0] == 6 && sizes.convs[2] == 12 && sizes.convs[12] == 48);
    assert_true(sizes.fc[0] == 50 && sizes.fc[1] == 50 && sizes.fc[2] == 7);
    assert_int_equal(sizes.positions_kernel, 3);
}

static void the_text_names_every_setting(void **state)
{
    struct vgg_train_options settings = complete((struct vgg_train_options){
        .width = 16, .batch_norm = true, .init = VGG_TRAIN_GAUSSIAN, .seed = 5, .no_mirror = true});
    char text[VGG_SETTINGS_TEXT_BYTES];

    (void)state;
    vgg_settings_format(&settings, NULL, NULL, 6, text);
    assert_string_equal(text,
                        "arch=D width=16 fc=4096 classes=6 crop=224 batch-norm=on init=gaussian "
                        "dropout=0.5 scale-min=256 scale-max=512 validation-scale=384 mirror=off "
                        "colour=0.1 batch=256 patience=10 rate=0.01 momentum=0.9 decay=0.0005 "
                        "seed=5");
    settings.init = VGG_TRAIN_GLOROT;
    settings.init_from = "some/model";
    vgg_settings_format(&settings, NULL, NULL, 6, text);
    assert_non_null(strstr(text, " init=glorot+model "));
    settings.turn = true;
    settings.squeeze = 0.2;
    settings.erase = 0.5;
    settings.mixup = 0.25;
    vgg_settings_format(&settings, NULL, NULL, 6, text);
    assert_non_null(strstr(text, " seed=5 turn=on squeeze=0.2 erase=0.5 mixup=0.25"));
}

/* At its longest it is not cut. */
static void the_text_has_room(void **state)
{
    const double longest = -1.23456e-300;
    const uint32_t most = UINT32_MAX;
    struct vgg_train_options settings = {.arch = "A-LRN",
                                         .width = most,
                                         .fc = most,
                                         .crop = most,
                                         .init = VGG_TRAIN_GAUSSIAN,
                                         .init_from = "",
                                         .dropout = longest,
                                         .scale_min = most,
                                         .scale_max = most,
                                         .validation_scale = most,
                                         .colour = longest,
                                         .batch = most,
                                         .patience = most,
                                         .rate = longest,
                                         .momentum = longest,
                                         .decay = longest,
                                         .seed = UINT64_MAX,
                                         .turn = true,
                                         .squeeze = longest,
                                         .erase = longest,
                                         .mixup = longest};
    char text[VGG_SETTINGS_TEXT_BYTES];

    (void)state;
    vgg_settings_format(&settings, NULL, NULL, most, text);
    assert_non_null(strstr(text, " seed=18446744073709551615 turn=on squeeze=-1.23456e-300 "
                                 "erase=-1.23456e-300 mixup=-1.23456e-300"));
}

/* Texts of two settings that differ in one. */
static void assert_difference(const struct vgg_train_options *saved,
                              const struct vgg_train_options *wanted, uint32_t classes,
                              const char *expected)
{
    char a[VGG_SETTINGS_TEXT_BYTES], b[VGG_SETTINGS_TEXT_BYTES];
    struct vgg_error error = {0};

    vgg_settings_format(saved, NULL, NULL, 6, a);
    vgg_settings_format(wanted, NULL, NULL, classes, b);
    assert_int_equal(vgg_settings_compare(a, b, &error), VGG_BAD_ARGUMENT);
    assert_string_equal(error.text, expected);
}

static void the_first_difference_is_told(void **state)
{
    const struct vgg_train_options saved = complete((struct vgg_train_options){.width = 64});
    struct vgg_train_options other = saved;
    char text[VGG_SETTINGS_TEXT_BYTES];

    (void)state;
    vgg_settings_format(&saved, NULL, NULL, 6, text);
    assert_int_equal(vgg_settings_compare(text, text, NULL), VGG_OK);
    assert_difference(&saved, &saved, 7, "the checkpoint has classes=6, and the options classes=7");
    other.width = 6;
    assert_difference(&saved, &other, 9, "the checkpoint has width=64, and the options width=6");
    other = saved;
    other.batch_norm = true;
    assert_difference(&saved, &other, 6,
                      "the checkpoint has batch-norm=off, and the options batch-norm=on");
    other = saved;
    other.seed = 10;
    assert_difference(&saved, &other, 6, "the checkpoint has seed=0, and the options seed=10");
}

/* What a checkpoint of another version may have. */
static void texts_of_other_lengths_differ(void **state)
{
    struct vgg_error error = {0};

    (void)state;
    assert_int_equal(vgg_settings_compare("a=1 b=2", "a=1", &error), VGG_BAD_ARGUMENT);
    assert_string_equal(error.text, "the checkpoint has b=2, and the options ");
    assert_int_equal(vgg_settings_compare("a=1", "a=1 b=2", NULL), VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_settings_compare("", "a=1", NULL), VGG_BAD_ARGUMENT);
    assert_int_equal(vgg_settings_compare("", "", NULL), VGG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_is_the_papers_recipe),
        cmocka_unit_test(what_is_given_stays),
        cmocka_unit_test(less_than_nothing_is_nothing),
        cmocka_unit_test(scales_depend_on_each_other),
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(limits_are_allowed),
        cmocka_unit_test(sizes_of_the_network),
        cmocka_unit_test(the_text_names_every_setting),
        cmocka_unit_test(the_text_has_room),
        cmocka_unit_test(the_first_difference_is_told),
        cmocka_unit_test(texts_of_other_lengths_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
