/* vgg train: it learns, to the same bits each time and across interruptions; what it refuses. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers.h"
#include "photo_sets.h"
#include "process.h"
#include "work.h"

#define PATIENCE "1000000" /* or the rate would depend on the number of epochs */

enum { ARGS_MAX = 48 };

/* ---------------------------------------------------------------- running -------------------- */

/* The arguments of a small training into work_file(output), and more of them. */
static void small_args(const char **args, const char *directory, const char *output,
                       const char *const *more)
{
    static const char *const fixed[] = {
        "train",   "--width",      "4",       "--fc",   "16",     "--crop", "32",
        "--scale", "32-40",        "--batch", "8",      "--rate", "0.02",   "--dropout",
        "0.1",     "--batch-norm", "--json",  "--name", "small"};
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        args[n++] = fixed[i];
    args[n++] = "-o";
    args[n++] = output;
    for (; *more != NULL; more++)
        args[n++] = *more;
    args[n++] = directory;
    args[n] = NULL;
    assert_true(n < ARGS_MAX);
}

static struct output train(const char *directory, const char *output, const char *const *more)
{
    const char *args[ARGS_MAX];

    small_args(args, directory, output, more);
    return command_run(args, NULL, NULL);
}

static void train_well(const char *directory, const char *output, const char *const *more)
{
    struct output result = train(directory, output, more);

    if (result.status != 0)
        fail_msg("status %d: %s", result.status, result.err);
    output_free(&result);
}

static bool exists(const char *path)
{
    struct stat there;

    return stat(path, &there) == 0;
}

static size_t lines_of(const char *path)
{
    struct blob file = work_read(path);
    size_t n = 0;

    for (size_t i = 0; i < file.size; i++)
        n += file.bytes[i] == '\n';
    blob_free(&file);
    return n;
}

static void assert_same_file(const char *a, const char *b)
{
    struct blob left = work_read(a), right = work_read(b);

    assert_int_equal(left.size, right.size);
    assert_memory_equal(left.bytes, right.bytes, left.size);
    blob_free(&left);
    blob_free(&right);
}

/* Start a training and wait until it has written `awaited`. */
static pid_t start_until(const char *directory, const char *output, const char *const *more,
                         const char *awaited, int *err_fd)
{
    const char *args[ARGS_MAX];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid;

    *err_fd = open(work_file("stderr.txt"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(null >= 0 && *err_fd >= 0);
    small_args(args, directory, output, more);
    pid = process_start(args, NULL, NULL, null, *err_fd);
    close(null);
    for (int i = 0; i < NAPS_MAX && !exists(awaited); i++)
        nap();
    assert_true(exists(awaited));
    return pid;
}

/* ---------------------------------------------------------------- learning ------------------- */

/* Each line of the history is one epoch; the loss falls; the best is what the file says. */
static void check_history(const void *text, size_t size, size_t epochs)
{
    char *copy = strndup(text, size);
    double first = 0, least = 0, best = 2;
    size_t n = 0;

    assert_non_null(copy);
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        double error;

        assert_non_null(json);
        assert_int_equal(integer_member(json, "epoch"), ++n);
        least = n == 1 ? number_member(json, "loss") : fmin(least, number_member(json, "loss"));
        first = n == 1 ? least : first;
        error = number_member(json, "validation_error");
        assert_true(number_member(json, "error") >= 0 && number_member(json, "error") <= 1);
        assert_true(json_is_true(json_object_get(json, "best")) || error >= best);
        best = error < best ? error : best;
        json_decref(json);
    }
    assert_int_equal(n, epochs);
    assert_true(least < 0.5 * first);
    assert_true(best == 0);
    free(copy);
}

/* Standard output has these lines, and after them one of the result. */
static void check_output(const char *out, const void *history, size_t size)
{
    const char *epochs = strstr(out, "{\"epoch\"");
    json_t *last, *result;

    assert_non_null(epochs);
    assert_true(strlen(epochs) > size);
    assert_memory_equal(epochs, history, size);
    last = json_loads(epochs + size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(last);
    result = json_object_get(last, "result");
    assert_int_equal(integer_member(result, "epochs"), 12);
    assert_true(json_is_false(json_object_get(result, "poor")));
    json_decref(last);
}

static void learns(void **state)
{
    const char *set = photo_set("set"), *model = work_file("learnt.safetensors");
    const char *history = work_file("learnt.jsonl"), *list = work_file("list.txt");
    const char *more[] = {
        "--epochs",  "12",  "--history",         history, "--name", "shapes", "--scales", "32,48",
        "--weights", "f16", "--validation-list", list,    NULL};
    struct output result = train(set, model, more), inspected, classified;
    struct blob lines;

    (void)state;
    assert_int_equal(result.status, 0);
    lines = work_read(history);
    check_history(lines.bytes, lines.size, 12);
    check_output(result.out, lines.bytes, lines.size);
    blob_free(&lines);
    output_free(&result);
    assert_int_equal(lines_of(list), 3); /* a tenth of each class */

    inspected = command_run((const char *[]){"inspect", model, NULL}, NULL, NULL);
    assert_int_equal(inspected.status, 0);
    assert_non_null(strstr(inspected.out, "shapes"));
    assert_null(strstr(inspected.out, "untrained"));
    output_free(&inspected);

    classified =
        command_run((const char *[]){"eval", "--model", model, "--json", set, NULL}, NULL, NULL);
    assert_int_equal(classified.status, 0);
    output_free(&classified);
}

/* ---------------------------------------------------------------- the same bits -------------- */

static void same_bits_twice(void **state)
{
    const char *set = photo_set("set"), *a = work_file("a.safetensors"),
               *b = work_file("b.safetensors");

    (void)state;
    train_well(set, a, (const char *[]){"--epochs", "2", "--threads", "1", NULL});
    train_well(set, b, (const char *[]){"--epochs", "2", "--threads", "2", NULL});
    assert_same_file(a, b);
    train_well(set, b,
               (const char *[]){"--epochs", "2", "--cache", "0", "--checkpoint",
                                work_file("other.checkpoint"), NULL});
    assert_same_file(a, b);
    train_well(set, b,
               (const char *[]){"--epochs", "2", "--seed", "2", "--checkpoint",
                                work_file("seed.checkpoint"), NULL});
    struct blob left = work_read(a), right = work_read(b);
    assert_true(left.size != right.size || memcmp(left.bytes, right.bytes, left.size) != 0);
    blob_free(&left);
    blob_free(&right);
}

/*
 * End a training by a signal after its first epoch, resume it for some more epochs, and compare it
 * with one that nobody has ended.
 */
static void end_and_resume(int signal, const char *name)
{
    const char *set = photo_set("set"), *model = work_file(name), *text;
    const char *history = work_file("ended.jsonl"), *whole = work_file("whole.safetensors");
    char checkpoint[512], epochs[16];
    int err_fd, status;
    pid_t pid;

    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", model);
    pid = start_until(
        set, model,
        (const char *[]){"--epochs", "100000", "--patience", PATIENCE, "--history", history, NULL},
        checkpoint, &err_fd);
    kill(pid, signal);
    status = process_wait(pid);
    close(err_fd);
    assert_int_equal(status, signal == SIGKILL ? 128 + SIGKILL : 1);
    if (signal != SIGKILL) {
        struct blob err = work_read(work_file("stderr.txt"));

        text = (const char *)err.bytes;
        assert_non_null(memmem(text, err.size, "stopped in epoch", strlen("stopped in epoch")));
        assert_non_null(memmem(text, err.size, checkpoint, strlen(checkpoint)));
        assert_non_null(memmem(text, err.size, "to go on: ", strlen("to go on: ")));
        assert_non_null(memmem(text, err.size, " --resume\n", strlen(" --resume\n")));
        blob_free(&err);
    }
    snprintf(epochs, sizeof epochs, "%zu", lines_of(history) + 3);
    train_well(set, model,
               (const char *[]){"--epochs", epochs, "--patience", PATIENCE, "--history", history,
                                "--resume", NULL});
    train_well(set, whole,
               (const char *[]){"--epochs", epochs, "--patience", PATIENCE, "--checkpoint",
                                work_file("whole.checkpoint"), NULL});
    assert_same_file(model, whole);
    assert_false(exists(checkpoint)); /* of a training that is done */
    assert_false(exists(work_file("whole.checkpoint")));
}

static void resumes_after_an_interruption(void **state)
{
    (void)state;
    end_and_resume(SIGINT, "interrupted.safetensors");
}

static void resumes_after_a_kill(void **state)
{
    (void)state;
    end_and_resume(SIGKILL, "killed.safetensors");
}

/* A training that has a checkpoint and was interrupted; `epochs` says how many it may do then. */
static void leave_checkpoint(const char *set, const char *model, const char *checkpoint,
                             char epochs[16])
{
    const char *history = work_file("left.jsonl");
    int err_fd;
    pid_t pid = start_until(
        set, model,
        (const char *[]){"--epochs", "100000", "--patience", PATIENCE, "--history", history, NULL},
        checkpoint, &err_fd);

    kill(pid, SIGINT);
    assert_int_equal(process_wait(pid), 1);
    close(err_fd);
    snprintf(epochs, 16, "%zu", lines_of(history) + 2);
}

/* A checkpoint that does not fit leaves the one before it, which can be gone on from. */
static void survives_a_full_disk(void **state)
{
    const char *set = photo_set("set"), *disk = work_file("disk"), *model;
    struct output result;
    char path[512], checkpoint[600], limit[64], epochs[16];

    (void)state;
    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=64m") != 0) {
        print_message("SKIPPED: no tmpfs can be mounted here: %s\n", strerror(errno));
        skip();
    }
    snprintf(path, sizeof path, "%s/model.safetensors", disk);
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", path);
    model = path;
    leave_checkpoint(set, model, checkpoint, epochs);
    struct blob before = work_read(checkpoint);

    snprintf(limit, sizeof limit, "size=%zu", before.size + before.size / 2);
    assert_int_equal(mount("tmpfs", disk, "tmpfs", MS_REMOUNT, limit), 0);
    result = train(set, model,
                   (const char *[]){"--epochs", epochs, "--patience", PATIENCE, "--resume", NULL});
    assert_int_equal(result.status, 2);
    assert_non_null(strstr(result.err, strerror(ENOSPC)));
    output_free(&result);
    {
        struct blob after = work_read(checkpoint);

        assert_int_equal(after.size, before.size);
        assert_memory_equal(after.bytes, before.bytes, before.size);
        blob_free(&after);
    }
    blob_free(&before);
    assert_int_equal(mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    train_well(set, model,
               (const char *[]){"--epochs", epochs, "--patience", PATIENCE, "--resume", NULL});
    assert_int_equal(umount(disk), 0);
}

/* ---------------------------------------------------------------- refusals ------------------- */

static void refuse_lines(const char *directory, const char *output, const char *const *more,
                         const char *reason, size_t lines)
{
    struct output result = train(directory, output, more);

    if (result.status != 2 || strstr(result.err, reason) == NULL ||
        count_lines(result.err) != lines)
        fail_msg("status %d, not \"%s\": %s", result.status, reason, result.err);
    assert_int_equal(result.out_size, 0);
    output_free(&result);
}

static void refuse(const char *directory, const char *output, const char *const *more,
                   const char *reason)
{
    refuse_lines(directory, output, more, reason, 1);
}

static void refuses_bad_data(void **state)
{
    const char *none[] = {NULL}, *model = work_file("refused.safetensors"), *set;
    char path[512];

    (void)state;
    refuse(work_file("nowhere"), model, none, strerror(ENOENT));
    set = work_file("one");
    assert_int_equal(mkdir(set, 0700), 0);
    refuse(set, model, none,
           "no class folder with pictures (JPEG, PNG or WebP), and at least 2 are needed");
    photo_put(set, "only", "x.jpg", "no picture", 10);
    refuse(set, model, none, "one class folder with pictures (only), and at least 2 are needed");
    set = work_file("hollow");
    assert_int_equal(mkdir(set, 0700), 0);
    struct blob image = picture(40, 40);
    photo_put(set, "full", "x.jpg", image.bytes, image.size);
    blob_free(&image);
    snprintf(path, sizeof path, "%s/hollow-class", set);
    assert_int_equal(mkdir(path, 0700), 0);
    refuse_lines(set, model, none, "(a class folder without pictures): ", 2);
    refuse_lines(set, model, none, "/hollow-class\n", 2);
    refuse_lines(set, model, none, "at least 2 are needed", 2);
    assert_false(exists(model));
}

static void refuses_bad_options(void **state)
{
    static const struct {
        const char *more[4], *reason;
    } cases[] = {
        {{"--scale", "31", NULL}, "crop"},
        {{"--scale", "40-36", NULL}, "ascend"},
        {{"--scale", "40-", NULL}, "--scale"},
        {{"--init", "zero", NULL}, "he|glorot|gaussian"},
        {{"--arch", "F", NULL}, "A-LRN"},
        {{"--arch", "A-LRN", NULL}, "batch-norm"},
        {{"--crop", "40", NULL}, "multiple of 32"},
        {{"--dropout", "1", NULL}, "below 1"},
        {{"--rate", "-1", NULL}, "--rate"},
        {{"--rate", "0", NULL}, "--rate 0: must be a number above 0"},
        {{"--rate", "0.0", NULL}, "must be a number above 0"},
        {{"--rate", "1e-400", NULL}, "must be a number above 0"},
        {{"--validation-fraction", "0", NULL}, "must be a number above 0"},
        {{"--validation-fraction", "1", NULL}, "below 1"},
        {{"--scale", "0", NULL}, "--scale 0"},
        {{"--scale", "40-0", NULL}, "--scale 40-0"},
        {{"--scale", "+40", NULL}, "--scale +40"},
        {{"--scale", "99999999999", NULL}, "--scale 99999999999"},
        {{"--width", "0", NULL}, "--width 0"},
        {{"--fc", "0", NULL}, "--fc 0"},
        {{"--batch", "0", NULL}, "--batch 0"},
        {{"--epochs", "0", NULL}, "--epochs 0"},
        {{"--patience", "0", NULL}, "--patience 0"},
        {{"--drops", "0", NULL}, "--drops 0"},
        {{"--threads", "0", NULL}, "--threads 0"},
        {{"--validation-scale", "0", NULL}, "--validation-scale 0"},
        {{"--init-from", "/nowhere", NULL}, "/nowhere"},
        {{"--resume", NULL}, "checkpoint"},
    };
    const char *set = photo_set("set"), *model = work_file("refused.safetensors");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refuse(set, model, cases[i].more, cases[i].reason);
    assert_false(exists(model));
}

static void refuses_the_checkpoint_of_another(void **state)
{
    const char *set = photo_set("set"), *model = work_file("other.safetensors");
    char checkpoint[512], epochs[16];
    const char *resume[] = {"--resume", "--epochs", epochs, "--patience", PATIENCE, NULL};
    struct blob whole;

    (void)state;
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", model);
    leave_checkpoint(set, model, checkpoint, epochs);
    whole = work_read(checkpoint);
    refuse(set, model, (const char *[]){"--epochs", "1", NULL}, "resume");
    refuse(set, model, (const char *[]){"--resume", "--arch", "A", NULL}, "arch=D");
    refuse(set, model, (const char *[]){"--resume", "--seed", "9", "--patience", PATIENCE, NULL},
           "seed=1");
    refuse(photo_set("copy-of-set"), model,
           (const char *[]){"--resume", "--batch", "4", "--patience", PATIENCE, NULL}, "batch=8");
    work_write(checkpoint, whole.bytes, whole.size / 2);
    refuse(set, model, resume, checkpoint);
    whole.bytes[whole.size - 1] ^= 1;
    work_write(checkpoint, whole.bytes, whole.size);
    refuse(set, model, resume, checkpoint);
    whole.bytes[whole.size - 1] ^= 1;
    work_write(checkpoint, whole.bytes, whole.size);
    train_well(set, model, resume);
    blob_free(&whole);
}

/* Nothing of a name but its text reaches the terminal. */
static void expect_clean(const char *text)
{
    for (; *text != '\0'; text++)
        assert_true(*text == '\n' || (unsigned char)*text >= ' ');
}

/* Pictures that cannot be read are named and left out. */
static void leaves_out_bad_pictures(void **state)
{
    const char *set = photo_set("damaged"), *model = work_file("damaged.safetensors");
    struct output result;
    char path[512];

    (void)state;
    photo_put(set, "flat", "broken.jpg", "\xff\xd8\xff", 3);
    photo_put(set, "flat", "\033]0;x\a\n.jpg", "\xff\xd8\xff", 3);
    photo_put(set, "grey", "text.png", "not a picture", 13);
    photo_put(set, "__MACOSX", "._text.png", "not a picture", 13);
    photo_put(set, "empty\r", ".DS_Store", "junk", 4);
    snprintf(path, sizeof path, "%s/grey/fifo.jpg", set);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/grey/loop", set);
    assert_int_equal(symlink("..", path), 0);
    result = train(set, model, (const char *[]){"--epochs", "1", NULL});
    assert_int_equal(result.status, 0);
    assert_non_null(strstr(result.err, "flat/broken.jpg: left out: "));
    assert_non_null(strstr(result.err, "flat/?]0;x??.jpg: left out: "));
    assert_non_null(strstr(result.err, "grey/text.png: left out: "));
    assert_non_null(strstr(result.err, "vgg: 3 left out (cannot be read): named above\n"));
    assert_non_null(strstr(result.err, "vgg: 1 left out (of an archiver or a file manager): "));
    assert_non_null(strstr(result.err, "vgg: 1 left out (a class folder without pictures): "));
    assert_non_null(strstr(result.err, "grey/fifo.jpg"));
    assert_non_null(strstr(result.err, "grey/loop"));
    expect_clean(result.err);
    output_free(&result);
}

/* With `--validation DIR`: all folders that are no class of the others, at once. */
static void refuses_unknown_classes(void **state)
{
    const char *set = photo_set("set"), *other = photo_set("validation");
    const char *model = work_file("validated.safetensors");

    (void)state;
    photo_put(other, "Flat", "x.jpg", "", 0);
    photo_put(other, "gray", "x.jpg", "", 0);
    photo_put(other, "none", "x.txt", "", 0);
    refuse_lines(set, model, (const char *[]){"--validation", other, NULL},
                 "2 folders are none of the classes: Flat, gray; in ", 3);
    assert_false(exists(model));
}

/*
 * A rate at which nothing stays finite: the epoch is named and a lower one proposed, and the file
 * of an epoch before stays.
 */
/* It has begun by then, so that it has told its plan. */
static void expect_divergence(const char *set, const char *model, const char *const *more,
                              const char *reason)
{
    struct output result = train(set, model, more);

    if (result.status != 2 || strstr(result.err, reason) == NULL || count_lines(result.err) != 1)
        fail_msg("status %d, not \"%s\": %s", result.status, reason, result.err);
    assert_int_equal(count_lines(result.out), 1);
    output_free(&result);
}

static void says_that_it_diverged(void **state)
{
    const char *set = photo_set("set"), *model = work_file("diverged.safetensors");
    static const char *const wild[] = {"--batch-norm=off", "--rate", "999", NULL};
    struct blob before;

    (void)state;
    expect_divergence(set, model, wild,
                      "diverged in epoch 1 at a rate of 999: try a lower one, such as 99.9");
    assert_false(exists(model));
    train_well(set, model, (const char *[]){"--epochs", "1", NULL});
    before = work_read(model);
    expect_divergence(set, model,
                      (const char *[]){"--batch-norm=off", "--rate", "999", "--checkpoint",
                                       work_file("diverged.other"), NULL},
                      "training diverged in epoch ");
    {
        struct blob after = work_read(model);

        assert_int_equal(after.size, before.size);
        assert_memory_equal(after.bytes, before.bytes, before.size);
        blob_free(&after);
    }
    blob_free(&before);
}

/* The deeper net begins with the shallow one's layers. */
static void begins_with_another_model(void **state)
{
    const char *set = photo_set("set"), *shallow = work_file("shallow.safetensors"),
               *deep = work_file("deep.safetensors");

    (void)state;
    train_well(set, shallow, (const char *[]){"--epochs", "2", "--arch", "A", NULL});
    train_well(set, deep,
               (const char *[]){"--epochs", "1", "--arch", "E", "--init-from", shallow, NULL});
}

/* What a failed test has left mounted would not go with the directory. */
static int teardown(void **state)
{
    (void)umount2(work_file("disk"), MNT_DETACH);
    return work_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(same_bits_twice),
        cmocka_unit_test(resumes_after_an_interruption),
        cmocka_unit_test(resumes_after_a_kill),
        cmocka_unit_test(survives_a_full_disk),
        cmocka_unit_test(refuses_bad_data),
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(refuses_the_checkpoint_of_another),
        cmocka_unit_test(leaves_out_bad_pictures),
        cmocka_unit_test(refuses_unknown_classes),
        cmocka_unit_test(says_that_it_diverged),
        cmocka_unit_test(begins_with_another_model),
    };

    return cmocka_run_group_tests(tests, work_setup, teardown);
}
