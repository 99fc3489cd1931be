/* Tables, JSON lines and CSV. */
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/json.h"
#include "answer/top.h"
#include "process/terminal.h"
#include "text/utf8.h"

#define BOLD "\033[1m"
#define FIRST "\033[1;32m"
#define FAINT "\033[2m"
#define PLAIN "\033[0m"

void report_init(struct report *report, enum report_format format, struct vgg_model *model,
                 const struct evaluation_params *params)
{
    *report = (struct report){.format = format,
                              .model = model,
                              .params = params,
                              .colours = terminal_has_colours(STDOUT_FILENO)};
    if (isatty(STDOUT_FILENO))
        report->columns = terminal_columns(STDOUT_FILENO);
}

void report_begin(const struct report *report)
{
    if (report->format == REPORT_CSV)
        fputs("file,rank,index,id,label,score,error,typicality,known\r\n", stdout);
}

/* ---------------------------------------------------------------- the table ------------------ */

static const char *colour(const struct report *report, const char *sequence)
{
    return report->colours ? sequence : "";
}

static size_t longest_id(const struct report *report, const uint32_t *top, size_t n)
{
    size_t longest = 0;

    for (size_t i = 0; i < n; i++) {
        const char *id, *label;

        vgg_model_get_label(report->model, top[i], &id, &label);
        if (id != NULL && strlen(id) > longest)
            longest = strlen(id);
    }
    return longest;
}

static void print_id(const char *id, size_t width)
{
    fputs("  ", stdout);
    for (size_t used = terminal_text(stdout, id, width); used < width; used++)
        fputc(' ', stdout);
}

/* "   93.12%    281  n02123045  tabby, tabby cat" */
static void print_class(const struct report *report, uint32_t index, double score, bool first,
                        int id_width)
{
    const char *id, *label;
    size_t used = 18 + (id_width != 0 ? (size_t)id_width + 2 : 0);

    vgg_model_get_label(report->model, index, &id, &label);
    printf("  %s%6.2f%%%s  %s%5" PRIu32, colour(report, first ? FIRST : BOLD), 100 * score,
           colour(report, PLAIN), colour(report, FAINT), index);
    if (id_width != 0)
        print_id(id != NULL ? id : "", (size_t)id_width);
    printf("%s  ", colour(report, PLAIN));
    if (label != NULL)
        terminal_text(stdout, label,
                      report->columns == 0         ? SIZE_MAX
                      : report->columns > used + 1 ? report->columns - used
                                                   : 0);
    fputc('\n', stdout);
}

/* Nothing of a picture that is known, or of which nobody can tell. */
static void print_unknown(const struct report *report,
                          const struct evaluation_typicality *typicality)
{
    if (typicality->p != 0 && !typicality->known)
        printf("  %snot like anything this model was trained on%s: typicality %.2g, below %.2g\n",
               colour(report, BOLD), colour(report, PLAIN), typicality->p, typicality->reject);
}

static bool print_table(const struct report *report, const struct report_file *file)
{
    const float *posterior = vgg_job_posterior(file->evaluation->job);
    size_t n;
    uint32_t *top = top_classes(report->model, posterior, report->params->top_k, &n);
    int id_width;

    if (top == NULL)
        return false;
    id_width = (int)longest_id(report, top, n);
    fputs(colour(report, BOLD), stdout);
    terminal_text(stdout, file->path, SIZE_MAX);
    printf("%s\n", colour(report, PLAIN));
    print_unknown(report, &file->evaluation->typicality);
    for (size_t i = 0; i < n; i++)
        print_class(report, top[i], (double)posterior[top[i]], i == 0, id_width);
    free(top);
    return true;
}

/* ---------------------------------------------------------------- JSON ----------------------- */

static bool print_json(const struct report *report, const struct report_file *file)
{
    char id[32];
    const struct json_answer answer = {
        .request_id = id,
        .model = report->model,
        .params = report->params,
        .evaluations = file->evaluation,
        .evaluations_n = 1,
        .file = file->path,
        .total_ns = file->total_ns,
    };
    size_t size = 0;
    char *json;

    snprintf(id, sizeof id, "file-%zu", file->number);
    json = file->evaluation->failed
               ? json_problem(&file->evaluation->problem, id, file->path, &size)
               : json_answer(&answer, &size);
    if (json != NULL)
        fwrite(json, 1, size, stdout);
    free(json);
    return json != NULL;
}

/* ---------------------------------------------------------------- CSV (RFC 4180) ------------- */

/* A file gets the bytes as they are, a terminal what it may show. */
static void print_field(const struct report *report, const char *text)
{
    bool terminal = report->columns != 0, quoted = strpbrk(text, ",\"\r\n") != NULL;

    if (quoted)
        fputc('"', stdout);
    for (size_t left = strlen(text), taken = 1; left > 0; text += taken, left -= taken) {
        const char *shown = text;
        size_t bytes = 1;

        if (terminal)
            taken = utf8_show(text, left, &shown, &bytes);
        if (*text == '"')
            fputc('"', stdout);
        fwrite(shown, 1, bytes, stdout);
    }
    if (quoted)
        fputc('"', stdout);
}

/* The fields that are empty where there is no typicality, and the end of the row. */
static void print_known(const struct evaluation_typicality *typicality)
{
    if (typicality->p != 0)
        printf(",%.9g,%s\r\n", typicality->p, typicality->known ? "true" : "false");
    else
        fputs(",,\r\n", stdout);
}

static bool print_csv(const struct report *report, const struct report_file *file)
{
    size_t n;
    uint32_t *top;

    if (file->evaluation->failed) {
        print_field(report, file->path);
        fputs(",,,,,,", stdout);
        print_field(report, file->evaluation->problem.detail);
        fputs(",,\r\n", stdout);
        return true;
    }
    top = top_classes(report->model, vgg_job_posterior(file->evaluation->job),
                      report->params->top_k, &n);
    if (top == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *id, *label;

        vgg_model_get_label(report->model, top[i], &id, &label);
        print_field(report, file->path);
        printf(",%zu,%" PRIu32 ",", i + 1, top[i]);
        print_field(report, id != NULL ? id : "");
        fputc(',', stdout);
        print_field(report, label != NULL ? label : "");
        printf(",%.9g,", (double)vgg_job_posterior(file->evaluation->job)[top[i]]);
        print_known(&file->evaluation->typicality);
    }
    free(top);
    return true;
}

/* ---------------------------------------------------------------- all of them ---------------- */

bool report_file(const struct report *report, const struct report_file *file)
{
    bool failed = file->evaluation->failed, printed = true;

    if (failed && report->format != REPORT_JSON)
        terminal_failure(file->path, file->evaluation->problem.detail);
    if (report->format == REPORT_JSON)
        printed = print_json(report, file);
    else if (report->format == REPORT_CSV)
        printed = print_csv(report, file);
    else if (!failed)
        printed = print_table(report, file);
    if (!printed)
        terminal_failure(file->path, "out of memory");
    fflush(stdout);
    return printed;
}
