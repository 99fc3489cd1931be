/* The page of a report: whole, safe, within its bound, whatever it was told. */
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "jpeg_maker.h"
#include "model_maker.h"
#include "report/jpeg.h"
#include "report/thumbnails.h"
#include "server/report/report_maker.h"
#include "text/base64.h"
#include "text/utf8.h"

static char directory[] = "/tmp/vgg-report-XXXXXX";
static char target[sizeof directory + 32];
static char path[sizeof directory + 64];

static const struct html_report_subject evaluated = {.directory = "photos", .name = "a model"};

/* ---------------------------------------------------------------- helpers -------------------- */

static const char *in_directory(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* A photograph, in the directory. */
static const char *put_jpeg(const char *name, uint32_t width, uint32_t height)
{
    const struct jpeg_spec spec = {.width = width, .height = height};
    uint8_t *bytes;
    size_t size;

    assert_true(jpeg_make(&spec, &bytes, &size));
    maker_write(in_directory(name), bytes, size);
    free(bytes);
    return path;
}

static struct html_report *new_report(void)
{
    struct html_report *report;
    struct vgg_error error = {0};

    assert_int_equal(html_report_create(target, &report, &error), VGG_OK);
    return report;
}

static char *read_page(size_t *size)
{
    FILE *file = fopen(target, "r");
    struct stat info;
    char *bytes;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    bytes = malloc((size_t)info.st_size + 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)info.st_size, file);
    assert_int_equal(*size, info.st_size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static size_t count(const char *page, const char *piece)
{
    size_t n = 0;

    for (; (page = strstr(page, piece)) != NULL; page += strlen(piece))
        n++;
    return n;
}

/* Write, end, and read: malloc'ed. Every page is whole, and nobody's names are in its script. */
static char *write_page(struct html_report *report, const struct html_report_subject *subject)
{
    struct vgg_error error = {0};
    size_t size;
    char *page;

    assert_int_equal(html_report_write(report, subject, &error), VGG_OK);
    html_report_destroy(report);
    page = read_page(&size);
    assert_true(size <= HTML_REPORT_BYTES_MAX);
    assert_int_equal(strlen(page), size);
    assert_memory_equal(page, "<!doctype html>\n", 16);
    assert_string_equal(page + size - 8, "</html>\n");
    assert_int_equal(count(page, "<script"), 1);
    assert_int_equal(count(page, "</script"), 1);
    assert_int_equal(count(page, "<section"), count(page, "</section>"));
    assert_int_equal(count(page, "<figure>"), count(page, "</figure>"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "inf<"));
    return page;
}

/* ---------------------------------------------------------------- contents ------------------- */

/* Names as classes, files, reasons, and in what is said. */
static void names_are_never_markup(void **state)
{
    static const char *const names[] = {"<script>alert(1)</script>", "\"' onclick='alert(1)",
                                        "]]></style></script><img src=x onerror=alert(1)>",
                                        "\xe2\x80\xaegpj.exe", "\xff\xfe\xc3"};
    const struct html_report_subject subject = {
        .directory = names[0], .name = names[2], .model = "it's \"<b>\".safetensors"};
    struct html_report *report = new_report();
    char *page;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        html_report_class(report, names[i]);
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        report_add(report, COUNT_OF(names), names[i], i, (i + 1) % COUNT_OF(names), 0.9F);
        html_report_left_out(report, names[i], names[(i + 1) % COUNT_OF(names)]);
        html_report_say(report, "%s", names[i]);
    }
    page = write_page(report, &subject);
    assert_true(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;") > 5);
    assert_null(strstr(page, "<img"));
    assert_int_equal(count(page, "</style>"), 1);
    assert_null(strstr(page, "\"' onclick"));
    assert_null(strstr(page, "\xe2\x80\xae"));
    assert_true(utf8_valid(page));
    assert_non_null(strstr(page, "vgg serve --model &#39;it&#39;\\&#39;&#39;s &quot;&lt;b&gt;"));
    free(page);
}

static void nothing(void **state)
{
    struct html_report *report = new_report();
    char *page = write_page(report, &evaluated);

    (void)state;
    assert_non_null(strstr(page, "No picture was judged."));
    assert_non_null(strstr(page, "Nothing was left out."));
    assert_null(strstr(page, "<svg class"));
    free(page);
}

static void one_class(void **state)
{
    struct html_report *report = new_report();
    char *page;

    (void)state;
    html_report_class(report, "cup");
    for (unsigned i = 0; i < 3; i++)
        report_add(report, 1, "gone.jpg", 0, 0, 1);
    page = write_page(report, &evaluated);
    assert_non_null(strstr(page, "0.0 % wrong."));
    assert_non_null(strstr(page, "There are no mistakes."));
    assert_non_null(strstr(page, "href=\"#cell-0-0\">3</a>"));
    assert_int_equal(count(page, "cannot be read any more"), 3);
    free(page);
}

/* A training that diverges, pictures without answers, a result that measured nothing. */
static void numbers_that_are_none(void **state)
{
    const struct vgg_train_result result = {
        .error = -1, .temperature = NAN, .unknown_auroc = -1, .typicality_reason = "too few"};
    const struct html_report_subject subject = {
        .directory = "photos", .model = "m.safetensors", .training = &result};
    const float posterior[2] = {NAN, NAN};
    struct html_report *report = new_report();
    char *page;

    (void)state;
    html_report_class(report, "cup");
    html_report_class(report, "mug");
    html_report_picture(
        report, &(struct vgg_train_picture){
                    .path = "a.jpg", .posterior = posterior, .typicality = NAN, .group = SIZE_MAX});
    for (uint32_t i = 1; i <= 3; i++)
        html_report_epoch(report, &(struct vgg_train_epoch){.epoch = i,
                                                            .loss = i == 2 ? NAN : INFINITY,
                                                            .validation_loss = 1,
                                                            .error = NAN,
                                                            .validation_error = NAN});
    page = write_page(report, &subject);
    assert_non_null(strstr(page, "Learning curve"));
    assert_non_null(strstr(page, "<path class=\"curve\" d=\"M72.0 10.0L302.0 10.0L532.0 10.0\"/>"));
    assert_int_equal(count(page, "d=\"\"/>"), 3); /* no line where there are no numbers */
    assert_non_null(strstr(page, "cannot tell what is none of its classes: too few."));
    free(page);
}

/* What a training tells of typicality, of calibration and of its epochs. */
static void a_training(void **state)
{
    const struct vgg_train_result result = {
        .temperature = 1.5, .ece = {0.2, 0.05}, .nll = {0.9, 0.6}, .unknown = 1, .reject = 0.01};
    const struct html_report_subject subject = {
        .directory = "photos", .model = "m.safetensors", .reject = 0.01, .training = &result};
    const float posterior[2] = {0.75F, 0.25F};
    struct vgg_train_picture picture = {.path = "a.jpg", .posterior = posterior, .group = 1};
    struct html_report *report = new_report();
    char *page;

    (void)state;
    html_report_class(report, "cup");
    html_report_class(report, "mug");
    picture.typicality = 0.5;
    html_report_picture(report, &picture);
    picture.group = 2;
    picture.label = MAKER_UNKNOWN;
    picture.typicality = 0.001;
    html_report_picture(report, &picture);
    html_report_epoch(report, &(struct vgg_train_epoch){.epoch = 1, .validation_loss = 2});
    page = write_page(report, &subject);
    assert_non_null(strstr(page, "Each is judged by a layer that was fitted without it."));
    assert_non_null(strstr(page, "from 0.200 to 0.050"));
    assert_non_null(strstr(page, "for 0; of 1 that are of none of them, for 1 (AUROC 1.000)"));
    assert_non_null(strstr(page, "class=\"bar trained\""));
    assert_int_equal(count(page, "<svg class=\"chart\""), 4);
    free(page);
}

/* ---------------------------------------------------------------- pictures ------------------- */

/* The thumbnail is the picture, small. */
static void thumbnails(void **state)
{
    struct html_report *report = new_report();
    struct vgg_image_info info;
    char *page, *data, *end;
    size_t size;

    (void)state;
    html_report_class(report, "cup");
    html_report_class(report, "mug");
    report_add(report, 2, put_jpeg("wide.jpg", 400, 100), 0, 1, 0.9F);
    report_add(report, 2, put_jpeg("narrow.jpg", 4, 3000), 0, 1, 0.8F); /* no thumbnail of that */
    page = write_page(report, &evaluated);
    data = strstr(page, "data:image/jpeg");
    assert_non_null(data);
    end = strchr(data, '"');
    assert_true(base64_decode(data, (size_t)(end - data), &size));
    assert_int_equal(vgg_image_peek(data, size, NULL, &info, NULL), VGG_OK);
    assert_int_equal(info.width, THUMBNAIL_SIDE);
    assert_int_equal(info.height, THUMBNAIL_SIDE / 4);
    free(page);
}

static void copies(void **state)
{
    static const struct {
        const char *path;
        uint32_t label;
        uint32_t width;
    } given[] = {{"a.jpg", 0, 40}, {"b.jpg", 1, 40}, {"c.jpg", 0, 48}, {"d.jpg", 0, 48}};
    struct html_report *report = new_report();
    char *page;

    (void)state;
    html_report_class(report, "cup");
    html_report_class(report, "mug");
    for (size_t i = 0; i < COUNT_OF(given); i++)
        report_add(report, 2, put_jpeg(given[i].path, given[i].width, 40), given[i].label, 0, 0.9F);
    page = write_page(report, &evaluated);
    assert_non_null(strstr(page, "2 groups of pictures that are one"));
    assert_non_null(strstr(page, "different classes</span>. 2 copies"));
    assert_int_equal(count(page, "2 copies"), 2);
    free(page);
    assert_int_equal(unlink(in_directory("d.jpg")), 0);
}

static void leaks(void **state)
{
    static const struct {
        size_t group;
        bool validation, copy;
    } given[] = {
        {5, false, false}, {5, true, false}, {6, true, false}, {7, false, false}, {7, false, true}};
    const struct vgg_train_result result = {0};
    const struct html_report_subject subject = {.directory = "photos", .training = &result};
    struct html_report *report = new_report();
    char *page;

    (void)state;
    html_report_class(report, "cup");
    for (size_t i = 0; i < COUNT_OF(given); i++)
        html_report_picture(report, &(struct vgg_train_picture){.path = "a.jpg",
                                                                .typicality = -1,
                                                                .group = given[i].group,
                                                                .validation = given[i].validation,
                                                                .copy = given[i].copy});
    page = write_page(report, &subject);
    assert_non_null(strstr(page, "both trained on and validated on: 1. An error rate that leaks"));
    assert_non_null(strstr(page, "Leak</span>: trained on, and validated on. "
                                 "2 pictures that nearly coincide"));
    assert_int_equal(count(page, "2 copies"), 1);
    free(page);
}

/* ---------------------------------------------------------------- bounds --------------------- */

/* A picture that makes a large thumbnail. */
static void put_noise(const char *name)
{
    static uint8_t pixels[THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3];
    static unsigned char bytes[1 << 17];
    uint32_t value = 1;

    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)((value = value * 1664525 + 1013904223) >> 24);
    maker_write(in_directory(name), bytes,
                jpeg_encode(pixels, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 95, bytes, sizeof bytes));
}

/* As many pictures as anybody has, with names as long and as hostile as they can be. */
static void many(void **state)
{
    enum { CLASSES = MAKER_CLASSES_MAX, PICTURES = 20000 };
    struct html_report *report = new_report();
    char name[4096], *page;

    (void)state;
    put_noise("same.jpg");
    memset(name, '/', sizeof name);
    memcpy(name, path, strlen(path)); /* opens nothing, */
    name[sizeof name - 1] = '\0';
    for (uint32_t i = 0; i < CLASSES; i++) {
        char class[256];

        memset(class, '"', sizeof class);
        snprintf(class, sizeof class, "%250u", i);
        for (char *c = class; *c == ' '; c++)
            *c = '"';
        html_report_class(report, class);
    }
    for (uint32_t i = 0; i < PICTURES; i++) { /* the first classes have more */
        uint32_t label = i % 5 == 0 ? i % 200 : i % CLASSES;

        report_add(report, CLASSES, i % 8 == 0 ? name : path, label, (label + 1) % CLASSES,
                   (float)(i % 97) / 97);
    }
    for (unsigned i = 0; i < 5000; i++)
        html_report_left_out(report, name, i % 2 == 0 ? "hidden" : name + i % 100);
    page = write_page(report, &evaluated);
    assert_true(strlen(page) > HTML_REPORT_BYTES_MAX / 20 * 15); /* the bound is what ends it */
    assert_non_null(strstr(page, "pictures of this report are not shown"));
    assert_non_null(strstr(page, "too many for a matrix"));
    assert_non_null(strstr(page, "There was no room for the other"));
    assert_non_null(strstr(page, "for other reasons"));
    free(page);
}

/* ---------------------------------------------------------------- the file ------------------- */

static void a_path_is_tried(void **state)
{
    struct vgg_error error = {0};
    struct html_report *report;

    (void)state;
    assert_int_equal(html_report_create("/nowhere/r.html", &report, &error), VGG_IO);
    assert_string_equal(error.text, "/nowhere/r.html: cannot create it: No such file or directory");
    assert_null(report);
    error = (struct vgg_error){0};
    assert_int_equal(html_report_create(directory, &report, &error), VGG_IO);
    /* Nobody asked for one. */
    assert_int_equal(html_report_create(NULL, &report, &error), VGG_OK);
    assert_null(report);
    html_report_class(report, "cup");
    report_add(report, 1, "a.jpg", 0, 0, 1);
    html_report_say(report, "nothing");
    html_report_epoch(report, &(struct vgg_train_epoch){.epoch = 1});
    html_report_left_out(report, "a", "b");
    assert_int_equal(html_report_write(report, &evaluated, &error), VGG_OK);
    html_report_destroy(report);
}

/* Where the page does not fit, the old one stays, and nothing is left beside it. */
static void a_full_disk(void **state)
{
    struct rlimit before, small;
    struct vgg_error error = {0};
    struct html_report *report = new_report();
    char *page;
    size_t size;

    (void)state;
    maker_write(target, "old", 3);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){4096, before.rlim_max};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(html_report_write(report, &evaluated, &error), VGG_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    html_report_destroy(report);
    assert_memory_equal(error.text, target, strlen(target));
    assert_non_null(strstr(error.text, ": cannot write it: File too large"));
    page = read_page(&size);
    assert_string_equal(page, "old");
    free(page);
}

/* One picture, one epoch, something left out; what fails is told, and nothing is lost. */
static enum vgg_status make_small(struct vgg_error *error)
{
    struct html_report *report;
    enum vgg_status status = html_report_create(target, &report, error);

    if (status != VGG_OK)
        return status;
    html_report_class(report, "cup");
    report_add(report, 1, in_directory("same.jpg"), 0, 0, 1);
    html_report_say(report, "a word");
    html_report_epoch(report, &(struct vgg_train_epoch){.epoch = 1});
    html_report_left_out(report, "a", "b");
    status = html_report_write(report, &evaluated, error);
    html_report_destroy(report);
    return status;
}

static void without_memory(void **state)
{
    bool fired = true;

    (void)state;
    if (!fault_available())
        skip();
    (void)put_jpeg("same.jpg", 64, 48);
    assert_int_equal(make_small(NULL),
                     VGG_OK); /* libraries keep some of what they allocate first */
    for (unsigned long n = 1; fired; n++) {
        long before = fault_outstanding();
        struct vgg_error error = {0};
        enum vgg_status status;

        fault_arm(n);
        status = make_small(&error);
        fired = fault_disarm();
        assert_true(status == VGG_OK || (fired && status == VGG_NO_MEMORY));
        assert_int_equal(status == VGG_OK, error.text[0] == '\0');
        assert_int_equal(fault_outstanding(), before);
    }
}

/* ---------------------------------------------------------------- main ----------------------- */

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(target, sizeof target, "%s/report.html", directory);
    return 0;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"report.html", "same.jpg", "wide.jpg", "narrow.jpg",
                                        "a.jpg",       "b.jpg",    "c.jpg"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(in_directory(names[i]));
    return rmdir(directory); /* fails where anything is left beside them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_never_markup),
        cmocka_unit_test(nothing),
        cmocka_unit_test(one_class),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(a_training),
        cmocka_unit_test(thumbnails),
        cmocka_unit_test(copies),
        cmocka_unit_test(leaks),
        cmocka_unit_test(many),
        cmocka_unit_test(a_path_is_tried),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
