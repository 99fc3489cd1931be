/* vgg classify: the server's answer for files, without a server. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "json.h"
#include "model_slot.h"
#include "options.h"

enum { FIRST_BYTES = 1 << 20 };

struct classify_options {
    const char *model;
    struct option_scales scales;
    bool flip, json, views, map;
    uint32_t top_k, threads;
    uint64_t body_max, pixels_max, view_pixels_max;
};

#define FIELD(name) offsetof(struct classify_options, name)

static const struct option options[] = {
    {"model", "FILE", OPTION_STRING, FIELD(model), 0, 0, "model (safetensors) [the embedded one]"},
    {"scales", "LIST", OPTION_SCALES, FIELD(scales), 0, 0,
     "shorter sides in pixels [the model's, else 256,384,512]"},
    {"flip", "on|off", OPTION_SWITCH, FIELD(flip), 0, 0, "evaluate mirror images too [on]"},
    {"top-k", "N", OPTION_COUNT, FIELD(top_k), 1, UINT32_MAX, "classes to show [5]"},
    {"threads", "N", OPTION_COUNT, FIELD(threads), 1, 1024,
     "compute threads [the CPUs this process may use]"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, "one JSON object a line"},
    {"views", NULL, OPTION_FLAG, FIELD(views), 0, 0, "with --json: the classes of each view"},
    {"map", NULL, OPTION_FLAG, FIELD(map), 0, 0, "with --json: the class score maps"},
    {"max-body", "SIZE", OPTION_SIZE, FIELD(body_max), 1, UINT32_MAX, "bytes of a file [16MiB]"},
    {"max-pixels", "N", OPTION_SIZE, FIELD(pixels_max), 1, UINT32_MAX, "pixels of a picture [64M]"},
    {"max-view-pixels", "N", OPTION_SIZE, FIELD(view_pixels_max), 1, 1 << 28,
     "pixels of a rescaled picture [1M]"},
};

static const struct command_usage usage = {
    .command = "vgg classify",
    .operands = "[OPTIONS] FILE...",
    .summary =
        "Classify JPEG files (- is standard input). The exit status is 1 if any file failed.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

struct session {
    const struct classify_options *options;
    struct vgg_model *model;
    struct vgg_engine *engine;
    struct evaluation_params params;
};

/* ---------------------------------------------------------------- files ---------------------- */

/* Read at most max bytes from fd into a malloc'ed block. */
static bool read_all(int fd, uint64_t max, uint8_t **bytes, size_t *size, struct problem *problem)
{
    size_t capacity = 0;

    *bytes = NULL;
    *size = 0;
    for (;;) {
        ssize_t n;

        if (*size == capacity) {
            uint8_t *grown;

            capacity = capacity != 0 ? 2 * capacity : FIRST_BYTES;
            grown = realloc(*bytes, capacity);
            if (grown == NULL) {
                problem_set(problem, PROBLEM_NO_MEMORY, "out of memory");
                return false;
            }
            *bytes = grown;
        }
        n = read(fd, *bytes + *size, capacity - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            problem_set(problem, PROBLEM_NOT_FOUND, "cannot read it: %s", strerror(errno));
            return false;
        }
        *size += (size_t)n;
        if (*size > max) {
            problem_set(problem, PROBLEM_BODY_TOO_LARGE, "over the limit of %" PRIu64 " bytes",
                        max);
            return false;
        }
        if (n == 0)
            return true;
    }
}

static bool read_file(const char *path, uint64_t max, uint8_t **bytes, size_t *size,
                      struct problem *problem)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool whole;

    *bytes = NULL;
    if (fd < 0) {
        problem_set(problem, PROBLEM_NOT_FOUND, "cannot open it: %s", strerror(errno));
        return false;
    }
    whole = read_all(fd, max, bytes, size, problem);
    if (fd != STDIN_FILENO)
        close(fd);
    return whole;
}

/* ---------------------------------------------------------------- output --------------------- */

static void print_table(const struct session *session, const char *path,
                        const struct evaluation *evaluation)
{
    const float *posterior = vgg_job_posterior(evaluation->job);
    uint32_t classes = vgg_model_get_info(session->model)->classes;
    size_t k = session->params.top_k < classes ? session->params.top_k : classes;
    uint32_t *top = calloc(k, sizeof *top);

    if (top == NULL)
        return;
    k = vgg_top_k(posterior, classes, k, top);
    printf("%s\n", path);
    for (size_t i = 0; i < k; i++) {
        const char *id, *label;

        vgg_model_get_label(session->model, top[i], &id, &label);
        printf("  %6.2f%%  %5" PRIu32 "  %s%s%s\n", 100 * (double)posterior[top[i]], top[i],
               id != NULL ? id : "", id != NULL ? "  " : "", label != NULL ? label : "");
    }
    free(top);
}

static void print_json(const struct session *session, const char *path,
                       const struct evaluation *evaluation, const char *id, uint64_t start_ns)
{
    const struct json_answer answer = {
        .request_id = id,
        .model = session->model,
        .params = &session->params,
        .evaluations = evaluation,
        .evaluations_n = 1,
        .file = path,
        .total_ns = now_ns() - start_ns,
    };
    size_t size = 0;
    char *json = evaluation->failed ? json_problem(&evaluation->problem, id, path, &size)
                                    : json_answer(&answer, &size);

    if (json != NULL)
        fwrite(json, 1, size, stdout);
    else
        fprintf(stderr, "vgg: %s: out of memory\n", path);
    free(json);
}

/* ---------------------------------------------------------------- the command ---------------- */

static void evaluate_file(const struct session *session, const char *path,
                          struct evaluation *evaluation, uint8_t **bytes)
{
    const struct vgg_image_limits limits = {.pixels_max = session->options->pixels_max};

    if (!read_file(path, session->options->body_max, bytes, &evaluation->size,
                   &evaluation->problem)) {
        evaluation->failed = true;
        return;
    }
    evaluation->bytes = *bytes;
    evaluation_check(evaluation, session->model, &session->params, &limits,
                     session->options->view_pixels_max);
    evaluation_begin(evaluation, session->engine, session->model, &session->params, &limits, NULL);
    evaluation_end(evaluation);
}

static bool classify_file(const struct session *session, const char *path, size_t number)
{
    uint64_t start_ns = now_ns();
    struct evaluation evaluation = {0};
    uint8_t *bytes = NULL;
    char id[32];

    evaluate_file(session, path, &evaluation, &bytes);
    snprintf(id, sizeof id, "file-%zu", number);
    if (session->options->json)
        print_json(session, path, &evaluation, id, start_ns);
    else if (!evaluation.failed)
        print_table(session, path, &evaluation);
    else
        fprintf(stderr, "vgg: %s: %s\n", path, evaluation.problem.detail);
    fflush(stdout);
    evaluation_fini(&evaluation);
    free(bytes);
    return !evaluation.failed;
}

/* The model, the engine and the checked parameters. */
static bool open_session(struct session *session, const struct classify_options *given)
{
    const struct vgg_engine_options engine = {.threads = given->threads,
                                              .view_pixels_max = given->view_pixels_max};
    const struct vgg_load_options load = {.threads = given->threads};
    struct vgg_error error = {0};
    struct problem problem = {0};

    session->options = given;
    session->params.request.flip = given->flip;
    session->params.top_k = given->top_k;
    session->params.views = given->views;
    session->params.map = given->map;
    if (model_open(given->model, &load, &session->model, &error) != VGG_OK ||
        vgg_engine_create(&engine, &session->engine, &error) != VGG_OK) {
        fprintf(stderr, "vgg: %s\n", error.text);
        return false;
    }
    if (!evaluation_params_complete(&session->params, session->model, given->scales.scales,
                                    given->scales.n, &problem)) {
        fprintf(stderr, "vgg: %s\n", problem.detail);
        return false;
    }
    return true;
}

int command_classify(int argc, char **argv)
{
    struct classify_options given = {.flip = true,
                                     .top_k = 5,
                                     .body_max = 16 << 20,
                                     .pixels_max = 64 << 20,
                                     .view_pixels_max = 1 << 20};
    struct session session = {0};
    struct operands operands;
    enum options_result result;
    int status = EXIT_USAGE;

    result = options_parse(&usage, argc, argv, &given, &operands);
    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n == 0) {
        fprintf(stderr, "vgg: classify needs at least one file (see vgg classify --help)\n");
        return EXIT_USAGE;
    }
    if (open_session(&session, &given)) {
        status = 0;
        for (size_t i = 0; i < operands.n; i++)
            if (!classify_file(&session, operands.items[i], i + 1))
                status = 1;
        if (fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "vgg: cannot write to standard output\n");
            status = 1;
        }
    }
    vgg_engine_destroy(session.engine);
    vgg_model_release(session.model);
    return status;
}
