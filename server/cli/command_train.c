/*
 * vgg train: a folder of photographs becomes a model. What is not said is chosen here: the base, or
 * without one the size of the network.
 */
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/train_options.h"
#include "cli/train_report.h"
#include "ops/signals.h"
#include "process/memory_room.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "text/utf8.h"
#include "training/scratch.h"
#include "training/targets.h"
#include "training/view.h"

enum {
    PATH_BYTES = 4096,
    CACHE_PART = 4,        /* of what is free, the rest being for the network */
    ROOM_PART = 2,         /* of what is free, for the maps of a network that is proposed */
    PICTURES_ENOUGH = 200, /* of a class, for a network from random weights */
    VALUE_BYTES = 24
};

/* A training, from the command line on. */
struct session {
    struct train_options given;
    const char *directory;
    char output[PATH_BYTES], checkpoint[PATH_BYTES + 16]; /* where no other was said */
    struct census census;
    struct base base;
    char name[NAME_MAX + 1]; /* of the model, likewise */
    char why[80];
    struct text chosen; /* options that were not said, with a zero at the end */
    struct training_view view;
};

/* ---------------------------------------------------------------- the files ------------------ */

/* "photos.safetensors" of "some/photos/"; never over a file that nobody has named. */
static enum vgg_status name_output(struct session *session, struct vgg_error *error)
{
    char *whole = realpath(session->directory, NULL);
    const char *name = whole != NULL ? basename(whole) : "/";
    int length = snprintf(session->output, sizeof session->output, "%s.safetensors",
                          strcmp(name, "/") != 0 ? name : "model");

    free(whole);
    if (length >= (int)sizeof session->output)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "say -o FILE for the model");
    if (access(session->output, F_OK) == 0 && !session->given.train.resume)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "%s is there already: -o with this name replaces it, with another keeps it",
                        session->output);
    (void)train_option_choose(&session->given, "output", session->output, &session->chosen);
    return VGG_OK;
}

/* "mugs" of "some/mugs.safetensors". */
static void name_model(struct session *session)
{
    static const char ending[] = ".safetensors";
    struct vgg_train_options *train = &session->given.train;
    const char *slash = strrchr(train->output, '/'), *end;

    if (train->name != NULL)
        return;
    snprintf(session->name, sizeof session->name, "%s", slash != NULL ? slash + 1 : train->output);
    end = strrchr(session->name, '.');
    if (end != NULL && strcmp(end, ending) == 0)
        session->name[end - session->name] = '\0';
    utf8_clean(session->name);
    if (session->name[0] != '\0')
        train->name = session->name;
}

static enum vgg_status open_files(struct session *session, struct vgg_error *error)
{
    struct train_options *given = &session->given;
    struct vgg_train_options *train = &given->train;
    enum vgg_status status = train->output == NULL ? name_output(session, error) : VGG_OK;

    if (status != VGG_OK)
        return status;
    name_model(session);
    train->checkpoint = given->checkpoint;
    if (given->checkpoint == NULL) {
        if (snprintf(session->checkpoint, sizeof session->checkpoint, "%s.checkpoint",
                     train->output) >= (int)sizeof session->checkpoint)
            return vgg_fail(error, VGG_BAD_ARGUMENT, "the path of the output is too long");
        train->checkpoint = session->checkpoint;
    }
    const struct target targets[] = {
        {"output", train->output, false},
        {"checkpoint", train->checkpoint, false},
        {"history", train->log, false},
        {"report", given->report, false},
        {"validation-list", train->validation_list, false},
        {"features-cache", train->features_cache, true},
    };
    status = targets_try(targets, sizeof targets / sizeof *targets, error);
    return status == VGG_OK ? html_report_create(given->report, &session->view.report, error)
                            : status;
}

/* ---------------------------------------------------------------- the choice ----------------- */

/* The first option that asks for a network of its own, or NULL. */
static const char *asks_for_network(const struct train_options *given)
{
    static const char *const names[] = {"arch", "width",      "fc",       "crop",
                                        "init", "batch-norm", "init-from"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (train_is_given(given, names[i]))
            return names[i];
    return NULL;
}

static void choose_number(struct session *session, const char *name, double number)
{
    char value[VALUE_BYTES];

    snprintf(value, sizeof value, "%g", number);
    (void)train_option_choose(&session->given, name, value, &session->chosen);
}

/* The descent of a network from random weights with batch-norm (models/trashnet/README.md). */
static void choose_descent(struct session *session, const struct scratch *scratch)
{
    struct train_options *given = &session->given;
    char scale[VALUE_BYTES];

    choose_number(session, "width", scratch->width);
    choose_number(session, "fc", scratch->fc);
    choose_number(session, "crop", scratch->crop);
    snprintf(scale, sizeof scale, "%" PRIu32 "-%" PRIu32, scratch->crop * 9 / 8,
             scratch->crop * 7 / 4);
    if (train_option_choose(given, "scale", scale, &session->chosen)) {
        given->train.scale_min = scratch->crop * 9 / 8;
        given->train.scale_max = scratch->crop * 7 / 4;
    }
    if (given->train.arch == NULL || strcmp(given->train.arch, "A-LRN") != 0)
        (void)train_option_choose(given, "batch-norm", "on", &session->chosen);
    choose_number(session, "batch", scratch->batch);
    choose_number(session, "epochs", scratch->epochs);
    choose_number(session, "dropout", 0.3);
    choose_number(session, "rate", given->train.batch_norm ? 0.003 : 0.01);
    if (given->train.patience == 0 && given->train.drops == 0)
        (void)train_option_choose(given, "cosine", "on", &session->chosen);
}

/* A network that trains within an hour. */
static enum vgg_status choose_network(struct session *session, struct vgg_error *error)
{
    const struct vgg_train_options *train = &session->given.train;
    const struct scratch_wish wish = {.arch = train->arch != NULL ? train->arch : "D",
                                      .width = train->width,
                                      .fc = train->fc,
                                      .crop = train->crop,
                                      .crop_most = train->scale_min,
                                      .batch = train->batch,
                                      .epochs = train->epochs,
                                      .pictures = session->census.pictures,
                                      .classes = (uint32_t)session->census.classes_n,
                                      .threads = train->threads,
                                      .room = memory_room_get("").free_bytes / ROOM_PART};
    struct scratch scratch;
    enum vgg_status status;

    progress_say("measuring how large a network trains within an hour ...");
    status = scratch_propose(&wish, &scratch, error);
    progress_say("");
    if (status == VGG_OK)
        choose_descent(session, &scratch);
    return status;
}

/* The base that is chosen without a word. */
static enum vgg_status choose_base(struct session *session, struct vgg_error *error)
{
    struct facts *facts = &session->view.facts;

    base_choose(&session->base);
    if (session->base.kind != BASE_NONE) {
        facts->why = session->given.freeze != NULL ? ", as --freeze asks for one"
                                                   : ", since a class has fewer than 200 pictures";
        return VGG_OK;
    }
    if (session->given.freeze != NULL)
        return vgg_fail(error, VGG_BAD_ARGUMENT,
                        "--freeze %s: there is no base here; say --base FILE",
                        session->given.freeze);
    facts->why = ": no published VGG-16 is there, and this build embeds no model";
    return choose_network(session, error);
}

/* The last layer alone is fitted without a descent: nothing that was said of one is ignored. */
static enum vgg_status check_descent(const struct session *session, struct vgg_error *error)
{
    static const char *const names[] = {
        "init",     "dropout", "scale",     "mirror",     "colour",   "validation-scale",
        "batch",    "epochs",  "rate",      "cosine",     "patience", "drops",
        "momentum", "decay",   "smoothing", "checkpoint", "resume"};
    struct text said = {0};
    enum vgg_status status = VGG_OK;

    if (session->base.kind == BASE_NONE || session->given.train.freeze != VGG_FREEZE_FEATURES)
        return VGG_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (train_is_given(&session->given, names[i]))
            text_print(&said, "%s--%s", said.size != 0 ? ", " : "", names[i]);
    if (said.size != 0)
        status = vgg_fail(error, VGG_BAD_ARGUMENT,
                          "%s: used by --freeze 4, convs and none; --freeze features, which %s, "
                          "fits the last layer to convergence without",
                          said.failed ? "options of the descent" : said.bytes,
                          session->given.freeze != NULL ? "was said" : "is the default on a base");
    free(said.bytes);
    return status;
}

static enum vgg_status choose(struct session *session, struct vgg_error *error)
{
    struct train_options *given = &session->given;
    struct facts *facts = &session->view.facts;
    const char *network = asks_for_network(given);

    facts->why = "";
    if (given->base != NULL)
        return base_open(given->base, &session->base, error);
    if (given->recipe == RECIPE_PAPER) {
        facts->why = ": a network from random weights by the paper's recipe";
        return VGG_OK;
    }
    if (given->freeze != NULL)
        return choose_base(session, error);
    if (network != NULL) {
        snprintf(session->why, sizeof session->why,
                 ": a network from random weights, for which --%s asks", network);
        facts->why = session->why;
        return choose_network(session, error);
    }
    if (session->census.least < PICTURES_ENOUGH)
        return choose_base(session, error);
    facts->why = ": every class has 200 pictures or more, enough for a network from random weights "
                 "(--base vgg16 builds on a trained one)";
    return choose_network(session, error);
}

/* Of a base that is wider than asked for nothing can stay as it is. */
static enum vgg_status choose_width(struct session *session, struct vgg_error *error)
{
    struct train_options *given = &session->given;
    struct vgg_train_options narrow;
    uint32_t width;
    enum vgg_status status;

    if (session->base.kind == BASE_NONE || given->train.width == 0)
        return VGG_OK;
    narrow = given->train;
    base_apply(&session->base, &narrow);
    if (given->freeze == NULL)
        narrow.freeze = VGG_FREEZE_NONE;
    status = vgg_train_base_width(&narrow, &width, error);
    if (status != VGG_OK || width == narrow.width)
        return status;
    given->train.freeze = VGG_FREEZE_NONE;
    session->view.facts.base_width = width;
    return VGG_OK;
}

/* ---------------------------------------------------------------- the training --------------- */

static bool is_stopped(void *user)
{
    (void)user;
    return signals_ended();
}

static void complete_facts(struct session *session)
{
    struct train_options *given = &session->given;
    struct facts *facts = &session->view.facts;
    uint32_t batch = given->train.batch;

    text_append(&session->chosen, "", 1);
    facts->json = given->json;
    facts->census = &session->census;
    facts->base = &session->base;
    facts->options = session->chosen.failed ? "" : session->chosen.bytes;
    facts->output = given->train.output;
    facts->threads = given->train.threads != 0 ? given->train.threads : vgg_threads_default();
    facts->freeze = given->train.freeze;
    facts->freeze_blocks = given->train.freeze_blocks;
    facts->base_said = given->base != NULL;
    facts->report = given->report;
    if (batch == 0 && session->base.kind == BASE_NONE)
        batch = 256; /* the library's */
    facts->batch = batch < session->census.pictures ? batch : (uint32_t)session->census.pictures;
}

static enum vgg_status train(struct session *session, struct vgg_error *error)
{
    struct vgg_train_options *options = &session->given.train;
    struct facts *facts = &session->view.facts;
    const uint64_t room = memory_room_get("").free_bytes;
    char best[FACTS_BEST_BYTES];
    struct vgg_train_result result;
    enum vgg_status status;

    base_apply(&session->base, options);
    complete_facts(session);
    training_view_attach(&session->view, options);
    options->stop = is_stopped;
    if (options->cache_bytes > room / CACHE_PART)
        options->cache_bytes = room / CACHE_PART;
    telling_choice(facts, options);
    progress_say("reading the pictures ...");
    status = vgg_train(session->directory, options, &result, error);
    training_view_end(&session->view);
    if (status == VGG_OK) {
        facts->unreported =
            !train_report_write(session->view.report, session->directory, options, facts, &result);
        telling_result(facts, &result);
        return status;
    }
    facts->output = NULL;
    if (result.measured != 0)
        telling_result(facts, &result);
    fflush(stdout);
    if (result.best_error >= 0)
        terminal_say("%s holds %s, validation error %.2f%%", options->output,
                     facts_best(&result, best), 100 * result.best_error);
    return status;
}

static enum vgg_status run(struct session *session, struct vgg_error *error)
{
    enum vgg_status status = signals_init(error);

    if (status == VGG_OK)
        status = census_take(session->directory, &session->census, error);
    if (status == VGG_OK)
        status = open_files(session, error);
    if (status == VGG_OK)
        status = choose(session, error);
    if (status == VGG_OK)
        status = choose_width(session, error);
    if (status == VGG_OK)
        status = check_descent(session, error);
    return status == VGG_OK ? train(session, error) : status;
}

static int end(struct session *session, enum vgg_status status, struct vgg_error *error)
{
    resources_explain(error);
    if (status != VGG_OK)
        terminal_say("%s", error->text);
    if (status == VGG_CANCELLED)
        telling_resume(&session->view.facts, &session->given.train);
    html_report_destroy(session->view.report);
    copies_fini(&session->view.facts.copies);
    census_fini(&session->census);
    free(session->chosen.bytes);
    if (status == VGG_CANCELLED || session->view.facts.unreported)
        return 1;
    return status == VGG_OK ? 0 : EXIT_USAGE;
}

int command_train(int argc, char **argv)
{
    char *words[argc]; /* as they were said: parsing moves them */
    struct session session = {.view.facts = {.argc = argc, .argv = words}};
    struct vgg_error error = {0};
    enum options_result result;

    memcpy(words, argv, (size_t)argc * sizeof *words);
    result = train_options_parse(argc, argv, &session.given, &session.directory);
    if (result != OPTIONS_RUN)
        return (int)result;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return end(&session, run(&session, &error), &error);
}
