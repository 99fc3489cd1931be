/* What the page of a training says of its result. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/train_report.h"

/* Of 60 known pictures the least level is 2/61, as the server has it. */
static void the_level_is_the_one_that_is_served(void **state)
{
    static const struct vgg_train_picture picture = {
        .path = "a.jpg", .label = 0, .typicality = 0.02, .group = SIZE_MAX};
    const struct facts facts = {.options = ""};
    const struct vgg_train_options options = {.output = "x.safetensors"};
    const struct vgg_train_result result = {.typicality = 60, .reject = 0.01};
    char path[] = "/tmp/vgg-page-XXXXXX", page[1 << 17];
    struct html_report *report;
    FILE *file;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(html_report_create(path, &report, NULL), VGG_OK);
    html_report_class(report, "a");
    html_report_picture(report, &picture);
    assert_true(train_report_write(report, "photos", &options, &facts, &result));
    html_report_destroy(report);
    file = fopen(path, "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    assert_non_null(strstr(page, "below a typicality of 0.0328. Of 1 pictures of the classes that "
                                 "is so for 1."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_level_is_the_one_that_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
