/* The machine's own limits: how fast it multiplies, how fast it reads. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"
#include "kernels/kernels.h"
#include "vgg_bench.h"

enum {
    ROUNDS = 1 << 21,      /* multiply-adds of each chain */
    READ_BYTES = 96 << 20, /* each thread's block: larger than its share of any cache */
    REPEATS = 7
};

struct measurement {
    const struct vgg_kernels *kernels;
    float *block;   /* [threads][READ_BYTES] */
    float sums[64]; /* results that must not be left out */
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

static float portable_fma(size_t rounds)
{
    vector x[VGG_PEAK_CHAINS];

    for (int c = 0; c < VGG_PEAK_CHAINS; c++)
        x[c] = (vector){0} + (float)c;
    for (size_t round = 0; round < rounds; round++)
        for (int c = 0; c < VGG_PEAK_CHAINS; c++)
            x[c] = x[c] * 0.999F + 0.001F;
    for (int c = 1; c < VGG_PEAK_CHAINS; c++)
        x[0] += x[c];
    return x[0][0];
}

static float portable_read(const float *floats, size_t n)
{
    float sums[LANES] = {0};

    for (size_t i = 0; i < n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += floats[i + lane];
    return sums[0] + sums[LANES - 1];
}

static void fma_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;

    (void)thread;
    measurement->sums[item % 64] = measurement->kernels->peak_fma != NULL
                                       ? measurement->kernels->peak_fma(ROUNDS)
                                       : portable_fma(ROUNDS);
}

static void read_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;
    const float *block = block_of(measurement, item);
    size_t n = READ_BYTES / sizeof *block;

    (void)thread;
    measurement->sums[item % 64] = measurement->kernels->peak_read != NULL
                                       ? measurement->kernels->peak_read(block, n)
                                       : portable_read(block, n);
}

/* Seconds of the fastest of REPEATS runs of one item on each thread. */
static double best_seconds(struct vgg_pool *pool, vgg_pool_fn *fn, struct measurement *measurement)
{
    uint64_t best_ns = UINT64_MAX;

    for (int i = 0; i < REPEATS; i++) {
        uint64_t start_ns = vgg_now_ns(), ns;

        vgg_pool_run(pool, fn, measurement, vgg_pool_threads(pool));
        ns = vgg_now_ns() - start_ns;
        if (ns < best_ns)
            best_ns = ns;
    }
    return (double)best_ns / 1e9;
}

/* The kernels in use where they have vectors, else the best of this machine: OpenBLAS's choice. */
static const struct vgg_kernels *measured_kernels(struct vgg_error *error)
{
    const struct vgg_kernels *tables[VGG_KERNELS_MAX], *kernels = vgg_kernels_select(error);

    if (kernels == NULL || kernels->peak_fma != NULL)
        return kernels;
    vgg_kernels_runnable(tables);
    return tables[0];
}

enum vgg_status vgg_machine_measure(unsigned threads, struct vgg_machine *machine,
                                    struct vgg_error *error)
{
    struct measurement measurement = {.kernels = measured_kernels(error)};
    struct vgg_pool *pool = NULL;
    enum vgg_status status;

    if (measurement.kernels == NULL)
        return VGG_BAD_ARGUMENT;
    measurement.block = vgg_alloc_aligned(threads, READ_BYTES);
    if (measurement.block == NULL)
        return vgg_fail_memory(error);
    status = vgg_pool_create(threads, &pool, error);
    if (status == VGG_OK) {
        size_t lanes =
            measurement.kernels->peak_fma != NULL ? measurement.kernels->peak_lanes : (size_t)LANES;

        vgg_pool_run(pool, touch_item, &measurement, threads);
        machine->isa = measurement.kernels->name;
        machine->threads = threads;
        machine->fma_gflops = 2e-9 * VGG_PEAK_CHAINS * (double)lanes * ROUNDS * threads /
                              best_seconds(pool, fma_item, &measurement);
        machine->read_gbps =
            1e-9 * READ_BYTES * threads / best_seconds(pool, read_item, &measurement);
    }
    vgg_pool_destroy(pool);
    free(measurement.block);
    return status;
}
