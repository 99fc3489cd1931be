/* vgg eval: error rates on labelled pictures, by the paper's protocols (tables 3 to 5). */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "pictures/error_report.h"
#include "pictures/flights.h"
#include "process/option_rows.h"
#include "process/terminal.h"
#include "report/report.h"

/* Fewer than FLIGHTS_MAX: crops are many views of one shape, and held twice with `both`. */
enum { FLIGHTS_OF_CROPS = 4 };

struct eval_options {
    struct flight_options flight;
    bool json, errors;
    uint32_t protocol;
    const char *report, *unknown;
};

#define FIELD(name) offsetof(struct eval_options, name)

static const struct option options[] = {
    {ROW_MODEL(FIELD(flight.model))},
    {ROW_SCALES(FIELD(flight.scales), "shorter sides in pixels")},
    {ROW_FLIP(FIELD(flight.flip))},
    {"protocol", PROTOCOL_WORDS, OPTION_CHOICE, FIELD(protocol), 0, 0, "dense",
     "whole pictures, a 5x5 grid of crops of each scale, or both and their average"},
    {ROW_PRECISION(FIELD(flight.precision))},
    {ROW_FC_WEIGHTS(FIELD(flight.fc_half))},
    {ROW_THREADS(FIELD(flight.threads), "compute threads")},
    {"unknown", "DIR", OPTION_STRING, FIELD(unknown), 0, 0, NULL,
     "pictures of other things, in it and below: how well typicality tells them from those of the "
     "model's classes [DIR/_unknown, if there is one]"},
    {"errors", NULL, OPTION_FLAG, FIELD(errors), 0, 0, NULL,
     "also list misclassified files; the confusion matrix of up to 20 classes"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "one JSON object instead of tables"},
    {"report", "FILE", OPTION_STRING, FIELD(report), 0, 0, NULL,
     "also write an HTML page: mistakes with their pictures, confusion, copies, what scores are "
     "worth "
     "[none]"},
    {ROW_MAX_BODY(FIELD(flight.body_max), "bytes of a file")},
    {ROW_MAX_PIXELS(FIELD(flight.pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(flight.view_pixels_max))},
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
        "with more than 20 classes; skipped files; with --errors the misclassified ones. With\n"
        "--unknown: the reject level, unknown pictures and how many are caught below it, known\n"
        "ones and how many are refused, in per cent, and areas under the ROC curve: against the\n"
        "known pictures, which should not be those that the model was trained on, and against\n"
        "the model's own, each left out.\n",
};

struct session {
    const struct eval_options *options;
    struct flights flights;
    struct evaluation_params params[2]; /* PROTOCOL_DENSE, PROTOCOL_CROPS */
    struct class_folders folders;
    struct error_outcome *outcomes;
    size_t skipped;
    struct left_out left_out;
    struct error_rates rates;
    bool tried;                 /* typicality, on pictures of no class */
    struct unknown unknown;     /* of these */
    struct html_report *report; /* or NULL */
    bool no_memory;             /* for an outcome */
};

/* ---------------------------------------------------------------- measuring ------------------ */

static struct protocol_views views_of(const struct vgg_job *job)
{
    struct protocol_views views = {.answer = vgg_job_posterior(job), .n = vgg_job_view_count(job)};

    for (size_t i = 0; i < views.n; i++)
        views.views[i] = vgg_job_view_posterior(job, i);
    return views;
}

/* The posteriors by each protocol; why the picture cannot be counted, or NULL. */
static const char *get_views(const struct session *session, const struct flight *flight,
                             struct protocol_views views[2])
{
    const char *reason = NULL;

    for (unsigned i = PROTOCOL_DENSE; i <= PROTOCOL_CROPS; i++) {
        const struct evaluation *evaluation = &flight->evaluations[i];

        if (!error_rates_takes(&session->rates, i))
            continue;
        if (evaluation->failed)
            reason = evaluation->problem.detail;
        else
            views[i] = views_of(evaluation->job);
    }
    return reason;
}

/* That of whole pictures at the model's own scales; below 0: none. */
static double typicality_of(const struct flight *flight)
{
    double p = flight->evaluations[PROTOCOL_DENSE].typicality.p;

    return p != 0 ? p : -1;
}

/* Tell the report what became of a picture that was counted; `label` UINT32_MAX: it is unknown. */
static void report_picture(const struct session *session, const struct flight *flight,
                           uint32_t label)
{
    const struct vgg_train_picture picture = {
        .path = flight->picture->path,
        .label = label,
        .validation = true,
        .posterior = label != UINT32_MAX ? session->rates.posterior : NULL,
        .typicality = typicality_of(flight),
        .group = SIZE_MAX};

    html_report_picture(session->report, &picture);
}

/* A picture could not be read. */
static void lose(struct session *session, const struct flight *flight, const char *reason)
{
    session->skipped++;
    progress_hide(&session->flights.progress);
    left_out_lose(&session->left_out, flight->picture->path, reason);
}

/* Count a picture, or say why not. */
static bool land(void *user, const struct flight *flight)
{
    struct session *session = user;
    struct error_outcome *outcome = &session->outcomes[flight->number];
    struct protocol_views views[2];
    const char *reason = get_views(session, flight, views);

    if (reason == NULL) {
        uint32_t class = session->folders.classes[flight->number];

        outcome->answer = error_rates_add(&session->rates, class, views);
        report_picture(session, flight, class);
        if (session->tried)
            unknown_count(&session->unknown, &session->unknown.of_known, typicality_of(flight));
        return true;
    }
    outcome->skipped = strdup(reason);
    session->no_memory = session->no_memory || outcome->skipped == NULL;
    lose(session, flight, reason);
    return false;
}

/* The same for one of no class. */
static bool land_unknown(void *user, const struct flight *flight)
{
    struct session *session = user;
    const struct evaluation *evaluation = &flight->evaluations[PROTOCOL_DENSE];

    if (evaluation->failed) {
        lose(session, flight, evaluation->problem.detail);
        return false;
    }
    report_picture(session, flight, UINT32_MAX);
    unknown_count(&session->unknown, &session->unknown.of_unknown, typicality_of(flight));
    return true;
}

/* False when out of memory. */
static bool measure(struct session *session)
{
    struct flights *flights = &session->flights;

    for (unsigned i = PROTOCOL_DENSE; i <= PROTOCOL_CROPS; i++)
        if (error_rates_takes(&session->rates, i))
            flights->ways[i] = &session->params[i];
    flights->ahead = flights->ways[PROTOCOL_CROPS] != NULL ? FLIGHTS_OF_CROPS : FLIGHTS_MAX;
    flights->land = land;
    flights->user = session;
    (void)flights_run(flights, &session->folders.pictures); /* skipped ones are counted */
    if (session->tried) {
        flights->ways[PROTOCOL_CROPS] = NULL;
        flights->land = land_unknown;
        (void)flights_run(flights, &session->unknown.pictures);
        unknown_rank(&session->unknown, flights->model);
    }
    return !session->no_memory;
}

/* ---------------------------------------------------------------- the command ---------------- */

static void report_left_out(void *user, const char *path, const char *reason)
{
    html_report_left_out(((struct session *)user)->report, path, reason);
}

/* Its path is tried; then it is told of all that is left out, and of the classes. */
static bool open_report(struct session *session)
{
    struct vgg_error error = {0};

    session->left_out.tell = report_left_out;
    session->left_out.user = session;
    if (html_report_create(session->options->report, &session->report, &error) == VGG_OK)
        return true;
    terminal_say("--report %s", error.text);
    return false;
}

static void report_classes(const struct session *session)
{
    const struct vgg_model *model = session->flights.model;

    for (uint32_t i = 0; i < vgg_model_get_info(model)->classes; i++) {
        const char *id, *label;
        char number[16];

        vgg_model_get_label(model, i, &id, &label);
        snprintf(number, sizeof number, "%u", i);
        html_report_class(session->report, label != NULL ? label : id != NULL ? id : number);
    }
}

/* The model, the engine, the checked parameters. */
static bool open_session(struct session *session)
{
    struct evaluation_params *params = session->params;

    if (!open_report(session) ||
        !flights_open(&session->flights, &session->options->flight, &params[PROTOCOL_DENSE]))
        return false;
    params[PROTOCOL_CROPS] = params[PROTOCOL_DENSE];
    params[PROTOCOL_CROPS].grid = RATES_GRID;
    report_classes(session);
    return true;
}

/* Why typicality cannot tell pictures of no class, or NULL. */
static const char *objection_of(const struct session *session)
{
    if (session->options->protocol == PROTOCOL_CROPS)
        return "typicality is of whole pictures, --protocol dense or both";
    return evaluation_objection(&session->params[PROTOCOL_DENSE], session->flights.model);
}

static bool is_same_directory(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Those of the folder for them, if typicality can tell them and --unknown names no others. */
static void take_own(struct session *session, bool others, const char *objection)
{
    struct class_folders *folders = &session->folders;
    const char *own = folders->unknown_folder;

    if (others || objection != NULL) {
        left_out_add(&session->left_out, own, others ? "--unknown names another" : objection);
        return;
    }
    terminal_say("%s: typicality is tried on its pictures, of none of the classes", own);
    session->unknown.pictures = folders->unknown;
    folders->unknown = (struct pictures){0};
}

/* Those of --unknown, else of the folder for them. */
static bool open_unknown(struct session *session)
{
    const char *given = session->options->unknown, *objection = objection_of(session);
    const struct class_folders *folders = &session->folders;
    bool own = folders->unknown.n != 0;

    if (given != NULL && objection != NULL) {
        terminal_say("--unknown %s: %s", given, objection);
        return false;
    }
    if (given != NULL && own && is_same_directory(given, folders->unknown_folder))
        given = NULL;
    session->tried = objection == NULL && (given != NULL || own);
    if (own)
        take_own(session, given != NULL, objection);
    return !session->tried || unknown_open(&session->unknown, given, session->flights.model,
                                           folders->pictures.n, &session->left_out);
}

/* Its pictures, and room for what becomes of them. */
static bool open_pictures(struct session *session, const char *directory)
{
    const struct vgg_request *request = &session->params[PROTOCOL_DENSE].request;
    const struct vgg_model *model = session->flights.model;

    if (!class_folders_open(&session->folders, directory, model, &session->left_out))
        return false;
    if (!open_unknown(session))
        return false;
    session->outcomes = calloc(session->folders.pictures.n, sizeof *session->outcomes);
    if (session->outcomes != NULL &&
        error_rates_init(&session->rates, session->options->protocol,
                         vgg_model_get_info(model)->classes, request->scales_n, request->flip))
        return true;
    terminal_say("out of memory");
    return false;
}

static bool print_json(const struct error_report *report)
{
    size_t size = 0;
    char *json = error_report_json(report, &size);

    if (json != NULL)
        fwrite(json, 1, size, stdout);
    free(json);
    return json != NULL;
}

static bool write_report(const struct session *session, const char *directory)
{
    const struct html_report_subject subject = {
        .directory = directory,
        .model = session->options->flight.model,
        .name = vgg_model_get_info(session->flights.model)->name,
        .reject = vgg_reject_level(vgg_model_get_info(session->flights.model), 0)};
    struct vgg_error error = {0};

    if (html_report_write(session->report, &subject, &error) == VGG_OK)
        return true;
    terminal_say("--report %s", error.text);
    return false;
}

/* The exit status. */
static int print_report(const struct session *session, const char *directory)
{
    const struct error_report report = {.model = session->flights.model,
                                        .request = &session->params[PROTOCOL_DENSE].request,
                                        .folders = &session->folders,
                                        .outcomes = session->outcomes,
                                        .skipped = session->skipped,
                                        .rates = &session->rates,
                                        .unknown = session->tried ? &session->unknown : NULL,
                                        .errors = session->options->errors};
    bool written = true;

    if (session->options->json)
        written = print_json(&report);
    else if (session->rates.pictures != 0)
        error_report_print(&report);
    if (!written)
        terminal_say("out of memory");
    return write_report(session, directory) && written && session->skipped == 0 ? 0 : 1;
}

static void close_session(struct session *session)
{
    left_out_say(&session->left_out);
    for (size_t i = 0; session->outcomes != NULL && i < session->folders.pictures.n; i++)
        free(session->outcomes[i].skipped);
    free(session->outcomes);
    error_rates_fini(&session->rates);
    html_report_destroy(session->report);
    class_folders_fini(&session->folders);
    unknown_fini(&session->unknown);
    flights_close(&session->flights);
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
            status = print_report(&session, operands.items[0]);
        else {
            terminal_say("out of memory");
            status = 1;
        }
    }
    close_session(&session);
    return status;
}
