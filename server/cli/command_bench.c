/* vgg bench: the network layer by layer, beside what the machine could do at most. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "models/model_file.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"
#include "text/text.h"
#include "vgg_bench.h"
#include "vgg_footprint.h"

enum { RUNS_MAX = 16, SIDE_MAX = 4096 };

struct bench_options {
    const char *arch, *model, *sizes;
    uint32_t batch, threads, repeats, precision;
    bool json, fc_half;
};

#define FIELD(name) offsetof(struct bench_options, name)

static const struct option options[] = {
    {"arch", "ARCH", OPTION_STRING, FIELD(arch), 0, 0, NULL,
     "a full-size untrained A, A-LRN, B, C, D or E [D]"},
    {"model", "FILE", OPTION_STRING, FIELD(model), 0, 0, NULL, "a model file instead"},
    {"sizes", "LIST", OPTION_STRING, FIELD(sizes), 0, 0, "224x224,512x512", "WIDTHxHEIGHT,..."},
    {"batch", "N", OPTION_COUNT, FIELD(batch), 1, 16, "1", "views that go through together"},
    {ROW_PRECISION(FIELD(precision))},
    {ROW_FC_WEIGHTS(FIELD(fc_half))},
    {ROW_THREADS(FIELD(threads), "compute threads")},
    {"repeats", "N", OPTION_COUNT, FIELD(repeats), 1, 1000, "7",
     "passes, of which the best counts"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL, "one JSON object instead of text"},
};

const struct command_usage bench_usage = {
    .command = "vgg bench",
    .operands = "[OPTIONS]",
    .summary = "Time a network layer by layer. Effective GFLOP/s count the operations of a direct\n"
               "convolution. The machine's peak, by multiply-adds of floats (FMA) for 8 bits too, "
               "and its\n"
               "read bandwidth are measured in the same run.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

/* A network at one size. */
struct run {
    const char *arch, *precision;
    uint32_t width, height, batch;
    struct vgg_bench bench;
    double conv_gflops, conv_vs_peak, fc_vs_peak, fc_vs_bandwidth;
};

static bool parse_sizes(const char *text, struct run *runs, size_t *n)
{
    for (*n = 0; *n < RUNS_MAX;) {
        unsigned width, height;
        int length = 0;

        if (sscanf(text, "%4ux%4u%n", &width, &height, &length) != 2 || width == 0 || height == 0 ||
            width > SIDE_MAX || height > SIDE_MAX)
            return false;
        runs[*n].width = width;
        runs[*n].height = height;
        ++*n;
        if (text[length] == '\0')
            return true;
        if (text[length] != ',')
            return false;
        text += length + 1;
    }
    return false;
}

/* ---------------------------------------------------------------- text ----------------------- */

static void compare(struct run *run, const struct vgg_machine *machine)
{
    double conv_gflop = 0, fc_gflop = 0, fc_bytes = 0;

    for (size_t i = 0; i < run->bench.layers_n; i++) {
        if (strncmp(run->bench.layers[i].name, "fc", 2) != 0)
            conv_gflop += run->bench.layers[i].gflop;
        else {
            fc_gflop += run->bench.layers[i].gflop;
            fc_bytes += run->bench.layers[i].weights_bytes;
        }
    }
    run->conv_gflops = conv_gflop / run->bench.conv_ms * 1e3;
    run->conv_vs_peak = run->conv_gflops / machine->fma_gflops;
    run->fc_vs_peak = fc_gflop / run->bench.fc_ms * 1e3 / machine->fma_gflops;
    run->fc_vs_bandwidth = fc_bytes / run->bench.fc_ms / 1e6 / machine->read_gbps;
}

static void print_run(const struct run *run, const struct vgg_machine *machine)
{
    printf("\n%s %s %" PRIu32 "x%" PRIu32 ", batch %" PRIu32 "\n%-9s %-22s %9s %14s %11s\n",
           run->arch, run->precision, run->width, run->height, run->batch, "layer", "algorithm",
           "ms", "eff. GFLOP/s", "of FMA peak");
    for (size_t i = 0; i < run->bench.layers_n; i++) {
        double gflops = run->bench.layers[i].gflop / run->bench.layers[i].ms * 1e3;

        printf("%-9s %-22s %9.2f %14.1f %11.2f\n", run->bench.layers[i].name,
               run->bench.layers[i].algorithm, run->bench.layers[i].ms, gflops,
               gflops / machine->fma_gflops);
    }
    printf("conv %.1f ms, %.2f of the FMA peak; fc %.1f ms, %.2f of the FMA peak, %.2f of the read "
           "bandwidth; total %.1f ms\n",
           run->bench.conv_ms, run->conv_vs_peak, run->bench.fc_ms, run->fc_vs_peak,
           run->fc_vs_bandwidth, run->bench.total_ms);
}

/* ---------------------------------------------------------------- JSON ----------------------- */

/* ,"KEY":VALUE with four significant digits, more than a noisy machine gives; a real number. */
static void print_real(struct text *text, const char *key, double value)
{
    double scale = value != 0 ? pow(10, 3 - floor(log10(fabs(value)))) : 1;
    char number[32];

    snprintf(number, sizeof number, "%.9g", round(value * scale) / scale);
    text_print(text, ",\"%s\":%s%s", key, number, strpbrk(number, ".e") == NULL ? ".0" : "");
}

static void print_json_layers(struct text *text, const struct vgg_bench *bench)
{
    text_print(text, ",\"layers\":[");
    for (size_t i = 0; i < bench->layers_n; i++) {
        text_print(text, "%s{\"name\":\"%s\",\"algorithm\":\"%s\"", i != 0 ? "," : "",
                   bench->layers[i].name, bench->layers[i].algorithm);
        print_real(text, "ms", bench->layers[i].ms);
        print_real(text, "effective_gflops", bench->layers[i].gflop / bench->layers[i].ms * 1e3);
        text_print(text, "}");
    }
    text_print(text, "]");
}

static void print_json_run(struct text *text, const struct run *run)
{
    text_print(text,
               "{\"arch\":\"%s\",\"precision\":\"%s\",\"size\":\"%" PRIu32 "x%" PRIu32
               "\",\"batch\":%" PRIu32,
               run->arch, run->precision, run->width, run->height, run->batch);
    print_real(text, "conv_ms", run->bench.conv_ms);
    print_real(text, "fc_ms", run->bench.fc_ms);
    print_real(text, "total_ms", run->bench.total_ms);
    print_real(text, "conv_effective_gflops", run->conv_gflops);
    print_real(text, "conv_vs_peak", run->conv_vs_peak);
    print_real(text, "fc_vs_peak", run->fc_vs_peak);
    print_real(text, "fc_vs_bandwidth", run->fc_vs_bandwidth);
    print_json_layers(text, &run->bench);
    text_print(text, "}");
}

/* False when out of memory. */
static bool print_json(const struct vgg_machine *machine, const struct run *runs, size_t n)
{
    struct text text = {0};
    size_t size = 0;
    char *json;

    text_print(&text, "{\"machine\":{\"isa\":\"%s\",\"threads\":%u", machine->isa,
               machine->threads);
    print_real(&text, "fma_gflops", machine->fma_gflops);
    print_real(&text, "read_gbps", machine->read_gbps);
    text_print(&text, "},\"runs\":[");
    for (size_t i = 0; i < n; i++) {
        text_print(&text, "%s", i != 0 ? "," : "");
        print_json_run(&text, &runs[i]);
    }
    text_print(&text, "]}\n");
    json = text_take(&text, &size);
    if (json != NULL)
        fwrite(json, 1, size, stdout);
    free(json);
    return json != NULL;
}

/* ---------------------------------------------------------------- the command ---------------- */

/* Measure the machine, then every run. */
static enum vgg_status bench(const struct bench_options *given, const struct vgg_model *model,
                             struct run *runs, size_t n, struct vgg_error *error)
{
    struct vgg_machine machine;
    enum vgg_status status = vgg_machine_measure(given->threads, given->precision, &machine, error);

    if (status == VGG_OK && !given->json)
        printf("%s, %u threads: %.1f GFLOP/s by FMA, %.1f GB/s read\n", machine.isa,
               machine.threads, machine.fma_gflops, machine.read_gbps);
    for (size_t i = 0; i < n && status == VGG_OK; i++) {
        runs[i].arch = vgg_model_get_info(model)->arch;
        runs[i].precision = vgg_model_get_info(model)->precision;
        runs[i].batch = given->batch;
        status = vgg_bench_run(model, runs[i].width, runs[i].height, given->batch, given->threads,
                               given->repeats, &runs[i].bench, error);
        if (status != VGG_OK)
            break;
        compare(&runs[i], &machine);
        if (!given->json)
            print_run(&runs[i], &machine);
    }
    if (status == VGG_OK && given->json && !print_json(&machine, runs, n))
        return vgg_fail(error, VGG_NO_MEMORY, "out of memory");
    return status;
}

/* What an engine for the largest of the runs would take is about what they do. */
static struct vgg_engine_options largest(const struct bench_options *given, const struct run *runs,
                                         size_t n)
{
    struct vgg_engine_options engine = {.threads = given->threads};

    for (size_t i = 0; i < n; i++) {
        uint64_t pixels = (uint64_t)runs[i].width * runs[i].height * given->batch;

        if (pixels > engine.view_pixels_max)
            engine.view_pixels_max = pixels;
    }
    return engine;
}

static enum vgg_status make_model(const struct bench_options *given,
                                  const struct vgg_load_options *load,
                                  const struct vgg_engine_options *engine, struct vgg_model **model,
                                  struct vgg_error *error)
{
    const struct vgg_init_options init = {.arch = given->arch, .seed = 1};
    struct resources_need need = {0};
    struct vgg_footprint footprint;
    enum vgg_status status = vgg_footprint_init(&init, load, engine, &footprint, error);

    if (status != VGG_OK)
        return status;
    resources_add_model(&need, &footprint, engine);
    status = resources_check(&need, "", error);
    return status == VGG_OK ? vgg_model_init(&init, load, model, error) : status;
}

static enum vgg_status open_model(const struct bench_options *given, const struct run *runs,
                                  size_t n, struct vgg_model **model, struct vgg_error *error)
{
    const struct vgg_load_options load = {
        .threads = given->threads, .precision = given->precision, .fc_half = given->fc_half};
    const struct vgg_engine_options engine = largest(given, runs, n);
    const char *remark;
    enum vgg_status status = given->model != NULL
                                 ? model_open(given->model, &load, &engine, model, error)
                                 : make_model(given, &load, &engine, model, error);

    if (status != VGG_OK)
        return status;
    remark = model_remark(&load, *model);
    if (remark != NULL)
        terminal_say("%s", remark);
    return status;
}

int command_bench(int argc, char **argv)
{
    struct bench_options given = {0};
    struct run runs[RUNS_MAX] = {0};
    struct vgg_model *model = NULL;
    struct vgg_error error = {0};
    struct operands operands;
    enum options_result result = options_parse(&bench_usage, argc, argv, &given, &operands);
    size_t n;

    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n != 0 || (given.arch != NULL && given.model != NULL)) {
        terminal_say("bench takes no operand, and --arch or --model (see vgg bench --help)");
        return EXIT_USAGE;
    }
    if (!parse_sizes(given.sizes, runs, &n)) {
        terminal_say("--sizes %s: must be up to %d sizes such as 224x224,512x384", given.sizes,
                     RUNS_MAX);
        return EXIT_USAGE;
    }
    if (given.threads == 0)
        given.threads = vgg_threads_default();
    if (open_model(&given, runs, n, &model, &error) == VGG_OK)
        (void)bench(&given, model, runs, n, &error);
    vgg_model_release(model);
    if (error.status == VGG_OK)
        return 0;
    resources_explain(&error);
    terminal_say("%s", error.text);
    return EXIT_USAGE;
}
