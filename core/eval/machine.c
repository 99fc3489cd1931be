/* The machine's own limits: how fast it multiplies, how fast it reads. */
#include <stdlib.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"
#include "kernels/kernels.h"

enum {
    CHAINS = 12,           /* independent accumulators: more than latency times throughput */
    LANES = 8,             /* floats of a vector */
    ROUNDS = 1 << 21,      /* multiply-adds of each chain */
    READ_BYTES = 96 << 20, /* each thread's block: larger than its share of any cache */
    REPEATS = 7
};

/* Eight floats; the compiler splits them where registers are shorter. */
typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

struct measurement {
    bool avx2;
    const float *block; /* [threads][READ_BYTES] */
    float sums[64];     /* keeps the loops from being optimised away */
};

#define READ_LOOP                                                                                  \
    vector sums[4] = {{0}};                                                                        \
                                                                                                   \
    for (size_t i = 0; i < READ_BYTES / sizeof(vector); i += 4)                                    \
        _Pragma("GCC unroll 4") for (size_t j = 0; j < 4; j++) sums[j] += block[i + j];            \
    sums[0] += sums[1] + sums[2] + sums[3];                                                        \
    return sums[0][0]

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static float fma_avx2(void)
{
    __m256 x[CHAINS], factor = _mm256_set1_ps(0.999F), term = _mm256_set1_ps(0.001F);

    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) x[c] = _mm256_set1_ps((float)c);
    for (int round = 0; round < ROUNDS; round++)
        _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) x[c] =
            _mm256_fmadd_ps(x[c], factor, term);
    _Pragma("GCC unroll 12") for (int c = 1; c < CHAINS; c++) x[0] = _mm256_add_ps(x[0], x[c]);
    return _mm256_cvtss_f32(x[0]);
}

__attribute__((target("avx2,fma"))) static float read_avx2(const vector *block)
{
    READ_LOOP;
}
#endif

/* Multiplication and addition apart, where there may be no fused instruction. */
static float fma_portable(void)
{
    vector x[CHAINS], factor, term;

    for (int i = 0; i < LANES; i++) {
        factor[i] = 0.999F;
        term[i] = 0.001F;
    }
    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) x[c] = term * (float)c;
    for (int round = 0; round < ROUNDS; round++)
        _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) x[c] = x[c] * factor + term;
    _Pragma("GCC unroll 12") for (int c = 1; c < CHAINS; c++) x[0] += x[c];
    return x[0][0];
}

static float read_portable(const vector *block)
{
    READ_LOOP;
}

static void fma_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;

    (void)thread;
#ifdef __x86_64__
    if (measurement->avx2) {
        measurement->sums[item % 64] = fma_avx2();
        return;
    }
#endif
    measurement->sums[item % 64] = fma_portable();
}

static void read_item(void *context, size_t item, unsigned thread)
{
    struct measurement *measurement = context;
    const vector *block =
        (const vector *)(const void *)(measurement->block + item * (READ_BYTES / sizeof(float)));

    (void)thread;
#ifdef __x86_64__
    if (measurement->avx2) {
        measurement->sums[item % 64] = read_avx2(block);
        return;
    }
#endif
    measurement->sums[item % 64] = read_portable(block);
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

static void touch_item(void *context, size_t item, unsigned thread)
{
    float *block = (float *)context + item * (READ_BYTES / sizeof(float));

    (void)thread;
    for (size_t i = 0; i < READ_BYTES / sizeof(float); i++)
        block[i] = 1;
}

enum vgg_status vgg_machine_measure(unsigned threads, struct vgg_machine *machine,
                                    struct vgg_error *error)
{
    struct measurement measurement = {0};
    struct vgg_pool *pool = NULL;
    float *block = vgg_alloc_aligned(threads, READ_BYTES);
    enum vgg_status status;

    if (block == NULL)
        return vgg_fail_memory(error);
    status = vgg_pool_create(threads, &pool, error);
    if (status == VGG_OK) {
#ifdef __x86_64__
        measurement.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
        measurement.block = block;
        vgg_pool_run(pool, touch_item, block, threads);
        machine->isa = measurement.avx2 ? "avx2" : "portable";
        machine->threads = threads;
        machine->fma_gflops = 2e-9 * CHAINS * LANES * (double)ROUNDS * threads /
                              best_seconds(pool, fma_item, &measurement);
        machine->read_gbps =
            1e-9 * READ_BYTES * threads / best_seconds(pool, read_item, &measurement);
    }
    vgg_pool_destroy(pool);
    free(block);
    return status;
}
