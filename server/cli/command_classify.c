/* vgg classify: the server's answer for files, without a server. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/pictures.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "models/model_file.h"
#include "process/clock.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"

/* Enough for the engine to batch; each holds its rescaled pictures, some megabytes. */
enum { FLIGHTS_MAX = 16 };

struct classify_options {
    const char *model;
    struct option_scales scales;
    bool flip, fc_half, json, csv, views, map, features;
    uint32_t top_k, threads;
    uint64_t body_max, pixels_max, view_pixels_max;
};

#define FIELD(name) offsetof(struct classify_options, name)

static const struct option options[] = {
    {ROW_MODEL(FIELD(model))},
    {ROW_SCALES(FIELD(scales), "shorter sides in pixels")},
    {ROW_FLIP(FIELD(flip))},
    {ROW_TOP_K(FIELD(top_k), "classes to show")},
    {ROW_FC_WEIGHTS(FIELD(fc_half))},
    {ROW_THREADS(FIELD(threads), "compute threads")},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "one JSON object a line"},
    {"csv", NULL, OPTION_FLAG, FIELD(csv), 0, 0, NULL, "comma-separated values, one line a class"},
    {"views", NULL, OPTION_FLAG, FIELD(views), 0, 0, NULL, "with --json: the classes of each view"},
    {"map", NULL, OPTION_FLAG, FIELD(map), 0, 0, NULL, "with --json: the class score maps"},
    {"features", NULL, OPTION_FLAG, FIELD(features), 0, 0, NULL, "with --json: the image features"},
    {ROW_MAX_BODY(FIELD(body_max), "bytes of a file")},
    {ROW_MAX_PIXELS(FIELD(pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(view_pixels_max))},
};

const struct command_usage classify_usage = {
    .command = "vgg classify",
    .operands = "[OPTIONS] FILE|DIRECTORY...",
    .summary = "Classify JPEG, PNG and WebP files. A directory stands for the pictures in it and "
               "below,\n- for standard input. The exit status is 1 if any file failed.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

struct session {
    const struct classify_options *options;
    struct vgg_model *model;
    struct vgg_engine *engine;
    struct evaluation_params params;
    struct report report;
};

/* ---------------------------------------------------------------- the files in flight -------- */

/* A picture between its submission and its line of output. */
struct flight {
    const struct picture *picture;
    struct evaluation evaluation;
    uint64_t begun_ns;
};

/* Read, decode and submit; the encoded bytes are not needed afterwards. */
static void take_off(const struct session *session, const struct picture *picture,
                     struct flight *flight)
{
    const struct vgg_image_limits limits = {.pixels_max = session->options->pixels_max};
    struct evaluation *evaluation = &flight->evaluation;
    uint8_t *bytes = NULL;

    *flight = (struct flight){.picture = picture, .begun_ns = now_ns()};
    if (picture_read(picture, session->options->body_max, &bytes, &evaluation->size,
                     &evaluation->problem)) {
        evaluation->bytes = bytes;
        evaluation_check(evaluation, session->model, &session->params, &limits,
                         session->options->view_pixels_max);
        evaluation_begin(evaluation, session->engine, session->model, &session->params, &limits,
                         NULL);
        evaluation->bytes = NULL;
    } else
        evaluation->failed = true;
    free(bytes);
}

/* Wait for the result and print it. */
static bool land(const struct session *session, struct flight *flight, struct progress *progress)
{
    struct evaluation *evaluation = &flight->evaluation;
    struct report_file file = {
        .path = flight->picture->path, .number = progress->done + 1, .evaluation = evaluation};
    bool printed;

    evaluation_end(evaluation);
    file.total_ns = now_ns() - flight->begun_ns;
    progress_hide(progress);
    printed = report_file(&session->report, &file);
    progress_step(progress, evaluation->failed || !printed);
    progress_show(progress);
    evaluation_fini(evaluation);
    return printed && !evaluation->failed;
}

/* In order, with several at the engine at a time; false where one failed. */
static bool classify_all(const struct session *session, const struct pictures *pictures)
{
    struct flight flights[FLIGHTS_MAX];
    struct progress progress;
    size_t n = pictures->n;
    bool good = true;

    progress_init(&progress, n);
    progress_show(&progress);
    report_begin(&session->report);
    for (size_t i = 0; i < n + FLIGHTS_MAX; i++) {
        struct flight *flight = &flights[i % FLIGHTS_MAX];

        if (i >= FLIGHTS_MAX && i - FLIGHTS_MAX < n)
            good = land(session, flight, &progress) && good;
        /* Nobody sees the answers of more. */
        if (ferror(stdout) && n > i)
            n = i;
        if (i < n)
            take_off(session, &pictures->items[i], flight);
    }
    return good;
}

/* ---------------------------------------------------------------- the command ---------------- */

/* The model, the engine and the checked parameters. */
static bool open_session(struct session *session, const struct classify_options *given)
{
    const struct vgg_engine_options engine = {.threads = given->threads,
                                              .view_pixels_max = given->view_pixels_max};
    const struct vgg_load_options load = {.threads = given->threads, .fc_half = given->fc_half};
    struct vgg_error error = {0};
    struct problem problem = {0};

    session->options = given;
    session->params.request.flip = given->flip;
    session->params.top_k = given->top_k;
    session->params.views = given->views;
    session->params.map = given->map;
    session->params.features = given->features;
    if (model_open(given->model, &load, &engine, &session->model, &error) != VGG_OK ||
        vgg_engine_create(&engine, &session->engine, &error) != VGG_OK) {
        resources_explain(&error);
        terminal_say("%s", error.text);
        return false;
    }
    if (!evaluation_params_complete(&session->params, session->model, given->scales.scales,
                                    given->scales.n, &problem)) {
        terminal_say("%s", problem.detail);
        return false;
    }
    report_init(&session->report,
                given->json  ? REPORT_JSON
                : given->csv ? REPORT_CSV
                             : REPORT_TABLE,
                session->model, &session->params);
    return true;
}

/* The exit status. */
static int run(const struct classify_options *given, const struct operands *operands)
{
    struct session session = {0};
    struct pictures pictures = {0};
    struct left_out left_out = {0};
    int status = EXIT_USAGE;
    bool listed = true;

    for (size_t i = 0; i < operands->n && listed; i++)
        listed = pictures_add(&pictures, operands->items[i], &left_out);
    left_out_say(&left_out);
    if (!listed)
        terminal_say("out of memory");
    else if (open_session(&session, given)) {
        status = classify_all(&session, &pictures) ? 0 : 1;
    }
    pictures_fini(&pictures);
    vgg_engine_destroy(session.engine);
    vgg_model_release(session.model);
    return status;
}

int command_classify(int argc, char **argv)
{
    struct classify_options given = {0};
    struct operands operands;
    enum options_result result = options_parse(&classify_usage, argc, argv, &given, &operands);

    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n == 0)
        terminal_say("classify needs at least one file (see vgg classify --help)");
    else if (given.json && given.csv)
        terminal_say("--json and --csv cannot be had together");
    else
        return run(&given, &operands);
    return EXIT_USAGE;
}
