/* vgg train: the paper's training recipe on a directory of photographs. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/train_report.h"
#include "ops/signals.h"
#include "pictures/left_out.h"
#include "pictures/progress.h"
#include "process/memory_room.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "vgg_train.h"

enum {
    PATH_BYTES = 4096,
    CACHE_PART = 4 /* of what is free, the rest being for the network */
};

struct train_options {
    struct vgg_train_options train;
    const char *scale, *checkpoint, *report;
    uint32_t init; /* enum vgg_train_init */
    struct option_scales test_scales;
    bool mirror, json;
};

#define FIELD(name) offsetof(struct train_options, name)

static const struct option options[] = {
    {"output", "FILE", OPTION_STRING, FIELD(train.output), 0, 0, NULL,
     "the model file, of the best epoch so far; also -o FILE"},
    {ROW_ARCH(FIELD(train.arch))},
    {ROW_WIDTH(FIELD(train.width))},
    {ROW_FC(FIELD(train.fc))},
    {ROW_CROP(FIELD(train.crop))},
    {"batch-norm", NULL, OPTION_FLAG, FIELD(train.batch_norm), 0, 0, NULL,
     "normalise after each convolution; folded into it in the file"},
    {"init", "he|glorot|gaussian", OPTION_CHOICE, FIELD(init), 0, 0, "he",
     "how weights begin; gaussian is the paper's, variance 0.01"},
    {"init-from", "FILE", OPTION_STRING, FIELD(train.init_from), 0, 0, NULL,
     "begin with a model: its first four convolutions and FC layers, or, of the same ARCH, all"},
    {"dropout", "P", OPTION_REAL, FIELD(train.dropout), 0, 0, "0.5",
     "part of the hidden FC units left out"},
    {"scale", "S|MIN-MAX", OPTION_STRING, FIELD(scale), 0, 0, "256-512",
     "shorter side that pictures are rescaled to, or a range"},
    {"mirror", "on|off", OPTION_SWITCH, FIELD(mirror), 0, 0, "on", "mirror half of the crops"},
    {"colour", "X", OPTION_REAL, FIELD(train.colour), 0, 0, "0.1",
     "deviation of the colour shift along the principal components"},
    {"validation", "DIR", OPTION_STRING, FIELD(train.validation), 0, 0, NULL,
     "photographs to validate on [a part of the others]"},
    {"validation-fraction", "P", OPTION_POSITIVE, FIELD(train.validation_fraction), 0, 0, "0.1",
     "that part, of each class"},
    {"validation-list", "FILE", OPTION_STRING, FIELD(train.validation_list), 0, 0, NULL,
     "write the paths of the validation pictures, a line each"},
    {"validation-scale", "PIXELS", OPTION_COUNT, FIELD(train.validation_scale), 32, VGG_SCALE_MAX,
     NULL, "shorter side in validation [the middle of --scale]"},
    {"batch", "N", OPTION_COUNT, FIELD(train.batch), 1, 1 << 16, "256", "crops of a step"},
    {"epochs", "N", OPTION_COUNT, FIELD(train.epochs), 1, 1 << 20, "74", "at most so many"},
    {"rate", "X", OPTION_POSITIVE, FIELD(train.rate), 0, 0, "0.01", "learning rate to begin with"},
    {"patience", "N", OPTION_COUNT, FIELD(train.patience), 1, 1 << 20, "10",
     "epochs without a better validation before the rate drops to a tenth"},
    {"drops", "N", OPTION_COUNT, FIELD(train.drops), 1, 16, "3",
     "such drops, after which training ends at the next"},
    {"momentum", "X", OPTION_REAL, FIELD(train.momentum), 0, 0, "0.9", "of the descent"},
    {"decay", "X", OPTION_REAL, FIELD(train.decay), 0, 0, "0.0005", "weight decay"},
    {"seed", "N", OPTION_SEED, FIELD(train.seed), 0, 0, "1", "of all that is random"},
    {ROW_THREADS(FIELD(train.threads), "compute threads; they change no result")},
    {"cache", "SIZE", OPTION_SIZE, FIELD(train.cache_bytes), 0, 0, "2GiB",
     "decoded pictures kept in memory, at most a quarter of what is free"},
    {"checkpoint", "FILE", OPTION_STRING, FIELD(checkpoint), 0, 0, NULL,
     "the state, after each epoch and when interrupted [OUTPUT.checkpoint]"},
    {"resume", NULL, OPTION_FLAG, FIELD(train.resume), 0, 0, NULL, "go on from the checkpoint"},
    {"history", "FILE", OPTION_STRING, FIELD(train.log), 0, 0, NULL,
     "a line of JSON for each epoch"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL,
     "the same on standard output, not a table"},
    {"report", "FILE", OPTION_STRING, FIELD(report), 0, 0, NULL,
     "also write an HTML page: mistakes with their pictures, confusion, copies, the learning curve "
     "[none]"},
    {"weights", "f32|f16", OPTION_WEIGHTS, FIELD(train.half), 0, 0, "f32", "of the model file"},
    {"name", "NAME", OPTION_STRING, FIELD(train.name), 0, 0, NULL, "of the model [ARCH-WIDTH]"},
    {"scales", "LIST", OPTION_SCALES, FIELD(test_scales), 0, 0, NULL,
     "test scales that the model file asks for [none]"},
};

const struct command_usage train_usage = {
    .command = "vgg train",
    .operands = "[OPTIONS] -o FILE DIR",
    .summary =
        "Train on DIR/class/picture by the paper's recipe: mini-batch gradient descent with\n"
        "momentum on random crops. The file always holds the best epoch so far by the error on\n"
        "the validation pictures; Ctrl-C saves the state, and --resume goes on from it with the\n"
        "same options, to the same bits. Pictures that cannot be read are reported and left out.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

/* ---------------------------------------------------------------- what is shown -------------- */

struct view {
    struct progress progress;
    struct left_out left_out;
    struct html_report *report; /* or NULL */
    unsigned threads;
    bool begun, json;
};

static void show_skip(void *user, const char *path, const char *reason)
{
    struct view *view = user;

    left_out_lose(&view->left_out, path, reason);
}

static void show_ignored(void *user, const char *path, const char *reason)
{
    left_out_add(&((struct view *)user)->left_out, path, reason);
}

/* ---- for the report ---- */

static void report_left_out(void *user, const char *path, const char *reason)
{
    html_report_left_out(user, path, reason);
}

static void take_classes(void *user, const char *const *classes, size_t classes_n)
{
    train_report_classes(((struct view *)user)->report, classes, classes_n);
}

static void take_picture(void *user, const struct vgg_train_picture *picture)
{
    html_report_picture(((struct view *)user)->report, picture);
}

/* ---- on the terminal ---- */

/* The pictures are read, and the training begins. */
static void begin(struct view *view, size_t steps)
{
    view->begun = true;
    left_out_say(&view->left_out);
    if (!view->json)
        printf("epoch      rate      loss     error  val.loss val.error       time\n");
    progress_init(&view->progress, steps);
}

static void show_step(void *user, const struct vgg_train_progress *now)
{
    struct view *view = user;
    char best[48] = "";

    if (!view->begun) {
        size_t done = (size_t)(now->epoch - 1) * now->steps + now->step - 1;

        begin(view, (size_t)now->epochs * now->steps - done);
    }
    if (now->best_error >= 0)
        snprintf(best, sizeof best, "  best error %.1f%%", 100 * now->best_error);
    snprintf(view->progress.note, sizeof view->progress.note,
             "epoch %" PRIu32 "/%" PRIu32 "  loss %.3f%s  %.0f images/s", now->epoch, now->epochs,
             now->loss, best, now->images_per_second);
    progress_step(&view->progress, false);
    progress_show(&view->progress);
}

static void show_epoch(void *user, const struct vgg_train_epoch *epoch)
{
    struct view *view = user;

    html_report_epoch(view->report, epoch);
    progress_hide(&view->progress);
    if (view->json)
        fputs(epoch->json, stdout);
    else
        printf("%5" PRIu32 " %9g %9.4f %8.2f%% %9.4f %8.2f%%%s %8.1f s\n", epoch->epoch,
               epoch->rate, epoch->loss, 100 * epoch->error, epoch->validation_loss,
               100 * epoch->validation_error, epoch->best ? " *" : "  ", epoch->seconds);
    fflush(stdout);
    progress_show(&view->progress);
}

static bool is_stopped(void *user)
{
    (void)user;
    return signals_ended();
}

/* The network's threads, and the engine's that validates. */
static enum vgg_status check_memory(void *user, uint64_t bytes, struct vgg_error *error)
{
    const struct view *view = user;
    const struct resources_need need = {.bytes = bytes, .threads = 2 * view->threads};

    return resources_check(&need, "", error);
}

/* ---------------------------------------------------------------- options -------------------- */

/* Pixels at *text, from 1 on, and past them. */
static bool parse_pixels(const char **text, uint32_t *pixels)
{
    *pixels = 0;
    for (; **text >= '0' && **text <= '9' && *pixels <= VGG_SCALE_MAX; ++*text)
        *pixels = 10 * *pixels + (uint32_t)(**text - '0');
    return *pixels != 0;
}

/* "256" or "256-512". */
static bool parse_scale(const char *text, struct vgg_train_options *train)
{
    if (!parse_pixels(&text, &train->scale_min))
        return false;
    train->scale_max = train->scale_min;
    if (*text == '-' && (++text, !parse_pixels(&text, &train->scale_max)))
        return false;
    return *text == '\0';
}

/* What the library takes for none. */
static void none_below_zero(double *amount)
{
    if (*amount == 0)
        *amount = -1;
}

/* Everything but the path of the checkpoint; false with one line on standard error. */
static bool complete(struct train_options *given, const struct operands *operands)
{
    struct vgg_train_options *train = &given->train;

    if (operands->n != 1)
        terminal_say("train needs one directory of photographs (see vgg train --help)");
    else if (train->output == NULL)
        terminal_say("train needs -o FILE for the model");
    else if (!parse_scale(given->scale, train))
        terminal_say("--scale %.40s: a number of pixels, or a range such as 256-512", given->scale);
    else {
        train->init = (enum vgg_train_init)given->init;
        none_below_zero(&train->dropout);
        none_below_zero(&train->colour);
        none_below_zero(&train->momentum);
        none_below_zero(&train->decay);
        train->no_mirror = !given->mirror;
        memcpy(train->scales, given->test_scales.scales, sizeof train->scales);
        train->scales_n = given->test_scales.n;
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the command ---------------- */

static int run(const struct train_options *given, const char *dir)
{
    struct vgg_train_options train = given->train;
    struct view view = {.json = given->json,
                        .threads = train.threads != 0 ? train.threads : vgg_threads_default()};
    const uint64_t room = memory_room_get("").free_bytes;
    struct vgg_train_result result;
    struct vgg_error error = {0};
    enum vgg_status status = signals_init(&error);
    bool reported = true;

    train.on_skip = show_skip;
    train.on_ignore = show_ignored;
    train.on_step = show_step;
    train.on_epoch = show_epoch;
    train.on_classes = take_classes;
    train.on_picture = take_picture;
    train.stop = is_stopped;
    train.on_memory = check_memory;
    if (train.cache_bytes > room / CACHE_PART)
        train.cache_bytes = room / CACHE_PART;
    train.user = &view;
    if (!train_report_open(given->report, &view.report))
        return EXIT_USAGE;
    view.left_out.tell = report_left_out;
    view.left_out.user = view.report;
    if (status == VGG_OK) {
        status = vgg_train(dir, &train, &result, &error);
        progress_hide(&view.progress);
        left_out_say(&view.left_out);
        if (result.best_epoch != 0)
            terminal_say("%s holds epoch %" PRIu32 ", validation error %.2f%%", train.output,
                         result.best_epoch, 100 * result.best_error);
    }
    resources_explain(&error);
    if (status != VGG_OK)
        terminal_say("%s", error.text);
    else
        reported = train_report_write(view.report, dir, &train, &result);
    html_report_destroy(view.report);
    if (status == VGG_CANCELLED || !reported)
        return 1;
    return status == VGG_OK ? 0 : EXIT_USAGE;
}

int command_train(int argc, char **argv)
{
    struct train_options given = {0};
    char checkpoint[PATH_BYTES];
    struct operands operands;
    enum options_result result = options_parse(&train_usage, argc, argv, &given, &operands);

    if (result != OPTIONS_RUN)
        return (int)result;
    if (!complete(&given, &operands))
        return EXIT_USAGE;
    given.train.checkpoint = given.checkpoint;
    if (given.checkpoint == NULL) {
        if (snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", given.train.output) >=
            (int)sizeof checkpoint) {
            terminal_say("the path of the output is too long");
            return EXIT_USAGE;
        }
        given.train.checkpoint = checkpoint;
    }
    return run(&given, operands.items[0]);
}
