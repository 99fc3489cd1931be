/* What pictures come to. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "fit/calibration.h"
#include "report/tally.h"
#include "server/report/report_maker.h"

enum { CLASSES = 3 };

static struct html_report *new_report(void)
{
    struct html_report *report;
    char name[] = "/tmp/vgg-tally-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(html_report_create(name, &report, NULL), VGG_OK);
    assert_int_equal(unlink(name), 0);
    for (unsigned i = 0; i < CLASSES; i++)
        html_report_class(report, i == 0 ? "cup" : "mug");
    return report;
}

static void cells_and_mistakes(void **state)
{
    static const struct {
        uint32_t label, answer;
        float score;
    } given[] = {{1, 1, 0.9F},
                 {0, 1, 0.6F},
                 {1, 1, 0.7F},
                 {0, 0, 0.8F},
                 {0, 1, 0.95F},
                 {1, 0, 0.6F},
                 {MAKER_UNKNOWN, 1, 0.99F}};
    static const size_t order[] = {3, 4, 1, 5, 2, 0}, mistakes[] = {4, 1, 5};
    struct html_report *report = new_report();
    struct tally tally;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(given); i++)
        report_add(report, CLASSES, "x.jpg", given[i].label, given[i].answer, given[i].score);
    assert_true(tally_init(&tally, report, 0));
    assert_int_equal(tally.known, 6);
    assert_int_equal(tally.unknown, 1);
    assert_int_equal(tally.judged, COUNT_OF(order));
    assert_memory_equal(tally.order, order, sizeof order);
    assert_int_equal(tally.wrong, COUNT_OF(mistakes));
    assert_memory_equal(tally.mistakes, mistakes, sizeof mistakes);
    assert_int_equal(tally.cells_n, 4);
    assert_int_equal(tally.cells[1].label, 0);
    assert_int_equal(tally.cells[1].answer, 1);
    assert_int_equal(tally.cells[1].first, 1);
    assert_int_equal(tally.cells[1].n, 2);
    assert_int_equal(tally.answered_of[1], 4);
    assert_int_equal(tally.right_of[1], 2);
    assert_int_equal(tally.met_n, 2); /* nothing is of the third class, nor was answered so */
    tally_fini(&tally);
    html_report_destroy(report);
}

/* Ten pictures of 0.8, half of them right: 0.3 from what they claim. */
static void confidence(void **state)
{
    struct html_report *report = new_report();
    struct tally tally;

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        report_add(report, CLASSES, "x.jpg", i % 2, 0, 0.8F);
    assert_true(tally_init(&tally, report, 0));
    assert_true(fabs(vgg_reliability_error(&tally.reliability) - 0.3) < 1e-6);
    assert_int_equal(tally.reliability.bins[12].n, 10); /* of 15 */
    assert_int_equal(tally.reliability.bins[12].right, 5);
    tally_fini(&tally);
    html_report_destroy(report);
}

/* What chance makes of scores is what a training says of them; of one sure answer it is little. */
static void noise(void **state)
{
    enum { PICTURES = 60 };
    double posteriors[PICTURES * CLASSES];
    uint32_t labels[PICTURES];
    struct html_report *report = new_report();
    struct vgg_calibration said;
    struct tally tally;

    (void)state;
    for (uint32_t i = 0; i < PICTURES; i++) {
        float score = 0.4F + 0.01F * (float)i;

        labels[i] = i % CLASSES;
        report_add(report, CLASSES, "x.jpg", labels[i], 2, score);
        for (size_t c = 0; c < CLASSES; c++)
            posteriors[i * CLASSES + c] = (double)(c == 2 ? score : (1 - score) / CLASSES);
    }
    said = vgg_calibration_of(posteriors, PICTURES, CLASSES, labels);
    assert_true(tally_init(&tally, report, 0));
    assert_true(fabs(vgg_reliability_error(&tally.reliability) - said.ece) < 1e-12);
    assert_true(fabs(vgg_reliability_noise(&tally.reliability) - said.noise) < 1e-12);
    tally_fini(&tally);
    html_report_destroy(report);
    report = new_report();
    report_add(report, CLASSES, "x.jpg", 0, 0, 0.99F);
    assert_true(tally_init(&tally, report, 0));
    assert_true(vgg_reliability_noise(&tally.reliability) < 0.04); /* 2 * 0.99 * 0.01 */
    tally_fini(&tally);
    html_report_destroy(report);
}

/* A score that is no number is none; with no other the picture was not judged. */
static void scores_that_are_no_numbers(void **state)
{
    struct html_report *report = new_report();
    const float none[CLASSES] = {NAN, NAN, NAN}, one[CLASSES] = {NAN, 0.25F, NAN};
    struct tally tally;

    (void)state;
    html_report_picture(report, &(struct vgg_train_picture){.path = "a", .posterior = none});
    html_report_picture(
        report, &(struct vgg_train_picture){.path = "b", .posterior = one, .typicality = NAN});
    html_report_picture(report, &(struct vgg_train_picture){.path = "c"});
    assert_true(tally_init(&tally, report, 0.01));
    assert_int_equal(tally.known, 3);
    assert_int_equal(tally.judged, 1);
    assert_int_equal(tally.wrong, 1);
    assert_int_equal(tally.answered_of[1], 1);
    assert_true(isfinite(vgg_reliability_error(&tally.reliability)) &&
                isfinite(vgg_reliability_noise(&tally.reliability)));
    assert_int_equal(tally.known_typical, 2);
    tally_fini(&tally);
    html_report_destroy(report);
}

static void typicality(void **state)
{
    static const double known[] = {0.5, 0.009, 0.01, 0.001}, unknown[] = {0.002, 0.03, 0.5};
    static const size_t refused[] = {3, 1}, admitted[] = {6, 5};
    struct html_report *report = new_report();
    struct tally tally;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        html_report_picture(report,
                            &(struct vgg_train_picture){.path = "k", .typicality = known[i]});
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        html_report_picture(report, &(struct vgg_train_picture){.path = "u",
                                                                .label = MAKER_UNKNOWN,
                                                                .typicality = unknown[i]});
    assert_true(tally_init(&tally, report, 0.01));
    assert_int_equal(tally.known_typical, 4);
    assert_int_equal(tally.unknown_typical, 3);
    assert_int_equal(tally.refused_n, COUNT_OF(refused));
    assert_memory_equal(tally.refused, refused, sizeof refused);
    assert_int_equal(tally.admitted_n, COUNT_OF(admitted));
    assert_memory_equal(tally.admitted, admitted, sizeof admitted);
    assert_true(fabs(tally.auroc - 4.5 / 12) < 1e-12); /* pairs in order; equal ones are half */
    tally_fini(&tally);
    html_report_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_and_mistakes),
        cmocka_unit_test(confidence),
        cmocka_unit_test(noise),
        cmocka_unit_test(scores_that_are_no_numbers),
        cmocka_unit_test(typicality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
