/* The result in words and as JSON: the error with its interval, and what a poor one says last. */
#include "check.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/capture.h"
#include "training/telling.h"
#include "training/telling_json.h"

static char *words[] = {(char *)"train", (char *)"my photos"};
static const struct census census = {.classes_n = 3, .pictures = 60, .least = 20, .most = 20};
static struct base base;
static struct facts facts;

static struct vgg_train_result result_of(double error)
{
    return (struct vgg_train_result){.best_error = -1,
                                     .measured = 60,
                                     .error = error,
                                     .nll = {0.5, 0.25},
                                     .ece = {0.051, 0.032},
                                     .ece_noise = 0.057,
                                     .temperature = 1.5,
                                     .strength = 0.01,
                                     .typicality = 60,
                                     .reject = 0.01,
                                     .unknown_auroc = -1,
                                     .unknown_caught = -1};
}

static int setup(void **state)
{
    (void)state;
    base = (struct base){.kind = BASE_EMBEDDED};
    facts = (struct facts){.census = &census,
                           .base = &base,
                           .options = " --output x.safetensors",
                           .output = "x.safetensors",
                           .argc = 2,
                           .argv = words,
                           .freeze = VGG_FREEZE_FEATURES,
                           .plan = {.folds = 5}};
    return 0;
}

static void tell(const struct vgg_train_result *result, struct capture *out, struct capture *err)
{
    capture_begin(out, STDOUT_FILENO);
    capture_begin(err, STDERR_FILENO);
    telling_result(&facts, result);
    capture_end(err);
    capture_end(out);
}

static void expect(const struct capture *capture, const char *text)
{
    if (strstr(capture->text, text) == NULL)
        fail_msg("no \"%s\" in: %s", text, capture->text);
}

static void a_good_result(void **state)
{
    struct vgg_train_result result = result_of(4.0 / 60);
    struct capture out, err;

    (void)state;
    tell(&result, &out, &err);
    assert_string_equal(err.text, "");
    expect(&out, "4 of 60 pictures wrong when left out: 6.7 % (2.6 to 15.9 with 95 % certainty; "
                 "always naming the largest class: 66.7)");
    expect(&out, "on average a score is 3.2 points of 100 away from how often it is right (5.1 "
                 "before scores were calibrated; of 60 pictures chance alone makes that 5.7)");
    assert_null(strstr(out.text, "--freeze 4")); /* the embedded base does not carry that far */
    expect(&out, "\"known\" is false: below a typicality of 0.0328 (from 60 pictures)");
    expect(&out, "a folder _unknown with pictures of other things shows it");
    expect(&out, "MODEL=x.safetensors"); /* the tests run in a checkout */
    expect(&out, "curl -H 'Content-Type: application/json' -d '{\"model\":\"");
}

/* Of what calibrating has not changed nothing is said. */
static void a_temperature_of_one(void **state)
{
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    result.temperature = 0.96;
    tell(&result, &out, &err);
    expect(&out, "how often it is right (of 60 pictures chance alone makes that 5.7)");
}

/* What else may help, and what that costs. */
static void a_hint_for_fewer_errors(void **state)
{
    struct vgg_train_result result = result_of(0.1);
    struct capture out, err;

    (void)state;
    base.kind = BASE_PUBLISHED;
    facts.plan.pictures = 499;
    tell(&result, &out, &err);
    expect(&out, "the same with --freeze 4, which trains more layers and takes longer\n");
    expect(&out, "of fewer than about 500 photographs its error can hardly be told, and it has no "
                 "\"known\"");
    facts.plan.validation = 1;
    tell(&result, &out, &err);
    expect(&out, "takes longer\n");
    assert_null(strstr(out.text, "500"));
}

/* All is told but what needs the file. */
static void no_file(void **state)
{
    struct vgg_train_result result = result_of(25.0 / 60);
    struct capture out, err;

    (void)state;
    facts.output = NULL;
    facts.report = "r.html";
    tell(&result, &out, &err);
    expect(&out, "25 of 60 pictures wrong");
    expect(&out, "below a typicality of 0.0328");
    assert_null(strstr(out.text, "is written"));
    assert_null(strstr(out.text, "r.html"));
    assert_null(strstr(out.text, "serve"));
    assert_string_equal(err.text, "");
}

static void copies_are_named(void **state)
{
    static const char *const classes[] = {"glass", "metal"};
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    copies_classes(&facts.copies, classes, 2);
    copies_add(&facts.copies, &(struct vgg_train_picture){.path = "p/glass/a.jpg"});
    copies_add(&facts.copies,
               &(struct vgg_train_picture){.path = "p/metal/b.jpg", .label = 1, .copy = true});
    tell(&result, &out, &err);
    copies_fini(&facts.copies);
    expect(&out,
           "likely in a wrong folder: a.jpg in glass and b.jpg in metal are the same picture\n");
    assert_null(strstr(out.text, "trained on"));
}

/* The last line is the command that mends it. */
static void a_poor_result(void **state)
{
    struct vgg_train_result result = result_of(25.0 / 60);
    struct capture out, err;

    (void)state;
    tell(&result, &out, &err);
    assert_true(is_one_line(err.text));
    expect(&err, "42 % wrong is poor");
    expect(&err, " train 'my photos' --output x.safetensors --base vgg16\n");
    base.kind = BASE_PUBLISHED; /* nothing better is known */
    tell(&result, &out, &err);
    assert_string_equal(err.text, "");
}

/* A fifth, or half of what naming the largest class leaves wrong. */
static void what_is_poor(void **state)
{
    const struct census two = {.classes_n = 2, .pictures = 100, .least = 10, .most = 90};
    struct vgg_train_result result = result_of(0.2);

    (void)state;
    assert_false(facts_poor(&facts, &result));
    result.error = 0.21;
    assert_true(facts_poor(&facts, &result));
    facts.census = &two;
    result.error = 0.04;
    assert_false(facts_poor(&facts, &result));
    result.error = 0.06;
    assert_true(facts_poor(&facts, &result));
    result.measured = 0;
    assert_false(facts_poor(&facts, &result));
}

static void of_unknown_pictures(void **state)
{
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    result.unknown = 20;
    result.unknown_caught = 0.25;
    result.unknown_auroc = 0.936;
    tell(&result, &out, &err);
    expect(&out, "finds 25 % of the 20 pictures in _unknown (AUROC 0.936)");
    assert_null(strstr(out.text, "shows it"));
}

/* The report is named where it is there. */
static void a_report_is_named(void **state)
{
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    facts.report = "r.html";
    tell(&result, &out, &err);
    expect(&out, "r.html shows the mistakes");
    facts.unreported = true;
    tell(&result, &out, &err);
    assert_null(strstr(out.text, "r.html"));
}

static void no_typicality(void **state)
{
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    result.typicality = 0;
    snprintf(result.typicality_reason, sizeof result.typicality_reason, "too few");
    tell(&result, &out, &err);
    expect(&out, "cannot tell what is none of these: too few");
}

static void as_json(void **state)
{
    struct vgg_train_result result = result_of(25.0 / 60);
    struct capture out, err;
    json_t *json, *members;

    (void)state;
    facts.json = true;
    tell(&result, &out, &err);
    assert_true(is_one_line(out.text));
    assert_true(is_one_line(err.text)); /* the advice stays the last line */
    json = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    members = json_object_get(json, "result");
    assert_int_equal(json_integer_value(json_object_get(members, "measured")), 60);
    assert_true(json_is_true(json_object_get(members, "poor")));
    assert_true(json_is_null(json_object_get(members, "unknown_auroc")));
    assert_true(json_real_value(json_object_get(members, "error_least")) > 0.29);
    assert_true(json_real_value(json_object_get(members, "error_most")) < 0.55);
    json_decref(json);

    char *line = telling_plan_json(&facts);

    json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "plan"), "base")),
                        "embedded");
    json_decref(json);
    free(line);
}

/* The fitted start is an epoch of its own in the table, and may be what the file holds. */
static void epochs(void **state)
{
    static const struct vgg_train_epoch start = {.loss = NAN,
                                                 .error = NAN,
                                                 .validation_loss = 0.5,
                                                 .validation_error = 0.125,
                                                 .best = true},
                                        next = {.epoch = 1, .rate = 0.001, .validation_loss = 0.75};
    struct vgg_train_result result = result_of(0);
    struct capture out, err;

    (void)state;
    capture_begin(&out, STDOUT_FILENO);
    telling_epoch(&facts, &start);
    telling_epoch(&facts, &next);
    fflush(stdout);
    capture_end(&out);
    expect(&out, "\n    0         -         -         -    0.5000    12.50% *\n    1     0.001 ");
    result.epochs = 4;
    result.best_error = 0.125;
    tell(&result, &out, &err);
    expect(&out, "x.safetensors holds epoch 0, the fitted start, validation error 12.50%\n");
    result.best_epoch = 3;
    tell(&result, &out, &err);
    expect(&out, "x.safetensors holds epoch 3, validation error 12.50%\n");
    result.best_error = -1;
    tell(&result, &out, &err);
    expect(&out, "x.safetensors is written\n");
}

/* A state is gone on with where there may be one: that of features is another training's. */
static void goes_on(void **state)
{
    static const char *const said[] = {" train 'my photos' --output x.safetensors --base "
                                       "embedded\n",
                                       "--base embedded --resume\n"};
    char saved[] = "/tmp/vgg-telling-XXXXXX";
    struct vgg_train_options options = {.checkpoint = saved, .features_cache = "cache"};
    int fd = mkstemp(saved);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; i < 2; i++) {
        struct capture err;

        options.freeze = i == 0 ? VGG_FREEZE_FEATURES : VGG_FREEZE_CONVS;
        capture_begin(&err, STDERR_FILENO);
        telling_resume(&facts, &options);
        capture_end(&err);
        expect(&err, said[i]);
    }
    assert_int_equal(unlink(saved), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_good_result, setup),
        cmocka_unit_test_setup(a_temperature_of_one, setup),
        cmocka_unit_test_setup(a_hint_for_fewer_errors, setup),
        cmocka_unit_test_setup(no_file, setup),
        cmocka_unit_test_setup(copies_are_named, setup),
        cmocka_unit_test_setup(a_poor_result, setup),
        cmocka_unit_test_setup(what_is_poor, setup),
        cmocka_unit_test_setup(of_unknown_pictures, setup),
        cmocka_unit_test_setup(a_report_is_named, setup),
        cmocka_unit_test_setup(no_typicality, setup),
        cmocka_unit_test_setup(as_json, setup),
        cmocka_unit_test_setup(epochs, setup),
        cmocka_unit_test_setup(goes_on, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
