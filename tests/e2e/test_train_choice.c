/*
 * vgg train as somebody without a manual meets it: what is chosen and said, what is refused before
 * anything is computed, and what is said at the end.
 */
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "photo_sets.h"
#include "process.h"
#include "work.h"

enum { ARGS_MAX = 24 };

/* Test scales that are quickly computed, of the narrow model and of the embedded one. */
#define SMALL "--scales", "32,48"
#define LEAST "--scales", "128"

static struct output train(const char *const *more)
{
    const char *args[ARGS_MAX] = {"train"};
    size_t n = 1;

    for (; *more != NULL; more++)
        args[n++] = *more;
    assert_true(n < ARGS_MAX);
    return command_run(args, NULL, NULL);
}

static void expect(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

/* One line, before anything is printed. */
static void refuse(const char *const *more, const char *reason)
{
    struct output output = train(more);

    if (output.status != 2 || count_lines(output.err) != 1 || output.out_size != 0)
        fail_msg("status %d: %s%s", output.status, output.out, output.err);
    expect(output.err, reason);
    output_free(&output);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---------------------------------------------------------------- a base --------------------- */

static void tells_what_it_does(void **state)
{
    const char *set = photo_set("set");
    struct output output =
        train((const char *[]){SMALL, "--base", model_narrow(), "-o", "told.safetensors",
                               "--report", "told.html", set, NULL});
    struct blob page;

    (void)state;
    if (output.status != 0)
        fail_msg("status %d: %s", output.status, output.err);
    assert_string_equal(output.err, "");
    expect(output.out, "42 pictures of 3 classes: colour 14, flat 14, grey 14\n");
    expect(output.out, "base: ");
    expect(output.out, "(--freeze features)");
    expect(output.out, "views of each: about ");
    expect(output.out, " of 42 pictures wrong when left out: ");
    expect(output.out, "serve --model told.safetensors\n");
    expect(output.out, "-d '{\"model\":\"/");
    expect(output.out, "/told.safetensors\"}' localhost:8081/admin/reload\n");
    expect(output.out, "below a typicality of 0.0465 (from 42 pictures)"); /* 2 / (42 + 1) */
    page = work_read("told.html");
    assert_non_null(memmem(page.bytes, page.size, "below a typicality of 0.0465.", 29));
    blob_free(&page);
    assert_true(exists("told.safetensors"));
    assert_false(exists("told.safetensors.checkpoint"));
    output_free(&output);
}

/* Without -o the file is called like the directory, and is nobody else's. */
static void names_the_model(void **state)
{
    char set[PATH_MAX];
    struct output output;

    (void)state;
    snprintf(set, sizeof set, "%s/", photo_set("mugs"));
    output = train((const char *[]){SMALL, "--base", model_narrow(), set, NULL});
    assert_int_equal(output.status, 0);
    assert_true(exists("mugs.safetensors"));
    output_free(&output);
    output = command_run((const char *[]){"inspect", "mugs.safetensors", NULL}, NULL, NULL);
    expect(output.out, "mugs\n");
    output_free(&output);
    refuse((const char *[]){SMALL, "--base", model_narrow(), set, NULL},
           "mugs.safetensors is there already: -o with this name replaces it");
}

/* The embedded model is a poor base for these, which the last line says. */
static void a_poor_result_ends_with_its_remedy(void **state)
{
    const char *set = photo_set_alike("alike"), *line;
    struct output output =
        train((const char *[]){LEAST, "--base", "embedded", "-o", "poor.safetensors", set, NULL});

    (void)state;
    if (output.status != 0)
        fail_msg("status %d: %s", output.status, output.err);
    assert_int_equal(count_lines(output.err), 1);
    line = output.err;
    expect(line, "% wrong is poor: ");
    expect(line, "553 MB");
    expect(line, " train --scales 128 --base embedded -o poor.safetensors ");
    expect(line, " --base vgg16\n");
    output_free(&output);
}

static void tells_programs(void **state)
{
    const char *set = photo_set("set");
    struct output output = train((const char *[]){"--json", SMALL, "--base", model_narrow(), "-o",
                                                  "json.safetensors", set, NULL});
    json_t *plan, *result;

    (void)state;
    assert_int_equal(output.status, 0);
    assert_int_equal(count_lines(output.out), 2);
    plan = json_loadb(output.out, strcspn(output.out, "\n"), 0, NULL);
    result = json_loads(strchr(output.out, '\n'), 0, NULL);
    assert_string_equal(string_member(member(plan, "plan"), "freeze"), "features");
    assert_int_equal(integer_member(member(plan, "plan"), "classes"), 3);
    assert_int_equal(integer_member(member(result, "result"), "measured"), 42);
    json_decref(plan);
    json_decref(result);
    output_free(&output);
}

/* ---------------------------------------------------------------- a narrower one ------------- */

/* Without --freeze, which could only be none; for programs a line tells of every layer. */
static void fits_a_narrower_network(void **state)
{
    const char *set = photo_set("set");
    const char *const args[] = {"--base", model_narrow(),     "--width", "2",        "--crop",
                                "32",     "--scale",          "32-40",   "--epochs", "1",
                                "-o",     "thin.safetensors", set,       NULL};
    const char *json[COUNT_OF(args) + 1] = {"--json"};
    struct output output = train(args);
    json_t *line, *layers;

    (void)state;
    if (output.status != 0)
        fail_msg("status %d: %s", output.status, output.err);
    expect(output.out,
           "  width 2 of 4: its layers are fitted to the base's; then all of them train");
    expect(output.out, "width 2 of 4: the first layer explains ");
    output_free(&output);
    memcpy(json + 1, args, sizeof args);
    output = train(json);
    assert_int_equal(output.status, 0);
    assert_int_equal(count_lines(output.out), 4); /* plan, this, an epoch, the result */
    line = json_loads(strchr(output.out, '\n'), JSON_DISABLE_EOF_CHECK, NULL);
    layers = member(member(line, "narrowing"), "explained");
    assert_int_equal(json_array_size(layers), 13);
    assert_int_equal(integer_member(member(line, "narrowing"), "base_width"), 4);
    json_decref(line);
    output_free(&output);
}

/* ---------------------------------------------------------------- no base -------------------- */

/* An option of the network asks for one of its own; what it leaves open is chosen, and said. */
static void chooses_around_what_was_said(void **state)
{
    const char *set = photo_set("set");
    struct output output =
        train((const char *[]){"--width", "4", "--fc", "16", "--crop", "32", "--epochs", "1",
                               "--batch", "9", "-o", "own.safetensors", set, NULL});

    (void)state;
    if (output.status != 0)
        fail_msg("status %d: %s", output.status, output.err);
    expect(output.out, "no base: a network from random weights, for which --width asks\n");
    expect(output.out, "  chosen: --scale 36-56 --batch-norm ");
    assert_null(strstr(output.out, "--epochs"));
    output_free(&output);
}

/* ---------------------------------------------------------------- refusals ------------------- */

static void refuses_what_cannot_be_meant(void **state)
{
    const char *set = photo_set("set"), *base = model_narrow();

    (void)state;
    refuse((const char *[]){NULL}, "DIR/class/picture");
    refuse((const char *[]){"--freeze", "5", set, NULL}, "--freeze 5: features, convs, none");
    refuse((const char *[]){"--freeze", "conv", set, NULL}, "a number of blocks from 1 to 4");
    refuse(
        (const char *[]){"--base", base, "--epochs", "5", "--mirror", "on", set, NULL},
        "--mirror, --epochs: used by --freeze 4, convs and none; --freeze features, which is the "
        "default on a base, fits");
    refuse((const char *[]){"--base", base, "--freeze", "features", "--rate", "1", set, NULL},
           "--rate: used by --freeze 4, convs and none; --freeze features, which was said, ");
    refuse((const char *[]){"--base", base, "--checkpoint", "x", "--resume", set, NULL},
           "--checkpoint, --resume: used by --freeze 4, convs and none");
    refuse((const char *[]){"--base", base, "--width", "1", "--freeze", "convs", set, NULL},
           "has width 4, and the options 1: a narrower network has layers of its own");
    refuse((const char *[]){"--base", base, "--width", "5", set, NULL},
           "has width 4, and the options 5: it can be made narrower, not wider");
    refuse((const char *[]){"--recipe", "paper", "--base", base, set, NULL}, "leave --base out");
    refuse((const char *[]){"--base", "nowhere.safetensors", set, NULL}, "No such file");
    refuse((const char *[]){"-o", "set", "--base", base, set, NULL}, "a file is meant");
    refuse((const char *[]){"-o", "no/x", "--base", base, set, NULL}, "--output no/x: cannot");
    refuse((const char *[]){"-o", "x", "--report", "no/x", "--base", base, set, NULL},
           "--report no/x: cannot");
    refuse((const char *[]){"-o", "x", "--report", "x", "--base", base, set, NULL},
           "--output and --report are the same file");
    refuse((const char *[]){"-o", "x", "--features-cache", base, set, NULL}, "no directory");
    assert_false(exists("x"));
}

/* Nothing is computed for a model that the disk has no room for. */
static void refuses_what_the_disk_does_not_hold(void **state)
{
    struct output output;

    (void)state;
    assert_int_equal(mkdir("disk", 0700), 0);
    if (mount("tmpfs", "disk", "tmpfs", 0, "size=64k") != 0) {
        print_message("SKIPPED: no tmpfs can be mounted here: %s\n", strerror(errno));
        skip();
    }
    for (int i = 0; i < 2; i++) {
        output =
            train((const char *[]){"--base", model_narrow(), "-o", "disk/x.safetensors", "--freeze",
                                   i == 0 ? "features" : "4", photo_set("set"), NULL});
        if (output.status != 2 || count_lines(output.err) != 1)
            fail_msg("status %d: %s", output.status, output.err);
        expect(output.err, "disk/x.safetensors: it takes ");
        expect(output.err, " are free there: No space left on device\n");
        assert_null(strstr(output.out, "of memory"));
        output_free(&output);
    }
    assert_int_equal(umount("disk"), 0);
}

/* Pictures without folders: the layout is shown. */
static void shows_the_layout(void **state)
{
    struct blob image = picture(40, 40);
    struct output output;

    (void)state;
    assert_int_equal(mkdir("loose", 0700), 0);
    work_write("loose/1.jpg", image.bytes, image.size);
    blob_free(&image);
    output = train((const char *[]){"-o", "x", "loose", NULL});
    assert_int_equal(output.status, 2);
    expect(output.err, "loose: 1 picture and no class folders, and at least 2 are needed");
    expect(output.err, "loose/cup/1.jpg and loose/plate/2.jpg");
    output_free(&output);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static void refuses_what_memory_does_not_hold(void **state)
{
    (void)state;
    print_message("SKIPPED: a sanitizer takes more memory than any limit here\n");
    skip();
}
#else
/* Little memory: refused with the batch that would fit, or with what is smaller at all. */
static void refuses_what_memory_does_not_hold(void **state)
{
    const char *set = photo_set("set");
    struct rlimit old, little;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
    little = (struct rlimit){(rlim_t)600 << 20, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_DATA, &little), 0);
    for (int i = 0; i < 2; i++) {
        const char *fc = i == 0 ? "16" : "16384";
        struct output output = train((const char *[]){"--json", "--threads", "1", "--width", "16",
                                                      "--fc", fc, "--crop", "224", "--batch", "42",
                                                      "--epochs", "1", "-o", "x", set, NULL});

        if (output.status != 2 || count_lines(output.err) != 1)
            fail_msg("status %d: %s", output.status, output.err);
        expect(output.err, "RLIMIT_DATA");
        expect(output.err, i == 0 ? " would fit\n" : "; smaller are --batch 1");
        output_free(&output);
    }
    assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
}
#endif

/* In the directory of the test, where files without a path go. */
static int setup(void **state)
{
    const char *program = getenv("VGG_BIN");
    char *whole = realpath(program != NULL ? program : "build/vgg", NULL);

    if (whole == NULL || setenv("VGG_BIN", whole, 1) != 0 || work_setup(state) != 0)
        return -1;
    free(whole);
    return chdir(work_file(""));
}

static int teardown(void **state)
{
    (void)umount2("disk", MNT_DETACH); /* what a failed test has left */
    return chdir("/") == 0 ? work_teardown(state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_it_does),
        cmocka_unit_test(names_the_model),
        cmocka_unit_test(a_poor_result_ends_with_its_remedy),
        cmocka_unit_test(tells_programs),
        cmocka_unit_test(fits_a_narrower_network),
        cmocka_unit_test(chooses_around_what_was_said),
        cmocka_unit_test(refuses_what_cannot_be_meant),
        cmocka_unit_test(refuses_what_the_disk_does_not_hold),
        cmocka_unit_test(shows_the_layout),
        cmocka_unit_test(refuses_what_memory_does_not_hold),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
