/* The callbacks of a training: lines, the bar, limits of memory. */
#include "training/view.h"

#include <inttypes.h>
#include <stdio.h>

#include "process/memory_room.h"
#include "process/resources.h"
#include "process/terminal.h"

/* ---------------------------------------------------------------- lines ---------------------- */

static void show_skip(void *user, const char *path, const char *reason)
{
    struct training_view *view = user;

    progress_hide(&view->progress);
    left_out_lose(&view->left_out, path, reason);
}

static void show_ignored(void *user, const char *path, const char *reason)
{
    left_out_add(&((struct training_view *)user)->left_out, path, reason);
}

static void show_unwritten(void *user, const char *reason)
{
    progress_hide(&((struct training_view *)user)->progress);
    terminal_say("%s: the next training computes all of it again", reason);
}

/* The pictures are read, and the work begins. */
static void begin(struct training_view *view, size_t total)
{
    view->begun = true;
    progress_say("");
    left_out_say(&view->left_out);
    progress_init(&view->progress, total);
}

/* After the last step comes an evaluation, which nobody counts. */
static void show_bar(struct training_view *view)
{
    if (view->progress.done != view->progress.total)
        progress_show(&view->progress);
    else if (view->begun)
        progress_say("measuring how good it is ...");
}

static void show_epoch(void *user, const struct vgg_train_epoch *epoch)
{
    struct training_view *view = user;

    html_report_epoch(view->report, epoch);
    progress_hide(&view->progress);
    telling_epoch(&view->facts, epoch);
    show_bar(view);
}

/* ---------------------------------------------------------------- the report ----------------- */

static void report_left_out(void *user, const char *path, const char *reason)
{
    html_report_left_out(user, path, reason);
}

static void report_classes(void *user, const char *const *classes, size_t classes_n)
{
    struct training_view *view = user;

    copies_classes(&view->facts.copies, classes, classes_n);
    for (size_t i = 0; i < classes_n; i++)
        html_report_class(view->report, classes[i]);
}

static void report_picture(void *user, const struct vgg_train_picture *picture)
{
    struct training_view *view = user;

    copies_add(&view->facts.copies, picture);
    html_report_picture(view->report, picture);
}

/* ---------------------------------------------------------------- the bar -------------------- */

static void show_step(void *user, const struct vgg_train_progress *now)
{
    struct training_view *view = user;
    const size_t total = (size_t)now->epochs * now->steps;
    const size_t done = (size_t)(now->epoch - 1) * now->steps + now->step;
    char best[48] = "";

    if (!view->begun || view->progress.total != total) {
        begin(view, total);
        progress_pass(&view->progress, done);
    }
    if (now->best_error >= 0)
        snprintf(best, sizeof best, "  best error %.1f%%", 100 * now->best_error);
    snprintf(view->progress.note, sizeof view->progress.note,
             "epoch %" PRIu32 "/%" PRIu32 "  loss %.3f%s  %.0f images/s", now->epoch, now->epochs,
             now->loss, best, now->images_per_second);
    view->progress.done = done;
    view->progress.left_seconds = now->seconds_left;
    show_bar(view);
}

/* After the last view the layer is fitted, which nobody counts. */
static void show_features(void *user, const struct vgg_train_features *now)
{
    struct training_view *view = user;

    if (!view->planned) {
        progress_say("measuring a first batch ...");
        return;
    }
    if (!view->begun) {
        begin(view, now->views);
        progress_pass(&view->progress, now->done);
    }
    snprintf(view->progress.note, sizeof view->progress.note, "views");
    view->progress.done = now->done;
    view->progress.left_seconds = now->seconds_left;
    if (now->done < now->views)
        progress_show(&view->progress);
    else
        progress_say("training on what the base computed ...");
}

/* In thousandths. */
static void show_narrowing(void *user, const struct vgg_train_narrowing *now)
{
    enum { PARTS = 1000 };
    struct training_view *view = user;

    if (!view->begun)
        begin(view, PARTS);
    view->progress.done = (size_t)(PARTS * now->done);
    view->progress.left_seconds = now->seconds_left;
    snprintf(view->progress.note, sizeof view->progress.note, "fitting layer %zu to the base's",
             now->layers + 1);
    if (now->done < 1) {
        progress_show(&view->progress);
        return;
    }
    progress_hide(&view->progress);
    telling_narrowing(&view->facts, now);
}

/* ---------------------------------------------------------------- memory --------------------- */

/* Crops of a batch for which there would be room. */
static uint64_t batch_that_fits(const struct training_view *view, uint64_t bytes)
{
    const uint64_t room = memory_room_get("").free_bytes;
    const uint32_t batch = view->facts.batch;

    if (batch < 2 || bytes <= view->single_bytes || room < view->single_bytes)
        return 0;
    return 1 + (room - view->single_bytes) / ((bytes - view->single_bytes) / (batch - 1) + 1);
}

/* The network's threads, and the engine's that validates. */
static enum vgg_status check_memory(void *user, uint64_t bytes, struct vgg_error *error)
{
    struct training_view *view = user;
    const struct resources_need need = {.bytes = bytes, .threads = 2 * view->facts.threads};
    struct vgg_error reason = {0};
    enum vgg_status status = resources_check(&need, "", &reason);
    uint64_t fits;

    if (status == VGG_OK) {
        view->single_bytes = view->single_bytes == 0 ? bytes : view->single_bytes;
        return VGG_OK;
    }
    fits = view->single_bytes != 0 ? batch_that_fits(view, bytes) : 0;
    if (fits != 0)
        return vgg_fail(error, status, "%s; --batch %" PRIu64 " would fit", reason.text, fits);
    return vgg_fail(error, status, "%s; smaller are %s", reason.text,
                    telling_smaller(&view->facts));
}

/* Its memory has been asked for by on_memory, and some of it is taken already. */
static enum vgg_status show_plan(void *user, const struct vgg_train_plan *plan,
                                 struct vgg_error *error)
{
    struct training_view *view = user;

    (void)error;
    view->facts.plan = *plan;
    view->planned = true;
    progress_say("");
    telling_plan(&view->facts);
    return VGG_OK;
}

/* ---------------------------------------------------------------- the whole ------------------ */

void training_view_attach(struct training_view *view, struct vgg_train_options *options)
{
    view->left_out.tell = report_left_out;
    view->left_out.user = view->report;
    options->on_classes = report_classes;
    options->on_picture = report_picture;
    options->on_skip = show_skip;
    options->on_ignore = show_ignored;
    options->on_unwritten = show_unwritten;
    options->on_plan = show_plan;
    options->on_features = show_features;
    options->on_narrowing = show_narrowing;
    options->on_step = show_step;
    options->on_epoch = show_epoch;
    options->on_memory = check_memory;
    options->user = view;
}

void training_view_end(struct training_view *view)
{
    progress_hide(&view->progress);
    progress_say("");
    left_out_say(&view->left_out);
}
