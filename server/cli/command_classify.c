/* vgg classify: the server's answer for files, without a server. */
#include <stddef.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "pictures/flights.h"
#include "process/clock.h"
#include "process/option_rows.h"
#include "process/terminal.h"

struct classify_options {
    struct flight_options flight;
    bool json, csv, views, map, features;
    uint32_t top_k;
    double reject; /* 0: the model's */
};

#define FIELD(name) offsetof(struct classify_options, name)

static const struct option options[] = {
    {ROW_MODEL(FIELD(flight.model))},
    {ROW_SCALES(FIELD(flight.scales), "shorter sides in pixels")},
    {ROW_FLIP(FIELD(flight.flip))},
    {ROW_TOP_K(FIELD(top_k), "classes to show")},
    {"reject", "P", OPTION_LEVEL, FIELD(reject), 0, 0, NULL,
     "typicality below which a picture is unknown, at least 2/(n + 1) of the model's n known "
     "pictures [the model's]"},
    {ROW_PRECISION(FIELD(flight.precision))},
    {ROW_FC_WEIGHTS(FIELD(flight.fc_half))},
    {ROW_THREADS(FIELD(flight.threads), "compute threads")},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "one JSON object a line"},
    {"csv", NULL, OPTION_FLAG, FIELD(csv), 0, 0, NULL, "comma-separated values, one line a class"},
    {"views", NULL, OPTION_FLAG, FIELD(views), 0, 0, NULL, "with --json: the classes of each view"},
    {"map", NULL, OPTION_FLAG, FIELD(map), 0, 0, NULL, "with --json: the class score maps"},
    {"features", NULL, OPTION_FLAG, FIELD(features), 0, 0, NULL, "with --json: the image features"},
    {ROW_MAX_BODY(FIELD(flight.body_max), "bytes of a file")},
    {ROW_MAX_PIXELS(FIELD(flight.pixels_max))},
    {ROW_MAX_VIEW_PIXELS(FIELD(flight.view_pixels_max))},
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
    struct flights flights;
    struct evaluation_params params;
    struct report report;
};

/* Print what became of a picture. */
static bool land(void *user, const struct flight *flight)
{
    struct session *session = user;
    const struct report_file file = {.path = flight->picture->path,
                                     .number = flight->number + 1,
                                     .evaluation = &flight->evaluations[0],
                                     .total_ns = now_ns() - flight->begun_ns};
    bool printed;

    progress_hide(&session->flights.progress);
    printed = report_file(&session->report, &file);
    session->flights.stopped = ferror(stdout); /* nobody sees the answers of more */
    return printed && !file.evaluation->failed;
}

/* A level that nothing will be held against. */
static void warn_if_useless(const struct session *session)
{
    const char *objection = evaluation_objection(&session->params, session->flights.model);

    if (session->params.reject != 0 && objection != NULL)
        terminal_say("--reject does nothing: %s", objection);
}

/* The model, the engine and the checked parameters. */
static bool open_session(struct session *session, const struct classify_options *given)
{
    session->params = (struct evaluation_params){.top_k = given->top_k,
                                                 .views = given->views,
                                                 .map = given->map,
                                                 .features = given->features,
                                                 .reject = given->reject};
    session->flights.ways[0] = &session->params;
    session->flights.ahead = FLIGHTS_MAX;
    session->flights.land = land;
    session->flights.user = session;
    if (!flights_open(&session->flights, &given->flight, &session->params))
        return false;
    warn_if_useless(session);
    report_init(&session->report,
                given->json  ? REPORT_JSON
                : given->csv ? REPORT_CSV
                             : REPORT_TABLE,
                session->flights.model, &session->params);
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
        report_begin(&session.report);
        status = flights_run(&session.flights, &pictures) ? 0 : 1;
    }
    pictures_fini(&pictures);
    flights_close(&session.flights);
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
