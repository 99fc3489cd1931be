/* The machine's own limits: how fast it multiplies, how fast it reads. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/team.h"
#include "kernels/kernels.h"
#include "vgg_bench.h"

enum {
    ROUNDS = 1 << 21,      /* multiply-adds of each chain */
    READ_BYTES = 96 << 20, /* each thread's block: larger than its share of any cache */
    REPEATS = 7
};

struct measurement {
    const struct vgg_kernels *kernels;
    float *block;  /* [threads][READ_BYTES], of ones */
    double *count; /* [threads]: multiply-adds done, or floats read */
};

static float *block_of(const struct measurement *measurement, size_t item)
{
    return measurement->block + item * (READ_BYTES / sizeof(float));
}

static void touch_item(void *context, size_t item, unsigned thread)
{
    float *block = block_of(context, item);

    (void)thread;
    for (size_t i = 0; i < READ_BYTES / sizeof(float); i++)
        block[i] = 1;
}

/* Where no kernels have vectors: eight floats, multiplied and added apart. */
typedef float vector __attribute__((vector_size(32)));

enum { LANES = sizeof(vector) / sizeof(float) };

static double sum_of(vector x)
{
    double sum = 0;

    for (size_t lane = 0; lane < LANES; lane++)
        sum += x[lane];
    return sum;
}

/* As the kernels' own: the numbers count the multiply-adds, each chain from its own on. */
static double portable_fma(size_t rounds)
{
    static volatile const float unit = 1;
    float one = unit;
    vector x[VGG_PEAK_CHAINS];
    double sum = 0;

    for (int c = 0; c < VGG_PEAK_CHAINS; c++)
        x[c] = (vector){0} + (float)c;
    for (size_t round = 0; round < rounds; round++)
        for (int c = 0; c < VGG_PEAK_CHAINS; c++)
            x[c] = x[c] * one + one;
    for (int c = 0; c < VGG_PEAK_CHAINS; c++)
        sum += sum_of(x[c]) - (double)LANES * c;
    return sum;
}

static double portable_read(const float *floats, size_t n)
{
    vector sums = {0};

    for (size_t i = 0; i < n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += floats[i + lane];
    return sum_of(sums);
}

static void fma_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;

    (void)thread;
    measurement->count[item] = measurement->kernels->peak_fma != NULL
                                   ? measurement->kernels->peak_fma(ROUNDS)
                                   : portable_fma(ROUNDS);
}

static void read_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;
    const float *block = block_of(measurement, item);
    size_t n = READ_BYTES / sizeof *block;

    (void)thread;
    measurement->count[item] = measurement->kernels->peak_read != NULL
                                   ? measurement->kernels->peak_read(block, n)
                                   : portable_read(block, n);
}

/* What all threads do in a second, one item each, in the fastest of REPEATS runs. */
static double best_rate(struct vgg_team *team, vgg_team_fn *fn, struct measurement *measurement)
{
    unsigned threads = vgg_team_threads(team);
    double best = 0;

    for (int i = 0; i < REPEATS; i++) {
        uint64_t start_ns = vgg_now_ns(), ns;
        double count = 0;

        vgg_team_run(team, fn, measurement, threads);
        ns = vgg_now_ns() - start_ns;
        for (unsigned item = 0; item < threads; item++)
            count += measurement->count[item];
        if (count / (double)ns > best)
            best = count / (double)ns;
    }
    return 1e9 * best;
}

/* The kernels in use where they have vectors, else the best of this machine: OpenBLAS's choice. */
static const struct vgg_kernels *measured_kernels(enum vgg_precision precision,
                                                  struct vgg_error *error)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    const struct vgg_kernels *kernels = vgg_kernels_select(precision, error);

    if (kernels == NULL || kernels->peak_fma != NULL)
        return kernels;
    vgg_kernels_runnable(VGG_PRECISION_F32, tables);
    return tables[0];
}

enum vgg_status vgg_machine_measure(unsigned threads, enum vgg_precision precision,
                                    struct vgg_machine *machine, struct vgg_error *error)
{
    struct measurement measurement = {.kernels = measured_kernels(precision, error)};
    struct vgg_team *team = NULL;
    enum vgg_status status;

    if (measurement.kernels == NULL)
        return VGG_BAD_ARGUMENT;
    if (threads == 0)
        threads = vgg_threads_default();
    if (threads > VGG_TEAM_THREADS_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "%u threads are over the limit of %d", threads,
                        VGG_TEAM_THREADS_MAX);
    measurement.block = vgg_alloc_aligned(threads, READ_BYTES);
    measurement.count = vgg_calloc(threads, sizeof *measurement.count);
    status = measurement.block == NULL || measurement.count == NULL
                 ? vgg_fail_memory(error)
                 : vgg_team_create(threads, &team, error);
    if (status == VGG_OK) {
        vgg_team_run(team, touch_item, &measurement, threads);
        machine->isa = measurement.kernels->name;
        machine->threads = threads;
        machine->fma_gflops = 2e-9 * best_rate(team, fma_item, &measurement);
        machine->read_gbps = 1e-9 * sizeof(float) * best_rate(team, read_item, &measurement);
    }
    vgg_team_destroy(team);
    free(measurement.block);
    free(measurement.count);
    return status;
}
