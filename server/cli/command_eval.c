/* vgg eval: error rates on labelled pictures, by the paper's protocols (tables 3 to 5). */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/evaluation.h"
#include "cli/cli.h"
#include "cli/eval_report.h"
#include "cli/progress.h"
#include "models/model_file.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"

/*
 * Enough for the engine to batch, and for the next pictures to be decoded meanwhile; each holds its
 * rescaled pictures, some megabytes. Crops are many views of one shape, and held twice with `both`.
 */
enum { FLIGHTS_MAX = 16, FLIGHTS_OF_CROPS = 4 };

struct eval_options {
    const char *model;
    struct option_scales scales;
    bool flip, fc_half, json, errors;
    uint32_t protocol, threads;
    uint64_t body_max, pixels_max, view_pixels_max;
};

#define FIELD(name) offsetof(struct eval_options, name)

static const struct option options[] = {
    {ROW_MODEL(FIELD(model))},
    {ROW_SCALES(FIELD(scales), "shorter sides in pixels")},
    {ROW_FLIP(FIELD(flip))},
    {"protocol", EVAL_PROTOCOLS, OPTION_CHOICE, FIELD(protocol), 0, 0, "dense",
     "whole pictures, a 5x5 grid of crops of each scale, or both and their average"},
    {ROW_FC_WEIGHTS(FIELD(fc_half))},
    {ROW_THREADS(FIELD(threads), "compute threads")},
    {"errors", NULL, OPTION_FLAG, FIELD(errors), 0, 0, NULL,
     "also list misclassified files; the confusion matrix of up to 20 classes"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "one JSON object instead of tables"},
    {ROW_MAX_BODY(FIELD(body_max), "bytes of a file")},
    {ROW_MAX_PIXELS(FIELD(pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(view_pixels_max))},
};

const struct command_usage eval_usage = {
    .command = "vgg eval",
    .operands = "[OPTIONS] DIR",
    .summary =
        "Measure top-1 and top-5 error rates, by scale and combined, without mirror images and\n"
        "with them, on the JPEG, PNG and WebP files in and below the folders DIR/CLASS. CLASS is\n"
        "an id of the model, else a label, else (of a model without labels) an index. What is no\n"
        "picture is counted and named; the exit status is 1 if a picture had to be left out.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .footer =
        "\nJSON: model, protocol, scales, flip, pictures; top1_error and top5_error in per cent\n"
        "(top5_error is null with at most 5 classes) of all that, and in \"results\" by protocol,\n"
        "scales and flip; classes with pictures, their top1_error; confusion[class][answer], null\n"
        "with more than 20 classes; skipped files; with --errors the misclassified ones.\n",
};

struct session {
    const struct eval_options *options;
    struct vgg_model *model;
    struct vgg_engine *engine;
    struct evaluation_params params[2]; /* TALLY_DENSE, TALLY_CROPS */
    struct class_folders folders;
    struct eval_outcome *outcomes;
    size_t skipped;
    struct left_out left_out;
    struct tally tally;
};

/* ---------------------------------------------------------------- the files in flight -------- */

/* A picture between its submission and its count. */
struct flight {
    struct evaluation evaluations[2];
};

/* Read; by each protocol decode and submit. */
static void take_off(struct session *session, size_t number, struct flight *flight)
{
    const struct vgg_image_limits limits = {.pixels_max = session->options->pixels_max};
    struct problem problem = {0};
    uint8_t *bytes;
    size_t size;
    bool whole = picture_read(&session->folders.pictures.items[number], session->options->body_max,
                              &bytes, &size, &problem);

    *flight = (struct flight){0};
    for (unsigned i = TALLY_DENSE; i <= TALLY_CROPS; i++) {
        struct evaluation *evaluation = &flight->evaluations[i];

        if (!tally_takes(&session->tally, i))
            continue;
        evaluation->failed = !whole;
        evaluation->problem = problem;
        if (!whole)
            continue;
        evaluation->bytes = bytes;
        evaluation->size = size;
        evaluation_check(evaluation, session->model, &session->params[i], &limits,
                         session->options->view_pixels_max);
        evaluation_begin(evaluation, session->engine, session->model, &session->params[i], &limits,
                         NULL);
        evaluation->bytes = NULL;
    }
    free(bytes);
}

static struct tally_views views_of(const struct vgg_job *job)
{
    struct tally_views views = {.answer = vgg_job_posterior(job), .n = vgg_job_view_count(job)};

    for (size_t i = 0; i < views.n; i++)
        views.views[i] = vgg_job_view_posterior(job, i);
    return views;
}

/* Wait for the posteriors; why the picture cannot be counted, or NULL. */
static const char *await(struct session *session, struct flight *flight,
                         struct tally_views views[2])
{
    const char *reason = NULL;

    for (unsigned i = TALLY_DENSE; i <= TALLY_CROPS; i++) {
        struct evaluation *evaluation = &flight->evaluations[i];

        if (!tally_takes(&session->tally, i))
            continue;
        evaluation_end(evaluation);
        if (evaluation->failed)
            reason = evaluation->problem.detail;
        else
            views[i] = views_of(evaluation->job);
    }
    return reason;
}

/* Count a picture, or say why not. False when out of memory. */
static bool land(struct session *session, size_t number, struct flight *flight,
                 struct progress *progress)
{
    struct eval_outcome *outcome = &session->outcomes[number];
    struct tally_views views[2];
    const char *reason = await(session, flight, views);

    if (reason == NULL)
        outcome->answer = tally_add(&session->tally, session->folders.classes[number], views);
    else {
        outcome->skipped = strdup(reason);
        session->skipped++;
        progress_hide(progress);
        left_out_lose(&session->left_out, session->folders.pictures.items[number].path, reason);
    }
    progress_step(progress, reason != NULL);
    progress_show(progress);
    for (unsigned i = TALLY_DENSE; i <= TALLY_CROPS; i++)
        evaluation_fini(&flight->evaluations[i]);
    return reason == NULL || outcome->skipped != NULL;
}

/* In order, with several at the engine at a time. */
static bool measure(struct session *session)
{
    struct flight flights[FLIGHTS_MAX];
    struct progress progress;
    size_t n = session->folders.pictures.n;
    size_t ahead = tally_takes(&session->tally, TALLY_CROPS) ? FLIGHTS_OF_CROPS : FLIGHTS_MAX;
    bool good = true;

    progress_init(&progress, n);
    progress_show(&progress);
    for (size_t i = 0; i < n + ahead; i++) {
        struct flight *flight = &flights[i % ahead];

        if (i >= ahead && i - ahead < n)
            good = land(session, i - ahead, flight, &progress) && good;
        if (i < n)
            take_off(session, i, flight);
    }
    progress_hide(&progress);
    return good;
}

/* ---------------------------------------------------------------- the command ---------------- */

/* The model, the engine, the checked parameters. */
static bool open_session(struct session *session)
{
    const struct eval_options *given = session->options;
    const struct vgg_engine_options engine = {.threads = given->threads,
                                              .view_pixels_max = given->view_pixels_max};
    const struct vgg_load_options load = {.threads = given->threads, .fc_half = given->fc_half};
    struct vgg_error error = {0};
    struct problem problem = {0};

    if (model_open(given->model, &load, &engine, &session->model, &error) != VGG_OK ||
        vgg_engine_create(&engine, &session->engine, &error) != VGG_OK) {
        resources_explain(&error);
        terminal_say("%s", error.text);
        return false;
    }
    session->params[TALLY_DENSE].request.flip = given->flip;
    if (!evaluation_params_complete(&session->params[TALLY_DENSE], session->model,
                                    given->scales.scales, given->scales.n, &problem)) {
        terminal_say("%s", problem.detail);
        return false;
    }
    session->params[TALLY_CROPS] = session->params[TALLY_DENSE];
    session->params[TALLY_CROPS].grid = TALLY_GRID;
    return true;
}

/* Its pictures, and room for what becomes of them. */
static bool open_pictures(struct session *session, const char *directory)
{
    const struct vgg_request *request = &session->params[TALLY_DENSE].request;

    if (!class_folders_open(&session->folders, directory, session->model, &session->left_out))
        return false;
    session->outcomes = calloc(session->folders.pictures.n, sizeof *session->outcomes);
    if (session->outcomes != NULL &&
        tally_init(&session->tally, session->options->protocol,
                   vgg_model_get_info(session->model)->classes, request->scales_n, request->flip))
        return true;
    terminal_say("out of memory");
    return false;
}

static bool print_json(const struct eval_result *result)
{
    size_t size = 0;
    char *json = eval_report_json(result, &size);

    if (json != NULL)
        fwrite(json, 1, size, stdout);
    free(json);
    return json != NULL;
}

/* The exit status. */
static int report(const struct session *session)
{
    const struct eval_result result = {.model = session->model,
                                       .request = &session->params[TALLY_DENSE].request,
                                       .folders = &session->folders,
                                       .outcomes = session->outcomes,
                                       .skipped = session->skipped,
                                       .tally = &session->tally,
                                       .errors = session->options->errors};
    bool written = true;

    if (session->options->json)
        written = print_json(&result);
    else if (session->tally.pictures != 0)
        eval_report_tables(&result);
    if (!written)
        terminal_say("out of memory");
    return written && session->skipped == 0 ? 0 : 1;
}

static void close_session(struct session *session)
{
    left_out_say(&session->left_out);
    for (size_t i = 0; session->outcomes != NULL && i < session->folders.pictures.n; i++)
        free(session->outcomes[i].skipped);
    free(session->outcomes);
    tally_fini(&session->tally);
    class_folders_fini(&session->folders);
    vgg_engine_destroy(session->engine);
    vgg_model_release(session->model);
}

int command_eval(int argc, char **argv)
{
    struct eval_options given = {0};
    struct session session = {.options = &given};
    struct operands operands;
    enum options_result result = options_parse(&eval_usage, argc, argv, &given, &operands);
    int status = EXIT_USAGE;

    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n != 1) {
        terminal_say("eval needs one directory of class folders (see vgg eval --help)");
        return EXIT_USAGE;
    }
    if (open_session(&session) && open_pictures(&session, operands.items[0])) {
        if (measure(&session))
            status = report(&session);
        else {
            terminal_say("out of memory");
            status = 1;
        }
    }
    close_session(&session);
    return status;
}
